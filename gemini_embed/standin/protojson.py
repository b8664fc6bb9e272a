"""Reading JSON as Google does: either casing of a name, no unknown names; and printing it.

Performs no I/O. Every function that reads takes the path of what it reads,
`requests[0].content` for instance, because Google's refusals name it.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gemini_embed.standin import google_errors

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping


def parse(raw: bytes) -> Any:
    """Return what is written in `raw`.

    Raises:
        GoogleError: Not JSON, or not UTF-8.
    """
    try:
        return json.loads(raw)
    except ValueError as error:
        start = raw[:40].decode(errors="replace")
        raise google_errors.invalid_payload(
            f"Invalid JSON payload received. Unexpected token.\n{start}\n^", ""
        ) from error


def message(value: Any, where: str, names: Collection[str]) -> dict[str, Any]:
    """Return the fields of a message under their camelCase names; null is as good as absent.

    Raises:
        GoogleError: Not an object, or a name that is not among `names`.
    """
    if not isinstance(value, dict):
        if where:
            raise google_errors.invalid_payload(
                f"Invalid value at '{where}', {json.dumps(value)}", where
            )
        raise google_errors.invalid_payload(
            'Invalid JSON payload received. Unknown name "": Root element must be a message.', ""
        )
    fields: dict[str, Any] = {}
    for name, field in value.items():
        camel = re.sub(r"_([a-z])", lambda found: found[1].upper(), name)
        if camel not in names:
            raise google_errors.unknown_field(name, where)
        if field is not None:
            fields[camel] = field
    return fields


def items(value: Any, where: str) -> Iterator[tuple[Any, str]]:
    """Yield every element of a list, with its path.

    Raises:
        GoogleError: Not a list.
    """
    if not isinstance(value, list):
        raise google_errors.invalid_payload(
            f"Invalid value at '{where}', {json.dumps(value)}", where
        )
    for index, item in enumerate(value):
        yield item, f"{where}[{index}]"


def text(value: Any, where: str) -> str:
    """Return a string.

    Raises:
        GoogleError: Not a string, or one that has no UTF-8 (half of a surrogate pair).
    """
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            pass
        else:
            return value
    raise google_errors.invalid_payload(
        f"Invalid value at '{where}' (TYPE_STRING), {json.dumps(value)}", where
    )


def whole(value: Any, where: str) -> int:
    """Return a whole number, which may be written as a string.

    Raises:
        GoogleError: Not a whole number.
    """
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,9}", value):
        return int(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value == value // 1:
        return int(value)
    raise google_errors.invalid_payload(
        f"Invalid value at '{where}' (TYPE_INT32), {json.dumps(value)}", where
    )


def flag(value: Any, where: str) -> bool:
    """Return true or false.

    Raises:
        GoogleError: Neither.
    """
    if isinstance(value, bool):
        return value
    raise google_errors.invalid_payload(
        f"Invalid value at '{where}' (TYPE_BOOL), {json.dumps(value)}", where
    )


def timestamp(seconds: float) -> str:
    """Return a time as Google writes it, for seconds since the epoch."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def printed(value: Any) -> bytes:
    """Return JSON without a space."""
    return json.dumps(value, separators=(",", ":")).encode()


def composed(members: Mapping[str, bytes]) -> bytes:
    """Return an object of members that are JSON already; empty ones are left out."""
    listed = [b'"%b":%b' % (name.encode(), value) for name, value in members.items() if value]
    return b"{%b}" % b",".join(listed)
