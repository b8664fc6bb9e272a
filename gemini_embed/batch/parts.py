"""Which rows make one job: by their tokens, their number and their bytes. Performs no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from gemini_embed.models import BackendName

MOST_ROWS = 50_000
"""Rows in a job. The service names no limit; so many are known to go well."""

MOST_BYTES = 10**9
"""Bytes of its input: half of what the Gemini API takes, and what Vertex AI does."""

MOST_TOKENS: Mapping[BackendName, int] = {"gemini": 450_000, "vertex": 10**15}
"""Tokens enqueued at once where the caller does not say: 0.9 of what the first paid tier allows for
gemini-embedding-001; and on Vertex AI, which has no such limit, more than anybody sends."""


def parts_of(
    tokens: NDArray[np.integer], sizes: NDArray[np.integer], *, most_tokens: int
) -> list[tuple[int, int]]:
    """Return the first row of each part, and the row after its last; each has a row at least.

    Args:
        tokens: Of each row.
        sizes: The bytes of each.
        most_tokens: Of a part.
    """
    limited = [(np.cumsum(tokens), most_tokens), (np.cumsum(sizes), MOST_BYTES)]
    parts: list[tuple[int, int]] = []
    first = 0
    while first < len(tokens):
        last = min(first + MOST_ROWS, len(tokens))
        for sums, most in limited:
            before = int(sums[first - 1]) if first else 0
            last = min(last, int(np.searchsorted(sums, before + most, side="right")))
        last = max(last, first + 1)
        parts.append((first, last))
        first = last
    return parts
