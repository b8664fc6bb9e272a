"""Advises which dimension is enough, from vectors at full dimension. Performs no I/O."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np

from gemini_embed.dimensions.advice import Advice, Row, weaknesses
from gemini_embed.dimensions.given import check_asked, check_searchable, checked, labels_of
from gemini_embed.dimensions.measures import Bootstrap, Interval, agreement
from gemini_embed.dimensions.search import Way, search
from gemini_embed.dimensions.storage import bytes_of, pgvector_type
from gemini_embed.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from gemini_embed.dimensions.measures import Labels
    from gemini_embed.dimensions.search import Nearest

DIMS = (128, 256, 512, 768, 1536, 3072)
"""Those that Google names, and their like."""

_RESCORED = 4
"""Times k: how many documents are rescored."""

_STAND_INS = 1_000
"""Documents that stand for queries, at most."""


def advise(  # noqa: PLR0917 - read as a sentence: these vectors, with these queries and labels
    vectors: ArrayLike,
    queries: ArrayLike | None = None,
    qrels: Sequence[Mapping[int, float]] | None = None,
    dims: Sequence[int] = DIMS,
    k: int = 10,
    target: float = 0.98,
) -> Advice:
    """Return which dimension is enough for these documents, and what each one costs and keeps.

    The beginning of a vector of full dimension is the vector of a smaller one, so that one pass
    over a corpus tells of all. Vectors need not have length 1: they are compared by their cosine.

    Args:
        vectors: Of the documents at full dimension, shape (documents, dimension).
        queries: Of queries, at the same dimension. Without them up to 1,000 of the documents, by a
            fixed seed, look for their neighbours.
        qrels: For each query its labels: the places of documents among `vectors`, and how well each
            of them answers it, above 0. Queries without any are left out.
        dims: Which dimensions to try; those above that of the vectors are left out, that of the
            vectors comes first.
        k: How many documents a query finds.
        target: Which share must be kept: of nDCG@k with labels, of the k nearest documents without.
            What counts is the lower end of the interval.

    Raises:
        ConfigurationError: These cannot be compared; says why.
    """
    documents = checked("vectors", vectors)
    k = check_asked(len(documents), k, target=target, dims=dims, own=queries is None)
    full = documents.shape[1]
    tried = [full, *sorted({int(n) for n in dims if n < full}, reverse=True)]
    own = _stand_ins(len(documents)) if queries is None else None
    asking = documents[own] if queries is None else checked("queries", queries)
    labels = None
    if qrels is not None:
        if queries is None:
            raise ConfigurationError("qrels are the labels of queries: give these, too")
        labels, judged = labels_of(qrels, queries=len(asking), documents=len(documents))
        asking = asking[judged]
    check_searchable(documents, asking, least=min(tried))
    count = min(_RESCORED * k, len(documents) - (own is not None))
    found = search(documents, asking, tried, count=count, own=own)
    rows = _rows(found, labels, k=k, full=full)
    recommended, smallest = _recommended(rows, target)
    weak = weaknesses(len(asking), len(documents), k, recommended, stand_ins=own is not None)
    return Advice(rows, recommended, smallest, weak, k, target, len(asking), len(documents))


def _stand_ins(documents: int) -> NDArray[np.intp]:
    """Return which documents stand for queries."""
    drawn = np.random.default_rng(0).permutation(documents)[:_STAND_INS]
    return np.sort(drawn)


def _rows(
    found: dict[Way, Nearest], labels: Labels | None, *, k: int, full: int
) -> tuple[Row, ...]:
    best = found[Way(full, "float32")].first(k)
    sample = Bootstrap(len(best.places))
    rows = []
    for way, nearest in found.items():
        rows.append(_row(way, nearest.first(k), best, labels, sample))
        if way != (full, "float32"):  # which has the order of the full vectors already
            again = _row(way, nearest.by(nearest.full).first(k), best, labels, sample)
            beside = bytes_of("float32", full)
            rows.append(replace(again, rescored=True, beside_per_million=beside))
    return tuple(rows)


def _row(way: Way, ranked: Nearest, best: Nearest, labels: Labels | None, sample: Bootstrap) -> Row:
    agreed = sample.interval(agreement(ranked.full, best.full))
    row = Row(
        dimension=way.dimension,
        storage=way.storage,
        rescored=False,
        agreement=agreed,
        kept=agreed,
        bytes_per_million=bytes_of(way.storage, way.dimension),
        pgvector=pgvector_type(way.storage, way.dimension),
    )
    if labels is None:
        return row
    ndcg, most = labels.ndcg(ranked.places), labels.ndcg(best.places)
    recall = labels.recall(ranked.places)
    change = sample.interval(ndcg - most)
    return replace(
        row,
        ndcg=float(ndcg.mean()),
        ndcg_change=change,
        recall=float(recall.mean()),
        recall_change=sample.interval(recall - labels.recall(best.places)),
        kept=_share(change, float(most.mean())),
    )


def _share(change: Interval, full: float) -> Interval:
    """Return which share is kept, where the full vectors reach so much."""
    if not full:
        raise ConfigurationError(
            "the full vectors find no labelled document: are the labels those of these documents?"
        )
    return Interval(*(1 + value / full for value in change))


def _recommended(rows: Sequence[Row], target: float) -> tuple[Row, Row]:
    """Return the row to recommend, and the one with the fewest bytes to search."""
    enough = [row for row in rows if row.kept.low >= target]  # the full vectors always
    dimension = min(row.dimension for row in enough if row.is_plain)
    at_it = [row for row in enough if row.dimension == dimension and not row.rescored]
    size = attrgetter("bytes_per_million")
    return min(at_it, key=size), min(enough, key=size)
