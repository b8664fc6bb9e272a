"""Whether the options of an embedder can work, told where they are given. Performs no I/O."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, get_args

from gemini_embed.credentials import find_key, is_own
from gemini_embed.errors import ConfigurationError
from gemini_embed.inputs import OnBlank

if TYPE_CHECKING:
    from gemini_embed.embedder import GeminiEmbedder

_OF_VERTEX = ("vertexai", "project", "location", "credentials")


def check_numbers(options: GeminiEmbedder) -> None:
    """Refuse numbers that cannot work: a mistake must not show up as a hang."""
    for name, least in (("batch_size", 1), ("max_concurrency", 1), ("max_retries", 0)):
        value = getattr(options, name)
        if name != "max_concurrency" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ConfigurationError(f"{name} must be a whole number from {least}, not {value!r}")
    for name in ("timeout", "deadline"):
        value = getattr(options, name)
        if value is not None and not _is_number(value, above=0):
            raise ConfigurationError(
                f"{name} must be more than 0 seconds, or None for no limit: {value!r}"
            )
    if not _is_number(options.retry_exponential_base, above=0.999):
        raise ConfigurationError(
            f"retry_exponential_base must be at least 1: {options.retry_exponential_base!r}"
        )
    waits = (options.retry_min_seconds, options.retry_max_seconds)
    if not all(_is_number(wait, above=-1) for wait in waits) or not 0 <= waits[0] <= waits[1]:
        raise ConfigurationError(
            "retry_min_seconds must be from 0 to retry_max_seconds: "
            f"{options.retry_min_seconds}, {options.retry_max_seconds}"
        )


def check_combinations(options: GeminiEmbedder) -> None:
    """Refuse options that contradict each other, or mean nothing."""
    if options.on_retry is not None and not callable(options.on_retry):
        raise ConfigurationError("on_retry must be callable")
    alone = ("base_url", "api_version", "additional_headers", "client_args")
    if options.client and (given := [name for name in alone if getattr(options, name)]):
        raise ConfigurationError(
            f"client is used as it is; give {', '.join(given)} to the client instead"
        )
    if options.client and (given := [n for n in _OF_VERTEX if getattr(options, n) is not None]):
        raise ConfigurationError(f"client is used as it is; it says {', '.join(given)} itself")
    if options.vertexai is not None and not isinstance(options.vertexai, bool):
        raise ConfigurationError(f"vertexai must be True or False, not {options.vertexai!r}")
    if options.credentials is not None and is_own(find_key(options.api_key)):
        raise ConfigurationError("give either api_key or credentials, not both")
    if options.quota and (options.requests_per_minute or options.tokens_per_minute):
        raise ConfigurationError("give either quota or requests_per_minute and tokens_per_minute")
    if options.normalize not in ("auto", True, False):
        raise ConfigurationError(
            f'normalize must be "auto", True or False, not {options.normalize!r}'
        )
    if options.on_blank not in get_args(OnBlank):
        raise ConfigurationError(
            f'on_blank must be "error" or "placeholder", not {options.on_blank!r}'
        )
    if options.base_url is not None and not options.base_url.startswith(("http://", "https://")):
        raise ConfigurationError("base_url must begin with http:// or https://")


def _is_number(value: object, *, above: float) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value > above
