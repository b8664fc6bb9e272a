"""Names of options: several spellings of one thing, and names nobody knows. Performs no I/O.

For the adapters, whose users come from several other classes.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from gemini_embed.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FROM_ELSEWHERE = {
    "api_base": "base_url",
    "chunk_size": "batch_size",
    "default_headers": "additional_headers",
    "headers": "additional_headers",
    "request_timeout": "timeout",
    "show_progress_bar": "show_progress",
}
"""What other embedding classes call it -> what it is called here."""


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
        near = [FROM_ELSEWHERE[name]] if FROM_ELSEWHERE.get(name) in known else []
        near = near or get_close_matches(name, sorted(known), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known))}"
        raise ConfigurationError(f"{owner} has no option {name!r}{hint}")


def one_value(spellings: Mapping[str, Any]) -> Any:
    """Return the one value that several spellings of an option agree on, None where none is given.

    Raises:
        ConfigurationError: Two spellings with different values; the values are not shown,
            since one of them may be a key.
    """
    given = {name: value for name, value in spellings.items() if value is not None}
    values = iter(given.values())
    first = next(values, None)
    if any(value != first for value in values):
        raise ConfigurationError(f"{' and '.join(given)} mean the same and have different values")
    return first


def check_picklable(client: object) -> None:
    """Refuse to pickle what holds a caller's SDK client.

    Raises:
        TypeError: As pickling does.
    """
    if client is not None:
        raise TypeError(
            "an embedder built with client=... cannot be pickled: the SDK's client holds "
            "connections. Pass api_key, base_url, ... instead"
        )
