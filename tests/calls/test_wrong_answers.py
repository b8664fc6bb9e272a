"""What becomes of texts whose request fails, is answered wrongly or not at all."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import pytest
from helpers import sent_texts, vectors_of

from gemini_embed import (
    AuthenticationError,
    BadResponseError,
    GeminiEmbedder,
    ModelRetiredError,
    NoVectorError,
    RequestError,
    ServiceUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gemini_embed.standin import FaultKind, Standin

    Maker = Callable[..., GeminiEmbedder]


TEXTS = [f"text number {i}" for i in range(250)]


@pytest.mark.parametrize("fault", ["short", "empty", "nan", "wrong-dimension", "not-json", "half"])
def test_a_wrong_answer_is_asked_again(fault: FaultKind, server: Standin, embedder: Maker) -> None:
    """A response one vector short, empty, not finite or misshapen is never a result."""
    server.script.append(fault)

    result = embedder().embed(["a", "b"], role="document")

    as_sent = ["title: none | text: a", "title: none | text: b"]
    assert (result.vectors == vectors_of(server, as_sent, model="gemini-embedding-2")).all()
    assert sent_texts(server) == [as_sent, as_sent]
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
    text = f"title: none | text: {TEXTS[150]}"
    assert (
        caught.value.partial[150] == vectors_of(server, [text], model="gemini-embedding-2")
    ).all()
    assert caught.value.indexes == tuple(range(200, 250))


def test_a_permanent_error_costs_one_request(server: Standin, embedder: Maker) -> None:
    """A bad key is not tried seven times; the error names no key."""
    made = embedder(api_key="invalid-key")

    with pytest.raises(AuthenticationError, match="the api_key argument") as caught:
        made.embed(["a"], role="query")

    assert len(server.log) == 1
    assert "invalid-key" not in "".join(traceback.format_exception(caught.value))


def test_the_retired_model_names_its_successor(embedder: Maker) -> None:
    """The model this project began from fails with what to do about it."""
    with pytest.warns(UserWarning, match="shut gemini-embedding-exp-03-07 down"):
        made = embedder(model="gemini-embedding-exp-03-07")

    with pytest.raises(ModelRetiredError, match="Move to gemini-embedding-001"):
        made.embed(["a"], role="query")


def test_a_deadline_counts_from_the_call(server: Standin, embedder: Maker) -> None:
    """The time that loading the SDK takes is part of it; the unfinished texts are named."""
    server.script.append("hang")

    with pytest.raises(ServiceUnavailableError, match="deadline") as caught:
        embedder(deadline=0.2).embed(["a", "b"], role="query")

    assert caught.value.indexes == (0, 1)
    server.release()


def test_a_hook_that_exits_does_not_hang(server: Standin, embedder: Maker) -> None:
    """`sys.exit()` in a hook ends the caller, not the I/O thread."""
    server.script.append("503")

    def leave(_: object) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        embedder(on_retry=leave).embed(["a"], role="query")
    assert embedder().embed(["a"], role="query").vectors.shape == (1, 3072)
