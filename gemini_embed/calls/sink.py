"""Where finished vectors go: each to its places in the caller's list. Performs no I/O.

Runs on the I/O thread. What the service sends is made into what the caller wants on the way in, so
that there is one copy of it: an array, or lists.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from gemini_embed.background.loop import give_way
from gemini_embed.calls.means import Means
from gemini_embed.results import EmbeddingResult, ListedResult
from gemini_embed.vectors import as_served, unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from gemini_embed.models import Model
    from gemini_embed.results import Wanted
    from gemini_embed.usage import Usage

_NO_PIECES: Mapping[int, int] = MappingProxyType({})

_LISTED_AT_ONCE = 32
"""Vectors made into lists in one go: other threads, a caller's loop among them, wait meanwhile."""


R_co = TypeVar("R_co", covariant=True)


class Sink(ABC, Generic[R_co]):
    """The vectors of one call, which become its result.

    Args:
        count: How many places there are.
        wanted: What the caller wants of each vector.
        model: The one that makes them.
        pieces: For each place whose text was split, in how many pieces.
        first: The first place.

    Attributes:
        dimension: How many numbers of each vector the caller gets.
    """

    def __init__(
        self,
        count: int,
        wanted: Wanted,
        model: Model,
        pieces: Mapping[int, int] = _NO_PIECES,
        first: int = 0,
    ) -> None:
        self.dimension = wanted.dimension
        self._first = first
        self._normalize = wanted.normalize
        self._model = model
        self._means = Means(pieces, normalize=wanted.normalize_means) if pieces else None
        self._done = np.zeros(count, np.bool_)
        self._make_room(count)

    def __len__(self) -> int:
        """Return how many places there are."""
        return len(self._done)

    @property
    def done(self) -> int:
        """How many places have their vector."""
        return int(np.count_nonzero(self._done))

    @property
    def missing(self) -> tuple[int, ...]:
        """The places that have none."""
        return tuple((self._first + np.flatnonzero(~self._done)).tolist())

    def place(
        self,
        positions: Sequence[Sequence[int]],
        block: NDArray[np.float32],
        weights: Sequence[float] = (),
    ) -> int:
        """Put each vector at every one of its places; return how many places have theirs by it.

        Args:
            positions: For each vector, its places.
            block: The vectors, as the service sends them.
            weights: How much each counts where it is of a piece; needed if there are pieces.
        """
        block = self._as_wanted(block)
        if self._means is not None:
            positions, block = self._means.take(positions, block, weights)
        counts = [len(places) for places in positions]
        indexes = np.fromiter(chain.from_iterable(positions), np.intp, sum(counts)) - self._first
        rows = block if counts.count(1) == len(counts) else block.repeat(counts, 0)
        self._put(indexes, rows)
        self._done[indexes] = True
        return len(indexes)

    def _as_wanted(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        if block.shape[1] != self.dimension:
            block = as_served(block, self.dimension, model=self._model)
        return unit(block) if self._normalize else block

    def partial(self) -> dict[int, NDArray[np.float32]]:
        """Return what is there, by its place."""
        return {self._first + row: self._get(row) for row in np.flatnonzero(self._done).tolist()}

    @abstractmethod
    def result(self, usage: Usage) -> R_co:
        """Return what the caller gets, once every place has its vector."""

    @abstractmethod
    def _make_room(self, count: int) -> None: ...

    @abstractmethod
    def _put(self, indexes: NDArray[np.intp], rows: NDArray[np.float32]) -> None: ...

    @abstractmethod
    def _get(self, row: int) -> NDArray[np.float32]: ...


class ArraySink(Sink[EmbeddingResult]):
    """One array."""

    def _make_room(self, count: int) -> None:
        self._vectors = np.zeros((count, self.dimension), np.float32)

    def result(self, usage: Usage) -> EmbeddingResult:
        """Return the array."""
        return EmbeddingResult(self._vectors, usage)

    def _put(self, indexes: NDArray[np.intp], rows: NDArray[np.float32]) -> None:
        self._vectors[indexes] = rows

    def _get(self, row: int) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self._vectors[row]
        return vector


class ListSink(Sink[ListedResult]):
    """Lists of plain floats, made as vectors come, so that nobody waits for all at the end."""

    def _make_room(self, count: int) -> None:
        self._lists: list[list[float]] = [[] for _ in range(count)]

    def result(self, usage: Usage) -> ListedResult:
        """Return the lists."""
        return ListedResult(self._lists, usage)

    def _put(self, indexes: NDArray[np.intp], rows: NDArray[np.float32]) -> None:
        for start in range(0, len(rows), _LISTED_AT_ONCE):
            end = start + _LISTED_AT_ONCE
            for index, row in zip(
                indexes[start:end].tolist(), rows[start:end].tolist(), strict=True
            ):
                self._lists[index] = row
            if end < len(rows):
                give_way()

    def _get(self, row: int) -> NDArray[np.float32]:
        return np.array(self._lists[row], np.float32)


def sink_for(
    count: int,
    wanted: Wanted,
    model: Model,
    pieces: Mapping[int, int] = _NO_PIECES,
    first: int = 0,
) -> Sink[EmbeddingResult | ListedResult]:
    """Return what takes `count` vectors in the form that the caller wants."""
    return (ListSink if wanted.as_lists else ArraySink)(count, wanted, model, pieces, first)
