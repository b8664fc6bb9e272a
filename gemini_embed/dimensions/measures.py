"""How good rankings are, and how sure that is. Performs no I/O.

nDCG and recall are those of trec_eval, and so of `ir-measures`: a grade is the gain, the logarithm
of the rank the discount.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_SAMPLES = 1_000
"""Of the bootstrap."""

_SURE = (2.5, 97.5)
"""The percentiles between which 95 % of them lie."""

_EQUAL = 1e-6
"""By how much cosines may differ that are equal but for rounding."""


class Interval(NamedTuple):
    """The mean over the queries, and between which values 95 % of a bootstrap's means lie."""

    mean: float
    low: float
    high: float


class Bootstrap:
    """Draws samples of the queries, the same ones for all that is measured: hence paired."""

    def __init__(self, queries: int) -> None:
        """Draw them, by a fixed seed."""
        shares = np.full(queries, 1 / queries)
        drawn = np.random.default_rng(0).multinomial(queries, shares, size=_SAMPLES)
        self._times = drawn.astype(np.float64)

    def interval(self, values: NDArray[np.float64]) -> Interval:
        """Return the interval of the mean of a value per query."""
        # Divided last: values that are all 1 have exactly the mean 1.
        low, high = np.percentile(self._times @ values / len(values), _SURE)
        return Interval(float(values.mean()), float(low), float(high))


def agreement(full: NDArray[np.float32], best: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return for each query which share of its documents are among the best ones.

    What is as near as the last of these is as good, so equal documents make no difference.

    Args:
        full: The cosines at full dimension of the documents found.
        best: Those of the best ones.
    """
    near = full >= best.min(axis=1, keepdims=True) - _EQUAL
    shares: NDArray[np.float64] = near.mean(axis=1)
    return shares


class Labels:
    """Which documents answer which query, and how well."""

    def __init__(self, qrels: Sequence[Mapping[int, float]]) -> None:
        """Take for each query the grades of documents, by place; what is not above 0 is none."""
        self._grades = [
            {place: grade for place, grade in one.items() if grade > 0} for one in qrels
        ]

    def ndcg(self, places: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the nDCG of each ranking, cut where the rankings end."""
        k = places.shape[1]
        discounts = 1 / np.log2(np.arange(2, k + 2))
        ideal = np.zeros(places.shape)
        for row, grades in zip(ideal, self._grades, strict=True):
            best = sorted(grades.values(), reverse=True)[:k]
            row[: len(best)] = best
        reached: NDArray[np.float64] = (self._gains(places) @ discounts) / (ideal @ discounts)
        return reached

    def recall(self, places: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return for each query which share of its labelled documents are in its ranking."""
        labelled = np.array([len(grades) for grades in self._grades], np.float64)
        found: NDArray[np.float64] = (self._gains(places) > 0).sum(axis=1) / labelled
        return found

    def _gains(self, places: NDArray[np.intp]) -> NDArray[np.float64]:
        ranked = zip(places.tolist(), self._grades, strict=True)
        return np.array([[grades.get(place, 0.0) for place in row] for row, grades in ranked])
