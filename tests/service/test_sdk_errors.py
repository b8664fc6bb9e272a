"""Code that is moved over catches the SDK's errors: refusals of ours are instances of them."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import pytest
from google.genai.errors import APIError, ClientError, ServerError

from gemini_embed import (
    AuthenticationError,
    GeminiEmbedder,
    ModelRetiredError,
    QuotaExceededError,
    RequestError,
    ServiceUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin import Standin


def body(code: int, status: str, message: str = "what the service said") -> dict[str, Any]:
    return {"error": {"code": code, "status": status, "message": message}}


REFUSALS: list[tuple[int, str, type[RequestError], type[APIError]]] = [
    (400, "INVALID_ARGUMENT", RequestError, ClientError),
    (403, "PERMISSION_DENIED", AuthenticationError, ClientError),
    (429, "RESOURCE_EXHAUSTED", QuotaExceededError, ClientError),
    (503, "UNAVAILABLE", ServiceUnavailableError, ServerError),
]


def refusal_of(server: Standin, code: int, status: str, **options: Any) -> RequestError:
    server.script.append((code, body(code, status), {}))
    embedder = GeminiEmbedder(api_key="a-key", base_url=server.url, max_retries=0, **options)
    with pytest.raises(RequestError) as caught:
        embedder.embed(["a text"], role="document")
    return caught.value


@pytest.mark.parametrize(("code", "status", "ours", "theirs"), REFUSALS)
def test_a_refusal_is_the_sdks_error_too(
    server: Standin, code: int, status: str, ours: type[RequestError], theirs: type[APIError]
) -> None:
    """`except ClientError as error: if error.code == 429: ...` goes on working."""
    error = refusal_of(server, code, status)

    assert isinstance(error, ours)
    assert isinstance(error, theirs)
    assert (error.code, error.status, error.reason) == (code, code, status)
    assert error.message == "what the service said"
    assert error.details == body(code, status)
    assert error.response is None
    assert type(error).__name__ == ours.__name__


@pytest.mark.parametrize(
    "again",
    [
        copy.copy,
        copy.deepcopy,
        lambda error: pickle.loads(pickle.dumps(error)),  # noqa: S301 - our own bytes
    ],
    ids=["copy", "deepcopy", "pickle"],
)
@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_copy_of_a_refusal_is_all_that_the_refusal_was(
    server: Standin,
    again: Callable[[Any], Any],
    refusal: tuple[int, str, type[RequestError], type[APIError]],
) -> None:
    """Both families of `except` catch it after a pickle, with what it says in both vocabularies."""
    code, status, ours, theirs = refusal
    error = refusal_of(server, code, status)

    made = again(error)

    assert isinstance(made, ours)
    assert isinstance(made, theirs)
    assert (str(made), made.__dict__) == (str(error), error.__dict__)
    assert isinstance(type(made)(*made.args), ours)


def _refused(url: str) -> None:
    embedder = GeminiEmbedder(api_key="a-key", base_url=url, max_retries=0)
    embedder.embed(["a text"], role="document")


def test_a_refusal_crosses_a_process_boundary(server: Standin) -> None:
    """A worker's refusal is caught in the parent as what it is."""
    server.script.append((400, body(400, "INVALID_ARGUMENT"), {}))
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
        pytest.raises(ClientError, match="what the service said") as caught,
    ):
        pool.submit(_refused, server.url).result()

    assert isinstance(caught.value, RequestError)
    assert caught.value.code == 400


@pytest.mark.filterwarnings("ignore:Google shut")
def test_a_retired_model_is_a_client_error_too(server: Standin) -> None:
    """What an error is turned into is still the SDK's: 404 is a client's error."""
    error = refusal_of(server, 404, "NOT_FOUND", model="text-embedding-004")

    assert isinstance(error, ModelRetiredError)
    assert isinstance(error, ClientError)
    assert (error.code, error.successor) == (404, "gemini-embedding-001")
    assert error.details == body(404, "NOT_FOUND")
    assert isinstance(error.__cause__, ClientError)


def test_the_traceback_of_a_refusal_is_ours(server: Standin) -> None:
    """Where in the SDK an answer was found to be a refusal tells nobody anything."""
    error = refusal_of(server, 400, "INVALID_ARGUMENT")

    assert error.__cause__ is not None
    assert error.__cause__.__traceback__ is None


def test_what_never_was_an_answer_is_none_of_the_sdks_errors() -> None:
    """A broken connection is no `APIError` in the SDK either."""
    embedder = GeminiEmbedder(api_key="a-key", base_url="http://127.0.0.1:9", max_retries=0)

    with pytest.raises(ServiceUnavailableError) as caught:
        embedder.embed(["a text"], role="query")

    assert not isinstance(caught.value, APIError)
