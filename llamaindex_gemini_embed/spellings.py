"""What a LlamaIndex user may write for an option, as the options that it means. Imports no SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gemini_embed import ConfigurationError
from gemini_embed.adapter import OptionArgs, Spelling, number, refuse_unknown, whole
from llamaindex_gemini_embed.kvstore import KVStoreCache

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from llama_index.core.storage.kvstore.types import BaseKVStore

SPELLINGS = {"model": "model_name", "batch_size": "embed_batch_size"}
"""The core's options that the base class has under other names."""

APART = (
    "embedding_config",
    "vertexai_config",
    "http_options",
    "retries",
    "embeddings_cache",
    "class_name",  # in a dump of ours, or of the class we stand in for
)
"""Arguments that become no field by themselves: options come in them in another form."""

REFUSED = {
    "debug_config": "it belongs to the SDK's own replay tests; pass a ready client=... instead",
}

_TEXT_ONLY = "only texts are embedded here"


class MoreArgs(OptionArgs, total=False):
    """The keywords of the constructor beside those that it spells out."""

    model: str | None
    batch_size: int | None
    num_workers: int | None
    title_metadata_key: str | None
    rate_limiter: Any
    embeddings_cache: BaseKVStore | None


def held_in(given: Mapping[str, Any]) -> Iterator[Spelling]:
    """Yield the options that come inside of others.

    Raises:
        ConfigurationError: One of these sets something that has no effect here.
    """
    yield from _of_embedding_config(given.get("embedding_config"))
    yield from _of_vertexai_config(given.get("vertexai_config"))
    yield from _of_http_options(given.get("http_options"))
    yield "max_concurrency", "num_workers", given.get("num_workers")
    if (retries := given.get("retries")) is not None:
        yield "max_retries", "retries", max(whole(0)("retries", retries), 1) - 1
    if (store := given.get("embeddings_cache")) is not None:
        yield "cache", "embeddings_cache", KVStoreCache(store)


def _of_embedding_config(given: Any) -> Iterator[Spelling]:
    config = _as_dict(given, "embedding_config")
    refuse_unknown(
        config,
        ["task_type", "title", "output_dimensionality"],
        owner="embedding_config",
        refused={
            "http_options": "pass http_options to the class",
            "mime_type": _TEXT_ONLY,
            "auto_truncate": "on_long says what is done about texts that are too long",
            "document_ocr": _TEXT_ONLY,
            "audio_track_extraction": _TEXT_ONLY,
        },
    )
    for name in ("task_type", "output_dimensionality"):
        yield name, f"embedding_config.{name}", config.get(name)
    if "title" in config:  # no option of the core's: the field keeps it
        yield "embedding_config", "embedding_config", {"title": config["title"]}


def _of_vertexai_config(given: Any) -> Iterator[Spelling]:
    config = _as_dict(given, "vertexai_config")
    refuse_unknown(config, ["project", "location", "credentials"], owner="vertexai_config")
    if given is not None:  # giving one means Vertex AI
        yield "vertexai", "vertexai_config", True
    for name, value in config.items():
        yield name, f"vertexai_config.{name}", value


def _of_http_options(given: Any) -> Iterator[Spelling]:
    options = _as_dict(given, "http_options")
    refuse_unknown(
        options,
        ["base_url", "api_version", "headers", "timeout", "client_args", "async_client_args"],
        owner="http_options",
        refused={
            "retry_options": "use retries, retry_min_seconds, retry_max_seconds",
            "httpx_client": "pass a ready client=... instead",
            "httpx_async_client": "pass a ready client=... instead",
            "aiohttp_client": "pass a ready client=... instead",
        },
    )
    for name in ("base_url", "api_version"):
        yield name, f"http_options.{name}", options.get(name)
    yield "additional_headers", "http_options.headers", options.get("headers")
    if "timeout" in options:  # the SDK's unit is the millisecond
        seconds = number(0)("http_options.timeout", options["timeout"]) / 1000
        yield "timeout", "http_options.timeout", seconds
    client_args = options.get("async_client_args") or options.get("client_args")
    yield "client_args", "http_options.client_args", client_args or None


def _as_dict(value: Any, name: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        if not hasattr(value, "model_fields_set"):
            raise ConfigurationError(
                f"{name} must be the SDK's object or a dict, not {type(value).__name__}"
            )
        value = {field: getattr(value, field) for field in value.model_fields_set}
    return {key: item for key, item in value.items() if item is not None}
