"""What one option may be: each check takes an option's name and value, and returns the value.

Performs no I/O. A check raises ConfigurationError, which names the option, for anything else, so
that a mistake shows where it was made and never as a hang or another library's error.
"""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from numbers import Real
from typing import Any

from pydantic import SecretStr

from gemini_embed.credentials import check_header
from gemini_embed.errors import ConfigurationError

Check = Callable[[str, Any], Any]

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
"""What the name of a header may consist of (RFC 9110, 5.6.2)."""

_LONGEST_SECONDS = 1e9
"""Thirty years: clocks and timers still take it."""

_LONGEST_SHOWN = 30
"""Letters or digits: what is longer may be a key in the wrong place."""

_FROM_ELSEWHERE = {
    "api_base": "base_url",
    "chunk_size": "batch_size",
    "default_headers": "additional_headers",
    "headers": "additional_headers",
    "request_timeout": "timeout",
    "show_progress_bar": "show_progress",
}
"""What other embedding classes call it -> what it is called here."""


def checked(check: Check) -> dict[str, Check]:
    """Return the metadata that puts a check beside a field."""
    return {"check": check}


def optional(check: Check) -> Check:
    """Return a check that lets None pass, too."""
    return lambda name, value: None if value is None else check(name, value)


def text(name: str, value: object) -> str:
    """Take a string that is not blank, without white space around it."""
    if not isinstance(value, str):
        raise _not(name, "a string", value)
    if not value.strip():
        raise ConfigurationError(f"{name} must not be empty")
    return value.strip()


def text_or_blank(name: str, value: object) -> str | None:
    """Take a string; a blank one, from an empty variable perhaps, counts as none."""
    return text(name, value) if not isinstance(value, str) or value.strip() else None


def flag(name: str, value: object) -> bool:
    """Take True or False."""
    if not isinstance(value, bool):
        raise _not(name, "True or False", value)
    return value


def one_of(*choices: object) -> Check:
    """Return a check that takes one of these values."""

    def check(name: str, value: object) -> object:
        if any(type(value) is type(choice) and value == choice for choice in choices):
            return value
        raise _not(name, " or ".join(map(_shown, choices)), value)

    return check


def whole(least: int) -> Check:
    """Return a check that takes a whole number, of numpy's kinds too, from `least` on."""

    def check(name: str, value: object) -> int:
        try:
            number = None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type] # whatever it is
        except TypeError:
            number = None
        if number is None or number < least:
            raise _not(name, f"a whole number from {least}", value)
        return number

    return check


def number(least: float) -> Check:
    """Return a check that takes a finite number from `least` on."""

    def check(name: str, value: object) -> float:
        found = _finite(value)
        if found is None or found < least:
            raise _not(name, f"at least {least:g}", value)
        return found

    return check


def seconds(name: str, value: object) -> float:
    """Take a number of seconds above 0."""
    found = _finite(value)
    if found is None or not 0 < found <= _LONGEST_SECONDS:
        raise _not(name, "more than 0 seconds, or None for no limit", value)
    return found


def a_callable(name: str, value: object) -> object:
    """Take what can be called."""
    if not callable(value):
        raise _not(name, "callable", value)
    return value


def callable_or(*choices: str) -> Check:
    """Return a check that takes what can be called, or one of these values."""

    def check(name: str, value: object) -> object:
        if callable(value) or (isinstance(value, str) and value in choices):
            return value
        raise _not(name, " or ".join([*map(_shown, choices), "callable"]), value)

    return check


def has(*attributes: str, what: str) -> Check:
    """Return a check that takes an object with these attributes."""

    def check(name: str, value: object) -> object:
        if isinstance(value, type) or not all(hasattr(value, one) for one in attributes):
            raise _not(name, what, value)
        return value

    return check


def path_or(check: Check) -> Check:
    """Return a check that takes a path, or else what `check` takes."""

    def either(name: str, value: object) -> object:
        if isinstance(value, bytes) or not isinstance(value, str | os.PathLike):
            return check(name, value)
        return text(name, value) if isinstance(value, str) else value

    return either


def headers(name: str, value: object) -> dict[str, SecretStr]:
    """Take headers by name, and make secrets of their values."""
    checked: dict[str, SecretStr] = {}
    for header, held in mapping(name, value).items():
        if not header or not _TOKEN.issuperset(header):
            raise ConfigurationError(f"{name}: {header!r} cannot be the name of a header")
        if not isinstance(held, str | SecretStr):
            raise ConfigurationError(
                f"{name}: the value of {header!r} must be a string, not {type(held).__name__}"
            )
        checked[header] = held if isinstance(held, SecretStr) else SecretStr(held)
        check_header(checked[header], f"{name}: the value of {header!r}")
    return checked


def mapping(name: str, value: object) -> Mapping[str, Any]:
    """Take a mapping whose keys are strings."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise _not(name, "a mapping of strings to values", value)
    return value


def refuse_unknown(
    given: Iterable[str],
    known: Iterable[str],
    *,
    owner: str,
    refused: Mapping[str, str] | None = None,
) -> None:
    """Refuse an option nobody reads, which would otherwise change nothing in silence.

    Args:
        given: The names as the caller wrote them.
        known: The names there are.
        owner: Whose options, for the message.
        refused: Names that mean something elsewhere, and what to do instead.

    Raises:
        ConfigurationError: Names the first unknown one and the nearest known one.
    """
    known = set(known)
    for name in given:
        if name in known:
            continue
        if refused and name in refused:
            raise ConfigurationError(f"{owner} does not take {name!r}: {refused[name]}")
        near = [_FROM_ELSEWHERE[name]] if _FROM_ELSEWHERE.get(name) in known else []
        near = near or get_close_matches(name, sorted(known), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known))}"
        raise ConfigurationError(f"{owner} has no option {name!r}{hint}")


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def _not(name: str, what: str, value: object) -> ConfigurationError:
    return ConfigurationError(f"{name} must be {what}, not {_shown(value)}")


def _shown(value: object) -> str:
    """Return a simple value as it was written; of others the type alone: they may hold a key."""
    if value is None or isinstance(value, bool | float):
        return repr(value)
    if isinstance(value, int) and abs(value) < 10**_LONGEST_SHOWN:
        return repr(value)
    if isinstance(value, str) and len(value) < _LONGEST_SHOWN:
        return f'"{value}"'
    return f"a value of type {type(value).__name__}"
