"""The texts that are embedded: short, and no two the same."""

from __future__ import annotations

MODEL = "gemini-embedding-001"
"""Works in every contestant; gemini-embedding-2 does not."""

TASK_TYPE = "RETRIEVAL_DOCUMENT"
BATCH = 100
DIMENSION = 3072


def numbered(start: int, count: int) -> list[str]:
    """Return `count` texts of about ten words, numbered from `start`."""
    return [
        f"text number {index} tells of a thing that nobody else mentions"
        for index in range(start, start + count)
    ]
