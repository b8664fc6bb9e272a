"""The vectors of texts that were split: the weighted mean of those of their pieces. No I/O.

Each piece's vector is taken as the caller would get it, were the piece a text of its own: cut to
the dimension, and of the length, that is wanted. So what is found here can be found by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gemini_embed.errors import BadResponseError
from gemini_embed.vectors import sound, unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


class _Mean:
    """The mean of the vectors of some pieces, which come one by one."""

    def __init__(self, pieces: int) -> None:
        self.left = pieces
        self._weight = 0.0
        self._sum: NDArray[np.float64] | float = 0.0  # a sum of float32 would lose digits

    def add(self, vector: NDArray[np.float32], weight: float) -> None:
        self.left -= 1
        self._weight += weight
        self._sum = self._sum + weight * vector.astype(np.float64)

    @property
    def vector(self) -> NDArray[np.float64]:
        return np.asarray(self._sum) / self._weight


class Means:
    """The means of one call that are not whole yet.

    Args:
        pieces: For each place whose text was split, in how many pieces.
        normalize: Whether a mean is brought to unit length.
    """

    def __init__(self, pieces: Mapping[int, int], *, normalize: bool) -> None:
        self._open = {place: _Mean(count) for place, count in pieces.items()}
        self._normalize = normalize

    def take(
        self,
        positions: Sequence[Sequence[int]],
        block: NDArray[np.float32],
        weights: Sequence[float],
    ) -> tuple[list[Sequence[int]], NDArray[np.float32]]:
        """Take vectors; return those that belong somewhere now: of whole texts, and means.

        Raises:
            BadResponseError: The pieces of a text have opposite vectors: there is no mean.
        """
        found: list[Sequence[int]] = []
        means: dict[int, NDArray[np.float32]] = {}
        for places, vector, weight in zip(positions, block, weights, strict=True):
            found.append([place for place in places if place not in self._open])
            for place in places:
                if (mean := self._open.get(place)) is not None:
                    mean.add(vector, weight)
                    if not mean.left:
                        means[place] = self._settled(place)
        if not means:
            return found, block
        return [*found, *((place,) for place in means)], np.vstack([block, *means.values()])

    def _settled(self, place: int) -> NDArray[np.float32]:
        row = self._open.pop(place).vector[np.newaxis]
        if not sound(row).all():
            raise BadResponseError("the vectors of its pieces have no mean", indexes=(place,))
        return unit(row) if self._normalize else row.astype(np.float32)
