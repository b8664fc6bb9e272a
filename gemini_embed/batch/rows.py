"""Takes the rows of a job's results: each matched by its key, checked as online, into the cache.

Whatever the order of the rows, and whatever is among them, a row that has no good vector of its own
is missing in the end, and no vector goes to another row's text.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from gemini_embed.cache.values import sealed
from gemini_embed.errors import BadResponseError
from gemini_embed.vectors import as_served, checked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from gemini_embed.models import Model
    from gemini_embed.service.jobs import RowAnswer

    Store = Callable[[Sequence[tuple[str, bytes]]], None]
    Drop = Callable[[Sequence[str]], None]

AT_ONCE = 100
"""Rows that are checked and stored in one go, as an online answer is."""

_PER_NUMBER = 64
_BESIDES = 2**20
_ESCAPED = 6
"""Bytes of a line for each number, for all else, and for each byte of its row: Vertex AI sends the
row again, in which any letter may stand as an escape."""


def longest_line(dimension: int, row: int) -> int:
    """Return how many bytes a line of results may have, whose row has so many itself."""
    return dimension * _PER_NUMBER + _BESIDES + row * _ESCAPED


class Collector:
    """The results of one job, row by row.

    Args:
        keys: The keys that its rows were sent with, in order.
        model: Whose vectors.
        dimension: How many numbers each vector has.
        used: How many of them are used.
        store: Keeps values under their keys.
        drop: Takes them away again.

    Attributes:
        prompt_tokens: As reported of the rows that have a vector.
        by_modality: Of what kind these are, as far as that is reported.
        unreported: How many of those came without a report.
        strange: How many rows there were that nobody asked for, or that cannot be read.
        unreadable: How many of these cannot be read.
        error: Why the first row that has no vector has none.
    """

    def __init__(
        self,
        keys: Sequence[str],
        *,
        model: Model,
        dimension: int,
        used: int,
        store: Store,
        drop: Drop,
    ) -> None:
        self._places = {key: place for place, key in enumerate(keys)}
        self._model = model
        self._dimension = dimension
        self._used = used
        self._store = store
        self._drop = drop
        self._kept = np.zeros(len(keys), np.bool_)
        self._came = np.zeros(len(keys), np.bool_)
        self._seen: dict[str, int] = {}  # a hash of the first vector of each
        self.prompt_tokens = self.unreported = self.strange = self.unreadable = 0
        self.by_modality: Counter[str] = Counter()
        self.error = ""

    @property
    def kept(self) -> int:
        """How many rows have their vector."""
        return int(np.count_nonzero(self._kept))

    @property
    def is_whole(self) -> bool:
        """Whether every line could be read, and each row came, with a vector or an error."""
        return bool(self._came.all()) and not self.unreadable

    @property
    def missing(self) -> tuple[int, ...]:
        """The rows that have none."""
        return tuple(np.flatnonzero(~self._kept).tolist())

    def take(self, rows: Sequence[RowAnswer]) -> None:
        """Take some rows, and keep those that are good.

        Raises:
            OSError: They cannot be kept.
        """
        known = [row for row in rows if self._is_known(row)]
        for start in range(0, len(known), AT_ONCE):
            self._keep(*self._checked(known[start : start + AT_ONCE]))

    def _is_known(self, row: RowAnswer) -> bool:
        """Tell whether a row has a vector of a text that was sent."""
        place = self._places.get(row.key or "")
        if place is None:
            self.strange += 1
            self.unreadable += row.key is None
            self._note(row.error or "it is of a text that was not sent")
            return False
        self._came[place] = True
        if row.values is None:
            self._note(row.error)
        return row.values is not None

    def _note(self, error: str) -> None:
        self.error = self.error or error

    def _checked(
        self, rows: Sequence[RowAnswer]
    ) -> tuple[Sequence[RowAnswer], NDArray[np.float32]]:
        """Return the rows whose vectors are what was asked for, and these."""
        try:
            return rows, self._block(rows)
        except BadResponseError:
            good = [row for row in rows if self._is_good(row)]
            return good, self._block(good)

    def _is_good(self, row: RowAnswer) -> bool:
        try:
            self._block([row])
        except BadResponseError as error:
            self._note(error.summary)
            return False
        return True

    def _block(self, rows: Sequence[RowAnswer]) -> NDArray[np.float32]:
        values: list[Any] = [self._of_length(row.values) for row in rows]
        return checked(values, count=len(rows), dimension=self._dimension, used=self._used)

    def _of_length(self, values: Any) -> Any:
        """Return numbers as they are, or what is asked for of a vector that came whole.

        A user of Vertex AI has seen batches of gemini-embedding-001 ignore the dimension. Recorded
        answers show that the beginning of the whole is what the service sends for less.
        """
        model = self._model
        is_whole = len(values) == model.dimension != self._dimension
        if not (is_whole and model.nested):
            return values
        whole = checked([values], count=1, dimension=model.dimension, used=self._dimension)
        return as_served(whole, self._dimension, model=model)[0]

    def _keep(self, rows: Sequence[RowAnswer], block: NDArray[np.float32]) -> None:
        """Keep what comes for the first time; of two different vectors for one text, none."""
        first: dict[str, int] = {}
        spoilt: set[str] = set()
        for i, row in enumerate(rows):
            key, vector = str(row.key), hash(block[i].tobytes())
            if key not in self._seen:
                self._seen[key], first[key] = vector, i
            elif self._seen[key] != vector:
                spoilt.add(key)
        if first:
            keys = list(first)
            self._store(list(zip(keys, sealed(keys, block[list(first.values())]), strict=True)))
        for key, i in first.items():
            self._kept[self._places[key]] = True
            self._count(rows[i])
        if spoilt:
            self._note("two different vectors came for one text")
            self._drop(sorted(spoilt))
            self._kept[[self._places[key] for key in spoilt]] = False

    def _count(self, row: RowAnswer) -> None:
        if row.tokens is None:
            self.unreported += 1
        else:
            self.prompt_tokens += row.tokens
            self.by_modality.update(row.by_modality)
