"""The embedder against the stand-in, over loopback and the real SDK."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import importlib.metadata
import pickle
import traceback
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers import joined, sent_texts, vectors_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gemini_embed import (
    AuthenticationError,
    BadResponseError,
    ConfigurationError,
    GeminiEmbedder,
    InvalidInputError,
    ModelRetiredError,
    NoVectorError,
    RequestError,
    ServiceUnavailableError,
    __version__,
    transport,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gemini_embed.standin import FaultKind, Standin

    Maker = Callable[..., GeminiEmbedder]

TEXTS = [f"text number {i}" for i in range(250)]


def test_every_text_of_gemini_embedding_2_gets_its_own_vector(
    server: Standin, embedder: Maker
) -> None:
    """250 documents make three requests with the prefix and no field, and come back in order."""
    result = embedder().embed(TEXTS, role="document")

    wires = [f"title: none | text: {text}" for text in TEXTS]
    assert (result.vectors == vectors_of(server, wires, model="gemini-embedding-2")).all()
    assert result.usage.requests == 3
    assert sorted(joined(sent_texts(server))) == sorted(wires)
    assert {exchange.path.partition("/models/")[2] for exchange in server.log} == {
        "gemini-embedding-2:batchEmbedContents"
    }
    assert not any("taskType" in request for e in server.log for request in e.body["requests"])


async def test_the_async_twin_gives_the_same(server: Standin, embedder: Maker) -> None:
    """`aembed` sends the same requests and returns the same vectors."""
    made = embedder(model="gemini-embedding-001")

    asynchronous = await made.aembed(TEXTS, role="document")
    synchronous = made.embed(TEXTS, role="document")

    wires = vectors_of(server, TEXTS, task_type="RETRIEVAL_DOCUMENT", model="gemini-embedding-001")
    assert (asynchronous.vectors == wires).all()
    assert (synchronous.vectors == wires).all()


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
    """Long texts are the service's business, not a limit of ours."""
    long = "long text " * 100_000

    embedder(task_prefix=False).embed([long], role="document")

    assert sent_texts(server) == [[long]]


@pytest.mark.parametrize("fault", ["short", "empty", "nan", "wrong-dimension", "not-json", "half"])
def test_a_wrong_answer_is_asked_again(fault: FaultKind, server: Standin, embedder: Maker) -> None:
    """A response one vector short, empty, not finite or misshapen is never a result."""
    server.script.append(fault)

    result = embedder().embed(["a", "b"], role="document")

    wires = ["title: none | text: a", "title: none | text: b"]
    assert (result.vectors == vectors_of(server, wires, model="gemini-embedding-2")).all()
    assert sent_texts(server) == [wires, wires]
    assert result.usage.requests == 2


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("count", [1, 3, 250])
def test_a_text_that_gets_no_vector_is_named(
    server: Standin, embedder: Maker, count: int, *, fast: bool
) -> None:
    """Its neighbours have theirs, and nothing is asked again."""
    server.script.append("no-values")  # the last of a request
    made = embedder(fast_decode=fast, max_concurrency=1, task_prefix=False)

    with pytest.raises(NoVectorError, match="no vector") as caught:
        made.embed(TEXTS[:count], role="document")

    last = min(count, 100) - 1
    assert caught.value.indexes == (last,)
    assert (f"(text {last})" in str(caught.value)) == (count > 1)
    assert sorted(caught.value.partial) == [i for i in range(count) if i != last]
    right = vectors_of(server, TEXTS[:count], model="gemini-embedding-2")
    assert all((vector == right[i]).all() for i, vector in caught.value.partial.items())
    assert len(server.log) == -(-count // 100)


def test_all_texts_without_a_vector_are_named(
    server: Standin, embedder: Maker, tmp_path: Path
) -> None:
    """One error for all of them, after the others are finished and kept."""
    server.script.extend(["no-values", None, "no-values"])
    made = embedder(max_concurrency=1, cache=tmp_path / "vectors.sqlite3")

    with pytest.raises(NoVectorError, match="rejected in all: texts 99, 249") as caught:
        made.embed(TEXTS, role="document")

    assert caught.value.indexes == (99, 249)
    assert len(caught.value.partial) == 248
    made.embed(TEXTS, role="document")
    assert len(sent_texts(server)[-1]) == 2
    made.close()


@pytest.mark.parametrize("fault", ["short", "empty", "nan", "wrong-dimension", "not-json"])
def test_a_wrong_answer_that_stays_wrong_is_an_error(
    fault: FaultKind, server: Standin, embedder: Maker
) -> None:
    """After the last attempt the caller gets a named error, not a vector."""
    server.script.extend((fault,) * 3)

    with pytest.raises(BadResponseError, match="tried 3 times") as caught:
        embedder(max_retries=2).embed(["a", "b"], role="document")

    assert caught.value.indexes == (0, 1)
    assert len(server.log) == 3


@pytest.mark.parametrize("fault", ["503", "500", "html", "reset", "half"])
def test_a_service_that_stays_down_is_an_error(
    fault: FaultKind, server: Standin, embedder: Maker
) -> None:
    """5xx, HTML from a gateway and broken connections end in one named error, with the cause."""
    server.script.extend((fault,) * 3)

    with pytest.raises(ServiceUnavailableError) as caught:
        embedder(max_retries=2).embed(["a"], role="document")

    assert caught.value.__cause__ is not None
    assert len(server.log) == 3


def test_a_hung_server_ends_in_time(server: Standin, embedder: Maker) -> None:
    """`timeout` bounds one attempt as a whole."""
    server.script.extend(["hang", "hang"])

    with pytest.raises(ServiceUnavailableError, match=r"no answer within 0\.1 s"):
        embedder(timeout=0.1, max_retries=1).embed(["a"], role="document")

    server.release()


def test_what_was_finished_is_kept(server: Standin, embedder: Maker) -> None:
    """An error carries the vectors that were paid for, by position."""
    server.script.extend([None, None, (402, {"error": {"message": "no", "status": "X"}}, {})])

    with pytest.raises(RequestError, match="402 X: no") as caught:
        embedder(max_concurrency=1).embed(TEXTS, role="document")

    assert sorted(caught.value.partial) == list(range(200))
    wire = f"title: none | text: {TEXTS[150]}"
    assert (
        caught.value.partial[150] == vectors_of(server, [wire], model="gemini-embedding-2")
    ).all()
    assert caught.value.indexes == tuple(range(200, 250))


def test_a_permanent_error_costs_one_request(server: Standin, embedder: Maker) -> None:
    """A bad key is not tried seven times; the error names no key."""
    made = embedder(api_key="invalid-key")

    with pytest.raises(AuthenticationError, match="the api_key argument") as caught:
        made.embed(["a"], role="query")

    assert len(server.log) == 1
    assert "invalid-key" not in "".join(traceback.format_exception(caught.value))


def test_a_key_that_google_quotes_is_not_shown(server: Standin, embedder: Maker) -> None:
    """Google names the key when it is suspended; neither our error nor its cause does."""
    key = pickle.__name__ + "-key"  # written nowhere in the lines that a traceback shows
    message = f"Consumer 'api_key:{key}' has been suspended."
    details = [{"reason": "CONSUMER_SUSPENDED", "metadata": {"consumer": f"api_key:{key}"}}]
    error = {"message": message, "status": "PERMISSION_DENIED", "details": details}
    server.script.append((403, {"error": error}, {}))

    with pytest.raises(AuthenticationError, match="has been suspended") as caught:
        embedder(api_key=key).embed(["a"], role="query")

    assert key not in "".join(traceback.format_exception(caught.value))


def test_the_retired_model_names_its_successor(embedder: Maker) -> None:
    """The model this project began from fails with what to do about it."""
    with pytest.warns(UserWarning, match="shut gemini-embedding-exp-03-07 down"):
        made = embedder(model="gemini-embedding-exp-03-07")

    with pytest.raises(ModelRetiredError, match="Move to gemini-embedding-001"):
        made.embed(["a"], role="query")


def test_no_key_is_told_at_the_first_call(server: Standin) -> None:
    """Building needs no key; calling without one names the variables that were looked at."""
    made = GeminiEmbedder(base_url=server.url)

    with pytest.raises(ConfigurationError, match="GOOGLE_API_KEY or GEMINI_API_KEY"):
        made.embed(["a"], role="query")


@pytest.mark.parametrize(
    ("environment", "used"),
    [
        ({"GOOGLE_API_KEY": "g", "GEMINI_API_KEY": "m"}, "g"),
        ({"GOOGLE_API_KEY": "", "GEMINI_API_KEY": " m\n"}, "m"),
        ({"GEMINI_API_KEY": "m"}, "m"),
    ],
)
def test_the_key_comes_from_the_environment(
    environment: dict[str, str], used: str, server: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GOOGLE_API_KEY, then GEMINI_API_KEY; empty counts as unset; even when set late."""
    made = GeminiEmbedder(base_url=server.url)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    made.embed(["a"], role="query")

    assert server.log[0].headers["x-goog-api-key"] == used


def test_options_reach_the_wire(server: Standin, embedder: Maker) -> None:
    """Headers and API version leave as asked."""
    made = embedder(additional_headers={"x-team": "search"}, api_version="v1beta")

    made.embed(["a"], role="query")

    assert server.log[0].headers["x-team"] == "search"
    assert server.log[0].path.startswith("/v1beta/")


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0},
        {"max_concurrency": 0},
        {"max_concurrency": 2.5},
        {"max_retries": -1},
        {"max_retries": 1.5},
        {"timeout": 0},
        {"normalize": "yes"},
        {"on_blank": "skip"},
        {"base_url": "localhost:8000"},
        {"retry_min_seconds": 9, "retry_max_seconds": 1},
        {"task_type": "SEARCH"},
        {"output_dimensionality": 4096},
        {"model": "text-embedding-3-small"},
    ],
)
def test_options_that_cannot_work_are_refused_when_built(wrong: dict[str, Any]) -> None:
    """A mistake is told where it is made, before any request."""
    with pytest.raises(ConfigurationError):
        GeminiEmbedder(**wrong)


@pytest.mark.parametrize("wrong", [{"role": "passage"}, {"role": "query", "batch_size": 0}])
def test_options_of_a_call_are_checked(wrong: dict[str, Any], embedder: Maker) -> None:
    """The same holds for a call."""
    with pytest.raises(ConfigurationError):
        embedder().embed(["a"], **wrong)


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


def test_it_pickles_with_its_options_only(server: Standin, embedder: Maker) -> None:
    """Before and after first use, an embedder crosses processes and keeps its options."""
    made = embedder(output_dimensionality=768, additional_headers={"x-team": "search"})
    before = made.embed(["a"], role="query").vectors

    for other in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made), copy.copy(made)):  # noqa: S301 - our own bytes
        assert (other.embed(["a"], role="query").vectors == before).all()
    assert server.log[-1].headers["x-team"] == "search"


def test_copies_and_pickles_share_a_limit(embedder: Maker) -> None:
    """A hundred a minute stay a hundred, however often what holds them is copied."""
    for options in ({"requests_per_minute": 100}, {}):
        made = embedder(**options)
        pickled = pickle.loads(pickle.dumps(made))  # noqa: S301 - our own bytes

        for one in (copy.copy(made), copy.deepcopy(made), pickled, copy.copy(pickled)):
            assert one._quota is made._quota
        assert embedder(**options)._quota is not made._quota


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


def test_nothing_shows_the_key(embedder: Maker) -> None:
    """Neither repr nor the attributes print a key or a header's value."""
    made = embedder(api_key="s3cret", additional_headers={"authorization": "t0ken"})

    shown = f"{made!r} {made} {vars(made)}"

    assert "s3cret" not in shown
    assert "t0ken" not in shown


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
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

    wires = [text if text.strip() else "(blank)" for text in texts]
    right = vectors_of(server, wires, model="gemini-embedding-2").reshape(len(texts), 3072)
    assert (vectors == right).all()


def test_an_embedder_stays_what_it_is(embedder: Maker) -> None:
    """Options cannot be changed half-way, so that vectors are never taken for another model's."""
    made = embedder()

    with pytest.raises(AttributeError, match=r"dataclasses\.replace"):
        made.model = "gemini-embedding-001"
    assert dataclasses.replace(made, model="gemini-embedding-001").model == "gemini-embedding-001"


@pytest.mark.parametrize("wrong", ["AIza\u200bSECRET", "AIza\nSECRET", "AIza\x00SECRET"])
def test_a_key_that_cannot_be_sent_is_told_without_showing_it(wrong: str) -> None:
    """What slips in when a key is copied is found before it fails somewhere deep."""
    given: list[dict[str, Any]] = [
        {"api_key": wrong},
        {"api_key": "k", "additional_headers": {"x": wrong}},
    ]
    for options in given:
        with pytest.raises(
            ConfigurationError, match="characters that a header cannot hold"
        ) as caught:
            GeminiEmbedder(**options)
        assert "SECRET" not in str(caught.value)


def test_secrets_of_headers_and_clients_are_not_shown_either(server: Standin) -> None:
    """A gateway that echoes a header, or a client's own key, does not put it into an error."""
    from google import genai  # noqa: PLC0415 - needed here only

    secret = pickle.__name__ + "-secret"  # written nowhere in the lines that a traceback shows
    body = {"error": {"message": f"not for {secret}", "status": "PERMISSION_DENIED"}}
    client = genai.Client(api_key=secret, http_options={"base_url": server.url})
    for made in (
        GeminiEmbedder(api_key="k", base_url=server.url, additional_headers={"x-auth": secret}),
        GeminiEmbedder(client=client),
    ):
        server.script.append((403, body, {}))
        with pytest.raises(AuthenticationError, match=r"not for \[secret\]") as caught:
            made.embed(["a"], role="query")
        assert secret not in "".join(traceback.format_exception(caught.value))
    client.close()


def test_a_deadline_counts_from_the_call(server: Standin, embedder: Maker) -> None:
    """The time that loading the SDK takes is part of it; the unfinished texts are named."""
    server.script.append("hang")

    with pytest.raises(ServiceUnavailableError, match="deadline") as caught:
        embedder(deadline=0.2).embed(["a", "b"], role="query")

    assert caught.value.indexes == (0, 1)
    server.release()


def test_an_empty_list_needs_no_key(server: Standin) -> None:
    """Nothing is sent, so nothing is needed."""
    assert GeminiEmbedder(base_url=server.url).embed([], role="query").vectors.shape == (0, 3072)


def test_a_hook_that_exits_does_not_hang(server: Standin, embedder: Maker) -> None:
    """`sys.exit()` in a hook ends the caller, not the I/O thread."""
    server.script.append("503")

    def leave(_: object) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        embedder(on_retry=leave).embed(["a"], role="query")
    assert embedder().embed(["a"], role="query").vectors.shape == (1, 3072)


@pytest.mark.parametrize(
    "wrong",
    [
        {"retry_exponential_base": 0.5},
        {"retry_exponential_base": "2"},
        {"timeout": float("inf")},
        {"timeout": "5"},
        {"on_retry": "print"},
        {"api_key": 5},
        {"normalize": []},
        {"requests_per_minute": 0.5},
    ],
)
def test_options_of_a_wrong_kind_are_told_when_built(wrong: dict[str, Any]) -> None:
    """Not at the first failure, and never by a hang."""
    with pytest.raises(ConfigurationError):
        GeminiEmbedder(**wrong)


async def test_a_thousand_queries_at_once(server: Standin, embedder: Maker) -> None:
    """Each gets its own vector, eight at a time."""
    made = embedder(output_dimensionality=128)

    results = await asyncio.gather(*(made.aembed([f"q {i}"], role="query") for i in range(1000)))

    wires = [f"task: search result | query: q {i}" for i in range(1000)]
    right = vectors_of(server, wires, model="gemini-embedding-2", dimension=128)
    assert (np.vstack([result.vectors for result in results]) == right).all()


@pytest.mark.parametrize("options", [{}, {"client_args": {"http2": False}}], ids=["", "httpx"])
def test_the_service_is_told_who_asks(
    server: Standin, embedder: Maker, options: dict[str, Any]
) -> None:
    """Google sees us and our version beside its SDK, as it sees the official classes."""
    embedder(**options).embed(["a text"], role="query")

    for name in ("x-goog-api-client", "user-agent"):
        said = server.log[0].headers[name]
        assert "google-genai-sdk/" in said
        assert f"gemini-embed/{__version__}" in said


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


def test_what_pip_wrote_of_us_may_be_missing(
    server: Standin, embedder: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a program is frozen, or holds a copy of the package: the version is known still."""
    known = importlib.metadata.distribution

    def found(name: str) -> importlib.metadata.Distribution:
        if name == "gemini-embed":
            raise importlib.metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(importlib.metadata, "distribution", found)
    embedder().embed(["a text"], role="query")

    assert f"gemini-embed/{__version__}" in server.log[0].headers["x-goog-api-client"]


def test_a_caller_may_say_who_asks(server: Standin, embedder: Maker) -> None:
    """A header of the caller's own wins, however it is spelled."""
    embedder(additional_headers={"X-Goog-Api-Client": "my-program/1"}).embed(["a"], role="query")

    assert "my-program/1" in server.log[0].headers["x-goog-api-client"]
    assert "gemini-embed/" not in server.log[0].headers["x-goog-api-client"]
