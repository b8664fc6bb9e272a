"""What the adviser is given, checked. Performs no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gemini_embed.dimensions.measures import Labels
from gemini_embed.errors import ConfigurationError
from gemini_embed.options.checks import whole
from gemini_embed.vectors import sound

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray


def checked(name: str, given: ArrayLike) -> NDArray[np.float32]:
    """Return vectors as float32, of shape (rows, dimension)."""
    with np.errstate(over="ignore"):  # what becomes infinite is found by `check_searchable`
        block = np.asarray(given, dtype=np.float32)
    if block.ndim != 2 or not block.size:  # noqa: PLR2004 - rows and columns
        raise ConfigurationError(f"{name}: rows of numbers are needed, not shape {block.shape}")
    return block


def check_asked(
    documents: int, k: int, *, target: float = 1.0, dims: Iterable[int] = (), own: bool = False
) -> int:
    """Check what is asked of so many documents; return `k`. An error begins with a name.

    Args:
        documents: How many are searched.
        k: How many of them a query is to find.
        target: Which share is to be kept.
        dims: Which dimensions are tried.
        own: Whether a query is one of the documents, and does not find that.
    """
    there = documents - own
    found: int = whole(1)("k", k)
    if found > there:
        raise ConfigurationError(f"k={k}: a query can find 1 to {there} of these documents")
    if not 0 < target <= 1:
        raise ConfigurationError(f"target={target}: a share, above 0 and at most 1")
    for dimension in dims:
        whole(1)("dims", dimension)
    return found


def check_searchable(
    documents: NDArray[np.float32], queries: NDArray[np.float32], *, least: int
) -> None:
    """Check that queries can be compared with documents.

    Args:
        documents: What is searched.
        queries: What looks for it.
        least: By how many of the first numbers they are compared at least.
    """
    if documents.shape[1] != queries.shape[1]:
        raise ConfigurationError(
            f"the documents have {documents.shape[1]} dimensions and the queries {queries.shape[1]}"
        )
    for name, block in {"vectors": documents, "queries": queries}.items():
        for row in np.flatnonzero(~(sound(block) & block[:, :least].any(axis=1))):
            raise ConfigurationError(
                f"row {row} of {name}: not all finite, or its first {least} numbers are all zeros"
            )


def labels_of(
    qrels: Sequence[Mapping[int, float]], *, queries: int, documents: int
) -> tuple[Labels, NDArray[np.intp]]:
    """Return the labels, and which queries have any."""
    if len(qrels) != queries:
        raise ConfigurationError(f"{queries} queries, and labels for {len(qrels)}")
    if strange := {place for one in qrels for place in one if not 0 <= place < documents}:
        raise ConfigurationError(f"qrels: there is no document {min(strange)}")
    judged = [row for row, one in enumerate(qrels) if any(grade > 0 for grade in one.values())]
    if not judged:
        raise ConfigurationError("qrels: no query has a document with a grade above 0")
    return Labels([qrels[row] for row in judged]), np.array(judged, np.intp)
