"""Which rows make one job: by their tokens, their number and their bytes. Performs no I/O."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_ROWS = 50_000
"""Rows in a job. The service names no limit; so many are known to go well."""

MOST_BYTES = 10**9
"""Bytes of its input: half of what the service takes."""

MOST_TOKENS = 450_000
"""Tokens enqueued at once: 0.9 of what the first paid tier allows for gemini-embedding-001."""


def parts_of(
    tokens: Sequence[int], sizes: Sequence[int], *, most_tokens: float = math.inf
) -> list[tuple[int, int]]:
    """Return the first row of each part, and the row after its last; each has a row at least.

    Args:
        tokens: Of each row.
        sizes: The bytes of each.
        most_tokens: Of a part.
    """
    parts: list[tuple[int, int]] = []
    first = used = length = 0
    for row, (count, size) in enumerate(zip(tokens, sizes, strict=True)):
        fits = used + count <= most_tokens and length + size <= MOST_BYTES
        if row > first and not (fits and row - first < MOST_ROWS):
            parts.append((first, row))
            first, used, length = row, 0, 0
        used += count
        length += size
    return [*parts, (first, len(tokens))] if tokens else []
