"""The texts that are embedded: short, and no two the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = "gemini-embedding-001"
"""Works in every contestant; gemini-embedding-2 does not."""

TASK_TYPE = "RETRIEVAL_DOCUMENT"
BATCH = 100
DIMENSION = 3072


def one_by_one(start: int, count: int) -> Iterator[str]:
    """Yield `count` texts of about ten words, numbered from `start`."""
    for index in range(start, start + count):
        yield f"text number {index} tells of a thing that nobody else mentions"


def numbered(start: int, count: int) -> list[str]:
    """Return the same as a list."""
    return list(one_by_one(start, count))
