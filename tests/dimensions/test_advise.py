"""The adviser says which dimension is enough for a corpus, and how sure that is."""

from __future__ import annotations

import importlib.util
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gemini_embed import ConfigurationError
from gemini_embed.dimensions import Advice, advise, plot

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

RANDOM = 17


def corpus(documents: int, m: int, dimension: int = 768) -> NDArray[np.float32]:
    """Return vectors that differ in their first `m` numbers, and hardly in the others."""
    random = np.random.default_rng(RANDOM)
    vectors = random.normal(size=(documents, dimension))
    vectors[:, m:] *= 1e-3
    return vectors.astype(np.float32)


def found(vectors: NDArray[np.float32], queries: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the documents of each query, nearest first, in the plainest way."""
    cosines = queries @ vectors.T / np.linalg.norm(vectors, axis=1)
    return np.argsort(-cosines, axis=1)


@pytest.mark.parametrize("m", [128, 256, 512, 1536])
def test_the_dimension_that_holds_the_information_is_advised(m: int) -> None:
    """What lies behind the first m numbers says nothing, so m are enough, and fewer are not."""
    advice = advise(corpus(250, m, 3072))

    assert advice.recommended.dimension == m
    assert advice.line.startswith(f"Take {m} dimensions as ")


def test_a_corpus_that_uses_all_its_numbers_keeps_them() -> None:
    """Nothing smaller is advised where something would be lost, and the advice says so."""
    advice = advise(np.random.default_rng(RANDOM).normal(size=(2000, 256)), target=1)

    assert advice.recommended == advice.rows[0]
    assert "Nothing smaller surely keeps 1" in advice.line


def test_lengths_make_no_difference() -> None:
    """Vectors that came back shorter than 1 are compared like all others: by their direction."""
    vectors = corpus(300, 128, 512)
    lengths = np.random.default_rng(1).uniform(0.1, 10, size=(300, 1))

    plain, scaled = advise(vectors, dims=[128, 256]), advise(vectors * lengths, dims=[128, 256])

    assert [row.agreement for row in scaled.rows] == [row.agreement for row in plain.rows]


def test_documents_of_every_block_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A corpus that is walked in many blocks gets the answer of one that is walked at once."""
    vectors = corpus(500, 256, 512)
    at_once = advise(vectors)
    monkeypatch.setattr("gemini_embed.dimensions.search._DOCUMENTS_AT_ONCE", 60)

    in_blocks = advise(vectors)

    for one, other in zip(in_blocks.rows, at_once.rows, strict=True):
        if one.storage != "binary":  # among equal distances there may be another choice
            assert one.agreement == pytest.approx(other.agreement, abs=2e-3)


def test_agreement_is_the_share_of_the_true_neighbours() -> None:
    """Recall@k against the full vectors is what a reader would count."""
    vectors, queries = corpus(200, 256, 256), corpus(20, 256, 256) + 0.5
    advice = advise(vectors, queries, dims=[64], k=5)

    full, short = found(vectors, queries)[:, :5], found(vectors[:, :64], queries[:, :64])[:, :5]
    shares = [len(set(one) & set(other)) / 5 for one, other in zip(full, short, strict=True)]
    (row,) = (row for row in advice.rows if row.is_plain and row.dimension == 64)
    assert row.agreement.mean == pytest.approx(np.mean(shares))
    assert row.agreement.low < row.agreement.mean < row.agreement.high


def test_equal_documents_are_equally_good() -> None:
    """A corpus in which texts repeat loses nothing by finding another copy."""
    vectors = np.repeat(corpus(40, 64, 128), 12, axis=0)

    advice = advise(vectors, dims=[64])

    assert {row.agreement.mean for row in advice.rows if row.is_plain} == {1.0}


def test_rescoring_finds_at_least_as_much() -> None:
    """Four times as many, put in order by the full vectors, are no worse than the first ones."""
    rows = {
        (row.dimension, row.storage, row.rescored): row.agreement.mean
        for row in advise(corpus(500, 512), dims=[128, 256]).rows
    }

    rescored = {way: mean for way, mean in rows.items() if way[2]}
    assert len(rescored) == 11  # all ways but the full vectors themselves
    assert all(
        mean >= rows[dimension, storage, False]
        for (dimension, storage, _), mean in rescored.items()
    )


def test_more_dimensions_and_finer_numbers_keep_more() -> None:
    """On vectors without any structure each way loses what it must, and no more."""
    vectors = np.random.default_rng(RANDOM).normal(size=(1000, 1024))
    kept = {
        (row.storage, row.dimension): row.agreement.mean
        for row in advise(vectors, dims=[128, 256, 512]).rows
        if not row.rescored
    }

    for storage in ("float32", "float16", "int8", "binary"):
        means = [kept[storage, dimension] for dimension in (128, 256, 512, 1024)]
        assert means == sorted(means)
    assert kept["float32", 1024] >= kept["float16", 1024] > kept["int8", 1024] > 0.9
    assert 0.1 < kept["binary", 1024] < 0.9


def test_what_a_million_takes_and_which_index_of_pgvector_has_room() -> None:
    """Its HNSW index takes 2,000 dimensions of vector, 4,000 of halfvec and 64,000 of bit."""
    rows = {
        (row.dimension, row.storage, row.rescored): row
        for row in advise(corpus(50, 128, 3072), dims=[100, 1536]).rows
    }

    types = {way[:2]: row.pgvector for way, row in rows.items()}
    assert types[3072, "float32"] is None
    assert types[1536, "float32"] == "vector"
    assert types[3072, "float16"] == "halfvec"
    assert types[3072, "binary"] == "bit"
    assert types[100, "int8"] is None
    sizes = {way[:2]: row.bytes_per_million for way, row in rows.items()}
    assert sizes[3072, "float32"] == 12_288_000_000
    assert sizes[1536, "float16"] == 3_072_000_000
    assert sizes[1536, "int8"] == 1_536_000_000
    assert sizes[100, "binary"] == 13_000_000
    assert rows[100, "binary", True].beside_per_million == 12_288_000_000


def labelled() -> tuple[NDArray[np.float32], NDArray[np.float32], list[dict[int, int]]]:
    """Return documents, queries near some of them, and grades, not all of which are found."""
    random = np.random.default_rng(RANDOM)
    vectors = corpus(400, 256, 512)
    queries = (vectors[:250] + corpus(650, 256, 512)[400:] * 2.5).astype(np.float32)
    grades = [{i: 3, **{int(j): int(j) % 3 for j in random.choice(400, 5)}} for i in range(250)]
    return vectors, queries, grades


def test_with_labels_quality_counts() -> None:
    """nDCG@k and recall@k are those of each ranking, and the changes are those to the full one."""
    vectors, queries, grades = labelled()
    advice = advise(vectors, queries, grades, dims=[64])

    for row in (row for row in advice.rows if row.is_plain):
        n = row.dimension
        ranked = found(vectors[:, :n], queries[:, :n])[:, :10]
        assert row.ndcg == pytest.approx(np.mean(list(map(ndcg, ranked.tolist(), grades))))
        assert row.recall == pytest.approx(np.mean(list(map(recall, ranked.tolist(), grades))))
    full = advice.rows[0]
    (small,) = (row for row in advice.rows if row.is_plain and row.dimension == 64)
    assert full.ndcg
    assert small.ndcg
    assert small.ndcg_change
    assert small.ndcg_change.mean == pytest.approx(small.ndcg - full.ndcg)
    assert small.ndcg_change.low < small.ndcg_change.mean < small.ndcg_change.high < 0
    assert small.kept.mean == pytest.approx(small.ndcg / full.ndcg)
    assert full.kept == (1, 1, 1)
    assert advice.recommended.dimension == 512


def ndcg(ranked: list[int], grades: dict[int, int]) -> float:
    ideal = sorted(grades.values(), reverse=True)[:10]
    return gain([grades.get(place, 0) for place in ranked]) / gain(ideal)


def gain(grades: list[int]) -> float:
    return sum(grade / math.log2(rank + 2) for rank, grade in enumerate(grades))


def recall(ranked: list[int], grades: dict[int, int]) -> float:
    relevant = {place for place, grade in grades.items() if grade > 0}
    return len(relevant.intersection(ranked)) / len(relevant)


def test_ndcg_and_recall_are_those_of_ir_measures() -> None:
    """Whoever evaluates with the usual tools sees the same numbers."""
    measures: Any = pytest.importorskip("ir_measures")
    vectors, queries, grades = labelled()
    advice = advise(vectors, queries, grades, dims=[64], k=10)

    qrels = {str(q): {str(d): grade for d, grade in one.items()} for q, one in enumerate(grades)}
    for row in (row for row in advice.rows if row.is_plain):
        n = row.dimension
        ranked = found(vectors[:, :n], queries[:, :n])[:, :100].tolist()
        run = {str(q): {str(d): -float(i) for i, d in enumerate(r)} for q, r in enumerate(ranked)}
        said = measures.calc_aggregate([measures.nDCG @ 10, measures.R @ 10], qrels, run)
        assert row.ndcg == pytest.approx(said[measures.nDCG @ 10])
        assert row.recall == pytest.approx(said[measures.R @ 10])


def test_queries_without_labels_are_left_out() -> None:
    """They would say nothing but pull every mean down."""
    vectors, queries, grades = labelled()
    some = [one if row < 210 else {0: 0} for row, one in enumerate(grades)]

    advice = advise(vectors, queries, some, dims=[64])

    assert advice.queries == 210
    assert advice.rows == advise(vectors, queries[:210], grades[:210], dims=[64]).rows


def test_weak_evidence_is_called_weak() -> None:
    """Few queries, few documents and stand-ins for queries are each named beside the advice."""
    advice = advise(corpus(60, 128, 256))

    assert len(advice.weak) == 3
    said = str(advice)
    assert "Weak evidence: 60 queries, and 200 say more." in said
    assert "Weak evidence: 60 documents, of which 10 are found easily." in said
    assert "documents stood for queries" in said


def test_a_wide_interval_is_called_weak() -> None:
    """Where queries differ much, the mean of a few of them is worth little."""
    vectors, queries, grades = labelled()
    advice = advise(vectors, queries[:12], grades[:12], dims=[64], target=0.3)

    assert advice.recommended.kept.high - advice.recommended.kept.low > 0.05
    assert any(reason.startswith("its interval is 0.") for reason in advice.weak)


def test_much_evidence_is_not_called_weak() -> None:
    """Enough real queries against enough documents need no excuse."""
    vectors = corpus(1200, 128, 256)
    advice = advise(vectors, corpus(1500, 128, 256)[1200:])

    assert advice.weak == ()
    assert "Weak" not in str(advice)


def test_the_table_has_a_line_for_each_row() -> None:
    """What a reader prints is all that is known, and the advice below it."""
    vectors, queries, grades = labelled()
    advice = advise(vectors, queries, grades, dims=[64])

    head, *lines = str(advice).split("\n\n")[0].splitlines()
    assert [line.split()[0] for line in lines] == [str(row.dimension) for row in advice.rows]
    assert "nDCG@10" in head
    assert str(advice).split("\n\n")[1].splitlines()[0] == advice.line


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"k": 0}, "k must be"),
        ({"k": 50}, "k=50: a query can find 1 to 49"),
        ({"target": 1.1}, "target=1.1"),
        ({"dims": [0]}, "dims must be"),
        ({"qrels": [{0: 1}]}, "qrels are the labels of queries"),
        ({"queries": np.ones((2, 100))}, "documents have 256 dimensions and the queries 100"),
        ({"queries": np.ones(256)}, "queries: rows of numbers are needed"),
        ({"queries": np.zeros((2, 256))}, "row 0 of queries"),
        ({"queries": np.full((2, 256), 1e300)}, "row 0 of queries"),
        ({"queries": np.ones((2, 256)), "qrels": [{0: 1}]}, "2 queries, and labels for 1"),
        ({"queries": np.ones((1, 256)), "qrels": [{50: 1}]}, "no document 50"),
        ({"queries": np.ones((1, 256)), "qrels": [{4: 0}]}, "no query has a document"),
    ],
)
def test_what_cannot_be_compared_is_refused(wrong: dict[str, Any], said: str) -> None:
    """No advice is made of numbers that mean something else."""
    with pytest.raises(ConfigurationError, match=said):
        advise(corpus(50, 128, 256), **wrong)


def test_labels_of_another_corpus_are_noticed() -> None:
    """Where the full vectors find nothing, no share of it can be kept."""
    vectors = corpus(400, 128, 256)
    far = found(vectors, vectors[:3])[:, -1].tolist()

    with pytest.raises(ConfigurationError, match="are the labels those of these documents"):
        advise(vectors, vectors[:3], [{place: 1} for place in far])


@pytest.fixture
def advice() -> Advice:
    return advise(corpus(100, 64, 128), dims=[64])


def test_an_advice_can_be_drawn(advice: Advice, tmp_path: Path) -> None:
    """The picture has the format that its name says."""
    pytest.importorskip("matplotlib")
    plot(advice, tmp_path / "advice.png")
    plot(advice, str(tmp_path / "advice.svg"))

    assert (tmp_path / "advice.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "advice.svg").read_text(encoding="utf-8")


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is not None, reason="it is there")
def test_without_matplotlib_the_extra_is_named(advice: Advice, tmp_path: Path) -> None:
    """Who has not installed it learns which extra brings it."""
    with pytest.raises(ConfigurationError, match="extra `plot`"):
        plot(advice, tmp_path / "advice.png")
