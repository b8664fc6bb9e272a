"""An embedder's options: checked when it is built, kept by copies, seen by the service."""

from __future__ import annotations

import copy
import dataclasses
import importlib.metadata
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from gemini_embed import ConfigurationError, GeminiEmbedder, Quota, __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin import Standin

    Maker = Callable[..., GeminiEmbedder]


TEXTS = [f"text number {i}" for i in range(250)]


def test_options_reach_the_service(server: Standin, embedder: Maker) -> None:
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

        copies = [copy.copy(made), copy.deepcopy(made), dataclasses.replace(made, timeout=5.0)]
        for one in (*copies, pickled, copy.copy(pickled), dataclasses.replace(pickled)):
            assert one._quota is made._quota
        assert embedder(**options)._quota is not made._quota


@pytest.mark.parametrize(
    "other",
    [
        {"requests_per_minute": 200},
        {"requests_per_minute": None},
        {"quota": Quota(200), "requests_per_minute": None},
        {"model": "gemini-embedding-001"},
        {"api_key": "of another project"},
    ],
)
def test_another_limit_model_or_key_has_another_quota(
    other: dict[str, Any], embedder: Maker
) -> None:
    """Two keys have two quotas, and the use of one takes nothing of the other."""
    made = embedder(requests_per_minute=100)

    assert dataclasses.replace(made, **other)._quota is not made._quota


def test_an_embedder_stays_what_it_is(embedder: Maker) -> None:
    """Options cannot be changed half-way, so that vectors are never taken for another model's."""
    made = embedder()

    with pytest.raises(AttributeError, match=r"dataclasses\.replace"):
        made.model = "gemini-embedding-001"
    assert dataclasses.replace(made, model="gemini-embedding-001").model == "gemini-embedding-001"


@pytest.mark.parametrize(
    "wrong",
    [
        {"retry_exponential_base": 0.5},
        {"retry_exponential_base": "2"},
        {"timeout": float("inf")},
        {"timeout": "5"},
        {"on_retry": "print"},
        {"on_progress": "print"},
        {"prices": {"gemini-embedding-2": 0.2}},
        {"prices": 0.2},
        {"api_key": 5},
        {"normalize": []},
        {"requests_per_minute": 0.5},
    ],
)
def test_options_of_a_wrong_kind_are_told_when_built(wrong: dict[str, Any]) -> None:
    """Not at the first failure, and never by a hang."""
    with pytest.raises(ConfigurationError):
        GeminiEmbedder(**wrong)


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
