"""The options of `GeminiEmbedding`: every spelling, what is refused, pickles, copies and dumps."""

from __future__ import annotations

import inspect
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from adapters.copies import copies_of
from google.genai import types
from helpers import LLAMAINDEX_POSITIONAL
from llama_index.core.base.embeddings.base import BaseEmbedding
from pydantic import SecretStr

from gemini_embed import (
    ConfigurationError,
    ServiceUnavailableError,
)
from gemini_embed.options import OPTIONS
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin import Standin

    Maker = Callable[..., GeminiEmbedding]


def test_the_signature_is_that_of_the_integration_it_stands_in_for() -> None:
    """Positional arguments of existing code mean the same here."""
    positional = [
        name
        for name, parameter in inspect.signature(GeminiEmbedding).parameters.items()
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]

    assert positional == LLAMAINDEX_POSITIONAL
    made = GeminiEmbedding("gemini-embedding-001", "k", {"output_dimensionality": 768})
    assert (made.model_name, made.output_dimensionality) == ("gemini-embedding-001", 768)
    assert GeminiEmbedding().model_name == "gemini-embedding-2"
    assert isinstance(made, BaseEmbedding)
    assert made.class_name() not in {"GeminiEmbedding", "GoogleGenAIEmbedding", "BaseEmbedding"}


def test_the_sdks_option_objects_count(server: Standin, embedding: Maker) -> None:
    """embedding_config and http_options mean what they say, as objects and as dicts."""
    options = types.HttpOptions(
        base_url=server.url, api_version="v1beta", headers={"x-team": "search"}, timeout=5000
    )
    config = types.EmbedContentConfig(task_type="CLUSTERING", output_dimensionality=256)
    made = embedding(
        model_name="gemini-embedding-001", http_options=options, embedding_config=config
    )

    made.get_query_embedding("q")

    assert made.timeout == 5
    request = server.log[0].body["requests"][0]
    assert (request["taskType"], request["outputDimensionality"]) == ("CLUSTERING", 256)
    assert server.log[0].headers["x-team"] == "search"
    assert server.log[0].path.startswith("/v1beta/")
    assert options.headers == {"x-team": "search"}


def test_retries_counts_attempts(server: Standin, embedding: Maker) -> None:
    """`retries=3` means three attempts, as in the integration this stands in for."""
    server.script.extend(("503",) * 9)

    with pytest.raises(ServiceUnavailableError, match="tried 3 times"):
        embedding(retries=3).get_query_embedding("a")

    assert len(server.log) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"retries": 3, "max_retries": 5}, "max_retries and retries"),
        ({"embed_batch_size": 10, "batch_size": 20}, "embed_batch_size and batch_size"),
        ({"model": "gemini-embedding-001", "model_name": "gemini-embedding-2"}, "mean the same"),
        ({"num_workers": 2, "max_concurrency": 3}, "max_concurrency and num_workers"),
        ({"timeout": 5, "http_options": {"timeout": 9000}}, "timeout and http_options.timeout"),
        (
            {"additional_headers": {"x-a": "1"}, "http_options": {"headers": {"x-a": "2"}}},
            "additional_headers and http_options.headers",
        ),
        (
            {"output_dimensionality": 1, "embedding_config": {"output_dimensionality": 2}},
            "output_dimensionality",
        ),
        ({"vertexai_config": {"region": "us"}}, "vertexai_config has no option 'region'"),
        ({"vertexai_config": {"project": "p"}, "project": "q"}, "mean the same"),
        ({"debug_config": object()}, "client="),
        ({"output_dimensionalty": 768}, "output_dimensionality"),
        ({"chunk_size": 5}, "batch_size"),
        ({"embedding_config": {"auto_truncate": True}}, "on_long says"),
        ({"http_options": {"retry_options": {}}}, "use retries"),
        ({"http_options": "http://x"}, "http_options must be"),
        ({"timeout": -1}, "timeout must be more than 0"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], said: str) -> None:
    """Unknown, contradictory and impossible options are told when built."""
    with pytest.raises(ConfigurationError, match=said):
        GeminiEmbedding(**options)


def test_spellings_that_agree_are_fine(embedding: Maker) -> None:
    """Saying the same thing twice is no contradiction."""
    made = embedding(
        retries=3, max_retries=2, num_workers=4, batch_size=50, model="gemini-embedding-2"
    )

    assert (made.max_retries, made.max_concurrency, made.embed_batch_size) == (2, 4, 50)


def test_pickles_and_copies_work(server: Standin, embedding: Maker) -> None:
    """Before and after first use; every option and the key arrive, unknown ones stay refused."""
    made = embedding(
        output_dimensionality=768, additional_headers={"x-team": "search"}, num_workers=3
    )
    fresh = pickle.dumps(made)
    right = made.get_query_embedding("a")

    for other in copies_of(made, fresh):
        assert other.get_query_embedding("a") == right
        assert (other.max_concurrency, other.timeout) == (3, 60)
        assert server.log[-1].headers["x-team"] == "search"
        assert server.log[-1].headers["x-goog-api-key"] == "a-key"
    dump: dict[str, Any] = {**pickle.loads(fresh).to_dict(), "bogus": 1}  # noqa: S301 - our own bytes
    with pytest.raises(ConfigurationError):
        GeminiEmbedding(**dump)


def test_the_dumped_form_holds_what_shapes_a_vector_and_no_secret(embedding: Maker) -> None:
    """to_dict round-trips; changing only the traffic does not change it."""
    made = embedding(
        api_key="s3cret",
        additional_headers={"authorization": "t0ken"},
        output_dimensionality=768,
        task_type="clustering",
    )
    tuned = embedding(
        output_dimensionality=768,
        task_type="clustering",
        timeout=5,
        retries=9,
        embed_batch_size=7,
        max_concurrency=2,
    )

    dumped = made.to_dict()

    assert dumped == tuned.to_dict()
    back = GeminiEmbedding.from_dict(dumped)
    assert (back.output_dimensionality, back.task_type) == (768, "clustering")
    shown = getattr(made, "to_payload", made.to_dict)()  # to observers; older ones get to_dict's
    views = [repr(made), str(made), str(vars(made)), made.to_json(), str(shown)]
    assert not any(secret in view for view in views for secret in ("s3cret", "t0ken"))


def test_a_dump_of_the_other_integration_is_read() -> None:
    """A stored configuration of the class this stands in for builds ours."""
    theirs = {
        "model_name": "gemini-embedding-001",
        "embed_batch_size": 10,
        "num_workers": None,
        "embeddings_cache": None,
        "embedding_config": {"task_type": None, "title": None, "output_dimensionality": 768},
        "retries": 3,
        "timeout": 60,
        "retry_min_seconds": 1.0,
        "retry_max_seconds": 60.0,
        "retry_exponential_base": 2.0,
        "class_name": "GeminiEmbedding",
    }

    made = GeminiEmbedding.from_dict(theirs)

    assert (made.max_retries, made.output_dimensionality) == (2, 768)


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """GOOGLE_API_KEY, then GEMINI_API_KEY."""
    monkeypatch.setenv("GEMINI_API_KEY", "m")

    assert GeminiEmbedding().api_key == SecretStr("m")


def test_options_assigned_later_count(server: Standin, embedding: Maker) -> None:
    """What is assigned after building is what is sent, and the quota goes on counting."""
    made = embedding(requests_per_minute=1000)
    quota = made._embedder._quota
    made.output_dimensionality = 256
    made.num_workers = 3

    assert len(made.get_query_embedding("a")) == 256
    assert made._embedder.max_concurrency == 3
    assert made._embedder._quota is quota
    assert GeminiEmbedding.from_dict(made.to_dict()).base_url == server.url
    with pytest.raises(ConfigurationError, match="KVStoreCache"):
        made.embeddings_cache = object()


def test_no_timeout_is_possible(embedding: Maker) -> None:
    """`timeout=None` means no limit, and stays so in a pickle."""
    made = embedding(timeout=None)

    assert made.timeout is None
    assert pickle.loads(pickle.dumps(made)).timeout is None  # noqa: S301 - our own bytes


SHAPING: dict[str, Any] = {
    "behaves_like": "gemini-embedding-2",
    "task_type": "CLUSTERING",
    "output_dimensionality": 768,
    "normalize": True,
    "task_prefix": False,
    "caption_prefix": True,
    "on_blank": "placeholder",
    "on_surrogate": "replace",
    "on_long": "split",
    "vertexai": True,
    "project": "p",
    "location": "eu",
    "base_url": "http://127.0.0.1:1",
    "service_name": "ours",
    "api_version": "v1",
    "model": "gemini-embedding-001",
}
"""Another value of each option that shapes a vector, or says where it comes from."""

TRAFFIC = [
    "additional_headers",
    "api_key",
    "batch_documents",
    "batch_fallback",
    "batch_settle",
    "batch_size",
    "batch_tokens",
    "bucket",
    "cache",
    "cache_full_dimension",
    "cache_uris",
    "client",
    "client_args",
    "count_tokens",
    "credentials",
    "deadline",
    "fast_decode",
    "max_concurrency",
    "max_retries",
    "max_wait",
    "media_in_flight",
    "on_daily_quota",
    "on_progress",
    "on_retry",
    "prices",
    "quota",
    "requests_per_day",
    "requests_per_minute",
    "retry_exponential_base",
    "retry_max_seconds",
    "retry_min_seconds",
    "timeout",
    "tokens_per_minute",
]
"""Options that shape none."""


@pytest.mark.parametrize("name", OPTIONS)
def test_a_pipelines_cache_knows_each_option_that_shapes_a_vector(name: str) -> None:
    """Under other options nothing is taken from the cache that these would not have made."""
    assert (name in SHAPING) is (name not in TRAFFIC)
    if name in SHAPING:
        alike: dict[str, Any] = {"project": "p"} if name == "location" else {}
        other = GeminiEmbedding(**alike | {name: SHAPING[name]})
        assert other.to_dict() != GeminiEmbedding(**alike).to_dict()
