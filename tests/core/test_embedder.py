"""One embedder from end to end, against the stand-in on loopback: each text gets its own vector."""

from __future__ import annotations

import asyncio
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers import joined, sent_texts, vectors_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gemini_embed import GeminiEmbedder, InvalidInputError
from gemini_embed.service import transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin import FaultKind, Standin

    Maker = Callable[..., GeminiEmbedder]


TEXTS = [f"text number {i}" for i in range(250)]


def test_every_text_of_gemini_embedding_2_gets_its_own_vector(
    server: Standin, embedder: Maker
) -> None:
    """250 documents make three requests with the prefix and no field, and come back in order."""
    result = embedder().embed(TEXTS, role="document")

    as_sent = [f"title: none | text: {text}" for text in TEXTS]
    assert (result.vectors == vectors_of(server, as_sent, model="gemini-embedding-2")).all()
    assert result.usage.requests == 3
    assert sorted(joined(sent_texts(server))) == sorted(as_sent)
    assert {exchange.path.partition("/models/")[2] for exchange in server.log} == {
        "gemini-embedding-2:batchEmbedContents"
    }
    assert not any("taskType" in request for e in server.log for request in e.body["requests"])


async def test_the_async_twin_gives_the_same(server: Standin, embedder: Maker) -> None:
    """`aembed` sends the same requests and returns the same vectors."""
    made = embedder(model="gemini-embedding-001")

    asynchronous = await made.aembed(TEXTS, role="document")
    synchronous = made.embed(TEXTS, role="document")

    right = vectors_of(server, TEXTS, task_type="RETRIEVAL_DOCUMENT", model="gemini-embedding-001")
    assert (asynchronous.vectors == right).all()
    assert (synchronous.vectors == right).all()


@pytest.mark.parametrize("model", ["gemini-embedding-001", "gemini-embedding-2"])
def test_smaller_vectors_have_length_one(model: str, server: Standin, embedder: Maker) -> None:
    """At 768 dimensions every vector is of unit length, whoever normalises it."""
    vectors = embedder(model=model, output_dimensionality=768).embed(TEXTS, role="query").vectors

    assert vectors.shape == (250, 768)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert all(r["outputDimensionality"] == 768 for e in server.log for r in e.body["requests"])


def test_normalize_false_returns_what_the_service_sent(server: Standin, embedder: Maker) -> None:
    """An index built on bare prefixes of gemini-embedding-001 can be added to."""
    made = embedder(model="gemini-embedding-001", output_dimensionality=768, normalize=False)

    vectors = made.embed(["a"], role="document").vectors

    sent = vectors_of(
        server, ["a"], task_type="RETRIEVAL_DOCUMENT", model="gemini-embedding-001", dimension=768
    )
    assert (vectors == sent).all()
    assert np.linalg.norm(vectors) < 0.95


def test_titles_are_fields_or_prefixes(server: Standin, embedder: Maker) -> None:
    """Each document's own title reaches either model, and stays with its own text."""
    titles = ["Red", None, "Blue", "Red"]
    two = embedder().embed(["a", "b", "c", "d"], role="document", titles=titles)
    server_two = sent_texts(server)
    one = embedder(model="gemini-embedding-001").embed(
        ["a", "b", "c", "d"], role="document", titles=titles
    )

    assert server_two == [
        [f"title: {t or 'none'} | text: {x}" for x, t in zip("abcd", titles, strict=True)]
    ]
    requests = server.log[1].body["requests"]
    assert [(r["content"]["parts"][0]["text"], r.get("title")) for r in requests] == [
        ("a", "Red"),
        ("b", None),
        ("c", "Blue"),
        ("d", "Red"),
    ]
    assert len(server.log) == 2
    assert (two.vectors == vectors_of(server, server_two[0], model="gemini-embedding-2")).all()
    assert len({vector.tobytes() for vector in one.vectors}) == 4


def test_a_title_where_none_belongs_is_ignored_aloud(server: Standin, embedder: Maker) -> None:
    """A title on a query would be a 400; it is left out, with a warning."""
    with pytest.warns(UserWarning, match="titles are ignored: RETRIEVAL_QUERY"):
        embedder(model="gemini-embedding-001").embed(["a"], role="query", titles=["T"])

    assert "title" not in server.log[0].body["requests"][0]


def test_nothing_is_sent_for_nothing(server: Standin, embedder: Maker) -> None:
    """An empty list costs no request."""
    assert embedder().embed([], role="document").vectors.shape == (0, 3072)
    assert server.log == []


def test_a_bad_text_is_told_before_anything_is_sent(server: Standin, embedder: Maker) -> None:
    """One blank text among thousands costs nothing, and the error says which."""
    texts = [f"text {i}" for i in range(3000)]
    texts[2100] = "  "

    with pytest.raises(InvalidInputError, match="text 2100 is blank") as caught:
        embedder().embed(texts, role="document")

    assert caught.value.index == 2100
    assert server.log == []


def test_blank_texts_can_be_placeholders(server: Standin, embedder: Maker) -> None:
    """A blank page gets the vector of the documented text, the same each time."""
    vectors = embedder(on_blank="placeholder").embed(["", "a", " "], role="document").vectors

    assert (vectors[0] == vectors[2]).all()
    assert sent_texts(server) == [["title: none | text: (blank)", "title: none | text: a"]]


def test_a_text_of_a_megabyte_passes_through(server: Standin, embedder: Maker) -> None:
    """Unless `on_long` says otherwise, long texts are the service's business: we warn."""
    long = "long text " * 100_000

    with pytest.warns(UserWarning, match="too long: text 0"):
        embedder(task_prefix=False).embed([long], role="document")

    assert sent_texts(server) == [[long]]


def test_batches_are_clamped_to_the_services_limit(server: Standin, embedder: Maker) -> None:
    """101 texts in one request would be a 400; asking for more sends 100."""
    embedder(batch_size=1000).embed(TEXTS, role="document")

    assert sorted(len(texts) for texts in sent_texts(server)) == [50, 100, 100]


def test_calls_are_concurrent_up_to_the_limit(server: Standin, embedder: Maker) -> None:
    """`max_concurrency` requests are under way at once, and never more."""
    server.latency = 0.05
    made = embedder(batch_size=10, max_concurrency=3)

    made.embed(TEXTS[:120], role="document")

    starts = sorted(exchange.at for exchange in server.log)
    waves = [sum(abs(start - other) < 0.025 for other in starts) for start in starts]
    assert max(waves) == 3


def test_a_ready_client_is_used_as_it_is(server: Standin) -> None:
    """A caller's own SDK client serves, stays open, and makes pickling fail clearly."""
    from google import genai  # noqa: PLC0415 - the one test that needs the SDK itself

    client = genai.Client(api_key="mine", http_options={"base_url": server.url})
    made = GeminiEmbedder(client=client)

    made.embed(["a"], role="query")

    assert server.log[0].headers["x-goog-api-key"] == "mine"
    with pytest.raises(TypeError, match="client="):
        pickle.dumps(made)
    client.close()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text(st.characters(codec="utf-8"), min_size=1), max_size=30),
    size=st.integers(1, 7),
    faults=st.lists(
        st.sampled_from([None, "503", "short", "nan", "reset", "half", "html", "not-json"]),
        max_size=20,
    ),
)
def test_whatever_happens_each_vector_belongs_to_its_text(
    texts: list[str], size: int, faults: list[FaultKind | None], server: Standin, embedder: Maker
) -> None:
    """Any texts, any failures in between, any order of completion: the right vectors, in order."""
    server.script.clear()
    server.script.extend(faults)
    made = embedder(batch_size=size, max_retries=25, on_blank="placeholder", task_prefix=False)

    vectors = made.embed(texts, role="document").vectors

    as_sent = [text if text.strip() else "(blank)" for text in texts]
    right = vectors_of(server, as_sent, model="gemini-embedding-2").reshape(len(texts), 3072)
    assert (vectors == right).all()


def test_an_empty_list_needs_no_key(server: Standin) -> None:
    """Nothing is sent, so nothing is needed."""
    assert GeminiEmbedder(base_url=server.url).embed([], role="query").vectors.shape == (0, 3072)


async def test_a_thousand_queries_at_once(server: Standin, embedder: Maker) -> None:
    """Each gets its own vector, eight at a time."""
    made = embedder(output_dimensionality=128)

    results = await asyncio.gather(*(made.aembed([f"q {i}"], role="query") for i in range(1000)))

    as_sent = [f"task: search result | query: q {i}" for i in range(1000)]
    right = vectors_of(server, as_sent, model="gemini-embedding-2", dimension=128)
    assert (np.vstack([result.vectors for result in results]) == right).all()


@pytest.mark.parametrize("options", [{}, {"client_args": {"http2": False}}], ids=["", "httpx"])
def test_closing_costs_no_call_that_is_under_way(
    server: Standin, embedder: Maker, options: dict[str, Any]
) -> None:
    """It ends as it would have; its connections close then, and a later call opens new ones."""
    made = embedder(batch_size=10, max_concurrency=2, **options)
    engines: list[Any] = []

    async def close() -> None:
        engines.append(made._engine)
        await made.aclose()

    vectors = made.embed(TEXTS[:60], role="document", rate_limiter=close).vectors

    assert len(sent_texts(server)) == 6
    assert made._engine is None
    assert engines[0]._transport._connection not in transport._open
    assert (made.embed(TEXTS[:60], role="document").vectors == vectors).all()
