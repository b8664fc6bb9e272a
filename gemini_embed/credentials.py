"""The key: where it is looked for, and what one may look like. It is never shown."""

from __future__ import annotations

import os

from pydantic import SecretStr

from gemini_embed.errors import ConfigurationError

KEY_VARIABLES = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
"""Where a key is looked for, in this order; the SDK's own order."""

_ARGUMENT = "the api_key argument"


def find_key(given: str | SecretStr | None) -> SecretStr | None:
    """Return the key given, or the one in the environment, stripped; an empty one is none.

    Raises:
        ConfigurationError: It holds what no header can, from copying perhaps.
    """
    candidates = (given, *(os.environ.get(name) for name in KEY_VARIABLES))
    key = next((key for candidate in candidates if (key := _stripped(candidate))), None)
    if key is not None:
        check_header(key.get_secret_value(), "the API key")
    return key


def check_header(value: str, what: str) -> None:
    """Refuse what no header can hold, without showing it."""
    if not (value.isascii() and value.isprintable()):
        raise ConfigurationError(f"{what} holds characters that no header can")


def _stripped(value: str | SecretStr | None) -> SecretStr | None:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if text is not None and not isinstance(text, str):
        raise ConfigurationError(f"api_key must be a string, not {type(text).__name__}")
    return SecretStr(text.strip()) if text and text.strip() else None


def is_own(key: SecretStr | None) -> bool:
    """Tell whether a key was given, and not found in the environment."""
    return key is not None and key_source(key) == _ARGUMENT


def key_source(key: SecretStr | None) -> str:
    """Return where a key comes from, in words."""
    for name in KEY_VARIABLES:
        if key is not None and key == _stripped(os.environ.get(name)):
            return name
    return _ARGUMENT
