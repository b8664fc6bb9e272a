"""Exact search at every dimension and by every way to store, in one pass. Performs no I/O.

The documents are walked in blocks, so that beside them there are only some hundred megabytes,
whatever their number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gemini_embed.dimensions.storage import STORAGES, Storage, asked, stored
from gemini_embed.vectors import unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_SCORES_AT_ONCE = 2**23
"""Scores of a block: 32 MB each time they are held."""

_DOCUMENTS_AT_ONCE = 8_192
"""Of full dimension these are 100 MB."""


class Way(NamedTuple):
    """How vectors are searched: by how many numbers, and how these are stored."""

    dimension: int
    storage: Storage


class Nearest(NamedTuple):
    """The nearest documents of each query, in rows, nearest first.

    Attributes:
        scores: By the way in which they were searched.
        full: Their cosines at full dimension.
        places: Which documents they are.
    """

    scores: NDArray[np.float32]
    full: NDArray[np.float32]
    places: NDArray[np.intp]

    def chosen(self, order: NDArray[np.intp]) -> Nearest:
        """Return for each row what its row of `order` names."""
        rows = np.arange(len(order))[:, np.newaxis]
        return Nearest(self.scores[rows, order], self.full[rows, order], self.places[rows, order])

    def best(self, count: int) -> Nearest:
        """Return the best `count` of each row, in no order."""
        if self.scores.shape[1] <= count:
            return self
        return self.chosen(np.argpartition(self.scores, -count, axis=1)[:, -count:])

    def by(self, scores: NDArray[np.float32]) -> Nearest:
        """Return the rows in falling order of scores; of equal ones the earlier document first."""
        return self.chosen(np.lexsort((self.places, -scores), axis=1))

    def first(self, k: int) -> Nearest:
        """Return the first `k` of each row."""
        return Nearest(self.scores[:, :k], self.full[:, :k], self.places[:, :k])

    def with_more(self, more: Nearest) -> Nearest:
        """Return both, side by side."""
        return Nearest(
            np.concatenate((self.scores, more.scores), axis=1),
            np.concatenate((self.full, more.full), axis=1),
            np.concatenate((self.places, more.places), axis=1),
        )


def search(
    documents: NDArray[np.float32],
    queries: NDArray[np.float32],
    dims: Sequence[int],
    *,
    count: int,
    own: NDArray[np.intp] | None = None,
    storages: Sequence[Storage] = STORAGES,
) -> dict[Way, Nearest]:
    """Return the nearest documents of each query, by each way.

    Args:
        documents: Each has a direction, also of its first numbers.
        queries: Likewise.
        dims: How many of the first numbers are compared, brought to length 1.
        count: How many documents each query gets.
        own: For each query the document that it is, which it does not find.
        storages: How the numbers are stored.
    """
    largest = _largest(documents, dims) if "int8" in storages else {}
    none = np.empty(0, np.float32)
    compared = {
        Way(n, storage): asked(unit(queries[:, :n]), storage, largest.get(n, none))
        for n in dims
        for storage in storages
    }
    found: dict[Way, Nearest] = {}
    whole = unit(queries)
    for start, block in _blocks(documents, _SCORES_AT_ONCE // len(queries)):
        full = whole @ block.T
        places = np.broadcast_to(np.arange(start, start + len(block)), full.shape)
        for n in dims:
            prefix = unit(block[:, :n])
            for storage in storages:
                way = Way(n, storage)
                scores = compared[way] @ stored(prefix, storage, largest.get(n, none)).T
                _hide(scores, own, start)
                new = Nearest(scores, full, places).best(count)
                found[way] = found[way].with_more(new).best(count) if way in found else new
    return {way: nearest.by(nearest.scores) for way, nearest in found.items()}


def _largest(documents: NDArray[np.float32], dims: Sequence[int]) -> dict[int, NDArray[np.float32]]:
    """Return for each cut the largest number of each dimension, without its sign."""
    largest = {n: np.zeros(n, np.float32) for n in dims}
    for _, block in _blocks(documents, _DOCUMENTS_AT_ONCE):
        for n in dims:
            np.maximum(largest[n], np.abs(unit(block[:, :n])).max(axis=0), out=largest[n])
    return largest


def _blocks(documents: NDArray[np.float32], size: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
    size = min(max(size, 1), _DOCUMENTS_AT_ONCE)
    for start in range(0, len(documents), size):
        yield start, unit(documents[start : start + size])


def _hide(scores: NDArray[np.float32], own: NDArray[np.intp] | None, start: int) -> None:
    """Take from each query the document that it is, where the block has it."""
    if own is not None:
        rows = np.flatnonzero((own >= start) & (own < start + scores.shape[1]))
        scores[rows, own[rows] - start] = -np.inf
