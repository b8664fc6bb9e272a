"""The options that come in objects or dicts of the SDK's, under our names. Imports no SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gemini_embed.checks import number, refuse_unknown
from gemini_embed.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

_TEXT_ONLY = "only texts are embedded here"

_NAMES_THERE = {"additional_headers": "headers"}
"""What we call it -> what the SDK calls it, where that differs."""


def from_embedding_config(config: Any) -> dict[str, Any]:
    """Return what an `EmbedContentConfig`, or a dict of its fields, says for text.

    Raises:
        ConfigurationError: It sets something that has no effect here.
    """
    given = _given(config, "embedding_config")
    refuse_unknown(
        given,
        ["task_type", "title", "output_dimensionality"],
        owner="embedding_config",
        refused={
            "http_options": "pass http_options to the class",
            "mime_type": _TEXT_ONLY,
            "auto_truncate": "the service cuts off what is too long, and you are warned",
            "document_ocr": _TEXT_ONLY,
            "audio_track_extraction": _TEXT_ONLY,
        },
    )
    return given


def from_vertexai_config(config: Any) -> dict[str, Any]:
    """Return the core's options for what a `vertexai_config` says: giving one means Vertex AI.

    Raises:
        ConfigurationError: It sets something that has no effect here.
    """
    given = _given(config, "vertexai_config")
    refuse_unknown(given, ["project", "location", "credentials"], owner="vertexai_config")
    return given if config is None else {"vertexai": True, **given}


def from_http_options(http_options: Any) -> dict[str, Any]:
    """Return the core's options for what an `HttpOptions`, or a dict of its fields, says.

    Raises:
        ConfigurationError: It sets something that has no effect here.
    """
    given = _given(http_options, "http_options")
    refuse_unknown(
        given,
        ["base_url", "api_version", "headers", "timeout", "client_args", "async_client_args"],
        owner="http_options",
        refused={
            "retry_options": "use retries, retry_min_seconds, retry_max_seconds",
            "httpx_client": "pass a ready client=... instead",
            "httpx_async_client": "pass a ready client=... instead",
            "aiohttp_client": "pass a ready client=... instead",
        },
    )
    options: dict[str, Any] = {
        name: given[name] for name in ("base_url", "api_version") if name in given
    }
    if "headers" in given:
        options["additional_headers"] = given["headers"]
    if "timeout" in given:  # the SDK's unit is the millisecond
        options["timeout"] = number(0)("http_options.timeout", given["timeout"]) / 1000
    if client_args := given.get("async_client_args") or given.get("client_args"):
        options["client_args"] = client_args
    return options


def spelled_in(
    holder: str, held: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return, of each option, its value by the two names that it may be given by.

    Args:
        holder: What may hold it, for instance `"http_options"`.
        held: The options that it holds.
        given: The same ones, as they are given by themselves.
    """
    return {
        name: {name: value, f"{holder}.{_NAMES_THERE.get(name, name)}": held.get(name)}
        for name, value in given.items()
    }


def _given(value: Any, name: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        if not hasattr(value, "model_fields_set"):
            raise ConfigurationError(
                f"{name} must be the SDK's object or a dict, not {type(value).__name__}"
            )
        value = {field: getattr(value, field) for field in value.model_fields_set}
    return {key: item for key, item in value.items() if item is not None}
