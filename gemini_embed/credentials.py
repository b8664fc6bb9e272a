"""The API key: where it is found, and what it may look like. It is never shown."""

from __future__ import annotations

import os

from pydantic import SecretStr

from gemini_embed.errors import ConfigurationError

KEY_VARIABLES = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
"""Where a key is looked for, in this order; the SDK's own order."""

_ARGUMENT = "the api_key argument"


class Key(SecretStr):
    """A key that knows where it came from, through copies and pickles too.

    Attributes:
        source: The variable that held it, or the argument it was given as.
    """

    def __init__(self, secret: str, source: str = _ARGUMENT) -> None:
        super().__init__(secret)
        self.source = source

    def __eq__(self, other: object) -> bool:
        # Not SecretStr's own, for which a subclass's secret differs from an equal SecretStr.
        return isinstance(other, SecretStr) and self.get_secret_value() == other.get_secret_value()

    __hash__ = SecretStr.__hash__

    @property
    def is_own(self) -> bool:
        """Whether it was given, and not found in the environment."""
        return self.source == _ARGUMENT


def find_key(given: str | SecretStr | None) -> Key | None:
    """Return the key that was given, or the environment's, stripped; an empty one counts as none.

    Raises:
        ConfigurationError: It is no string, or holds what a header cannot hold.
    """
    found = (_named(os.environ.get(name), name) for name in KEY_VARIABLES)
    key = next((key for key in (_named(given, _ARGUMENT), *found) if key is not None), None)
    if key is not None:
        check_header(key, "the API key")
    return key


def _named(given: str | SecretStr | None, source: str) -> Key | None:
    if given is not None and not isinstance(given, str | SecretStr):
        raise ConfigurationError(f"api_key must be a string, not {type(given).__name__}")
    if isinstance(given, Key):
        source = given.source
    plain = given.get_secret_value() if isinstance(given, SecretStr) else given or ""
    return Key(plain.strip(), source) if plain.strip() else None


def check_header(value: SecretStr, what: str) -> None:
    """Refuse what a header cannot hold, without showing it."""
    if not (value.get_secret_value().isascii() and value.get_secret_value().isprintable()):
        raise ConfigurationError(f"{what} holds characters that a header cannot hold")
