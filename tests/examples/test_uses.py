"""What people build with embeddings works with both frameworks, and its scores are no luck.

The bounds lie where guessing does not come in a lifetime: each test says what guessing gives, and
`beyond_luck` how far that spreads.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from examples import (
    chapters,
    classification,
    clustering,
    documentation,
    frameworks,
    rag,
    recommendation,
    service,
    siblings,
    similarity,
)
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

EXAMPLES = (rag, recommendation, classification, clustering, similarity)
BOTH = pytest.mark.parametrize("framework", frameworks.FRAMEWORKS)


@pytest.fixture(scope="module")
def semantic() -> Iterator[Standin]:
    """Return a stand-in that remembers: most texts are in several tests."""
    with Standin(model="minilm") as standin:
        yield standin


@pytest.fixture
def options(semantic: Standin) -> Mapping[str, Any]:
    return {"api_key": "any", "base_url": semantic.url}


def beyond_luck(chance: float, trials: int) -> float:
    """Return the share that guessing exceeds less than once in a million times."""
    return chance + 4.8 * math.sqrt(chance * (1 - chance) / trials)


@BOTH
def test_rag_finds_a_right_source(framework: str, options: Mapping[str, Any]) -> None:
    """Most questions find a right topic among three chunks, and each answer has its sources."""
    corpus = documentation.chunks()
    topics = [chunk.topic for chunk in corpus]
    shares = [
        sum(topics.count(topic) for topic in answers) / len(corpus)
        for answers in documentation.QUESTIONS.values()
    ]
    chance = float(np.mean([1 - (1 - share) ** rag.TOP for share in shares]))

    right = rag.run(rag.INDEXES[framework], corpus, options)

    assert right >= 0.6 > rag.NEEDED >= beyond_luck(chance, len(shares))


@BOTH
def test_rag_asks_queries_of_documents(framework: str, options: Mapping[str, Any]) -> None:
    """The sources come from what is indexed as documents, and the question is sent as a query."""
    with Standin(model="hash") as standin:
        ask = rag.INDEXES[framework](
            documentation.chunks()[:3], {**options, "base_url": standin.url}
        )
        answer = ask("What is an assertion?")
        sent = [text for exchange in standin.log for text in _texts(exchange.body)]

    assert [text.split("|")[0] for text in sent] == [*["title: none "] * 3, "task: search result "]
    assert len(answer.topics) == 3
    assert answer.text


def _texts(request: Any) -> list[str]:
    """Return what a request asks about."""
    return [one["content"]["parts"][0]["text"] for one in request["requests"]]


@BOTH
def test_recommendations_are_of_both_interests(framework: str, options: Mapping[str, Any]) -> None:
    """Readers get what they are about; with diversity more of them get something of both."""
    corpus = chapters.entries()
    recommend = recommendation.STORES[framework](corpus, options)

    nearest = recommendation.judge(recommend, corpus, 0.0)
    diverse = recommendation.judge(recommend, corpus, recommendation.DIVERSITY)

    # What one reader gets hangs together: each counts as one trial, not as eight.
    luck = beyond_luck(2 / len(chapters.CHAPTERS), len(recommendation.readers(corpus)) * 2)
    assert min(nearest.wanted, diverse.wanted) >= 0.7 > recommendation.NEEDED >= luck
    assert diverse.both >= 0.9 > nearest.both


@BOTH
def test_recommendations_are_new(framework: str, options: Mapping[str, Any]) -> None:
    """Nobody is told to read what they have read, or one thing twice."""
    corpus = chapters.entries()
    recommend = recommendation.STORES[framework](corpus, options)
    _, looked_up = recommendation.readers(corpus)[0]

    got = recommend(looked_up, recommendation.DIVERSITY)

    assert len(set(got)) == recommendation.RECOMMENDED
    assert set(got).isdisjoint(looked_up)


@BOTH
def test_classifiers_are_right_about_texts_they_have_not_seen(
    framework: str, options: Mapping[str, Any]
) -> None:
    """Both classifiers name the chapter of most texts of the part held out."""
    corpus = chapters.entries()
    known, asked = classification.split(corpus)
    assert {one.text for one in known}.isdisjoint(one.text for one in asked)

    scores = classification.run(frameworks.FRAMEWORKS[framework], corpus, options)

    luck = beyond_luck(1 / len(chapters.CHAPTERS), len(asked))
    assert min(scores.centroid, scores.regression) >= 0.7 > classification.NEEDED >= luck


@BOTH
def test_clusters_agree_with_the_chapters(
    framework: str, options: Mapping[str, Any], tmp_path: Path
) -> None:
    """K-means finds the chapters again far better than any shuffling of them does."""
    corpus = chapters.entries()
    clusters = clustering.run(frameworks.FRAMEWORKS[framework], corpus, options)
    picture = tmp_path / "clusters.png"

    clustering.draw(corpus, clusters, picture)

    labels = [entry.chapter for entry in corpus]
    shuffled = np.random.default_rng(0).permutation(labels).tolist()
    assert abs(clustering.agreement(shuffled, clusters.numbers)) < 0.05
    assert clusters.agreement >= 0.3 > clustering.NEEDED
    assert picture.read_bytes().startswith(b"\x89PNG")


@BOTH
def test_threshold_holds_for_pairs_it_was_not_chosen_on(
    framework: str, options: Mapping[str, Any]
) -> None:
    """The threshold of one half of the pairs tells paraphrases in the other."""
    corpus = siblings.pairs()

    scores = similarity.run(frameworks.FRAMEWORKS[framework], corpus, options)

    assert scores.right >= 0.72 > similarity.NEEDED >= beyond_luck(0.5, 160)


@BOTH
def test_duplicates_are_lost_with_the_wrong_task_type(
    framework: str, options: Mapping[str, Any]
) -> None:
    """A text equals its copy only where both were asked for in one way."""
    scores = similarity.run(frameworks.FRAMEWORKS[framework], siblings.pairs()[:40], options)

    assert (scores.duplicates, scores.duplicates_mixed) == (1.0, 0.0)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda module: module.__name__)
def test_example_tells_what_it_found(
    example: Any,
    semantic: Standin,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """Each example runs to its end, says whose vectors these are, and names both frameworks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(service, "Standin", lambda model: nullcontext(semantic))  # noqa: ARG005

    assert example.main() == 0

    printed = capsys.readouterr().out
    assert "NOT Google's" in printed
    assert all(f"\n{framework}" in printed for framework in frameworks.FRAMEWORKS)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda module: module.__name__)
def test_example_fails_with_vectors_without_meaning(
    example: Any, server: Standin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What chance gives is not enough for any of them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(service, "Standin", lambda model: nullcontext(server))  # noqa: ARG005

    assert example.main() == 1


def test_corpora_are_large_and_balanced() -> None:
    """A score over them means something: as many texts of each chapter, as many pairs of a kind."""
    corpus = chapters.entries()
    same = [pair.same for pair in siblings.pairs()]

    assert len({entry.text for entry in corpus}) == len(corpus) == len({e.name for e in corpus})
    assert len(corpus) == chapters.OF_EACH * len(chapters.CHAPTERS)
    assert len(same) >= 250
    assert 0.45 < np.mean(same) < 0.55
    assert len(documentation.chunks()) >= 200
