"""The options of an HTTP client, in httpx's words: what each may be. Performs no I/O.

They are checked when the embedder is built. That loads no httpx, which is slow, and finds options
that httpx ignores in silence.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gemini_embed.errors import ConfigurationError
from gemini_embed.options import checks
from gemini_embed.options.checks import flag, has, optional, path_or, refuse_unknown, whole

if TYPE_CHECKING:
    from gemini_embed.options.checks import Check

_PROXY_SCHEMES = ("http://", "https://", "socks5://", "socks5h://")

_HOOKS = ("request", "response")

_ELSEWHERE = {
    "base_url": "give base_url to the embedder",
    "default_encoding": "answers are JSON, which is UTF-8",
    "proxies": "httpx calls it 'proxy', or 'mounts' where several are needed",
    "proxy_auth": "put user and password into the address of the proxy",
    "proxy_headers": "give proxy=httpx.Proxy(address, headers=...)",
    "ssl": "httpx calls it 'verify'",
}
"""Options that mean nothing here, or that httpx calls something else -> what to do instead."""

_OF_TRANSPORTS = ("verify", "cert", "http1", "http2", "limits")
"""Options that httpx ignores where a transport is given."""


def check_client_args(name: str, value: object) -> Mapping[str, Any]:
    """Check options for an async client of httpx, and return them.

    Raises:
        ConfigurationError: Names the option that httpx does not know, or would not take.
    """
    given = checks.mapping(name, value)
    refuse_unknown(given, _CHECKS, owner=name, refused=_ELSEWHERE)
    for option, held in given.items():
        _CHECKS[option](f"{name}[{option!r}]", held)
    if given.get("transport") is not None and (lost := [n for n in _OF_TRANSPORTS if n in given]):
        raise ConfigurationError(f"{name}: give {', '.join(lost)} to the transport instead")
    return given


def _auth(name: str, value: object) -> object:
    if not (_is_pair(value) or callable(value) or hasattr(value, "async_auth_flow")):
        raise ConfigurationError(f"{name} must be (user, password), or an Auth of httpx")
    return value


def _cert(name: str, value: object) -> object:
    parts = value if isinstance(value, tuple | list) else [value]
    if not 1 <= len(parts) <= len(("file", "key", "password")) or not all(
        isinstance(part, str | os.PathLike) and os.fspath(part) for part in parts
    ):
        raise ConfigurationError(f"{name} must be a path, or (file, key) or (file, key, password)")
    return value


def _pairs(name: str, value: object) -> list[tuple[Any, Any]]:
    """Return the pairs of a mapping, or of a list of pairs."""
    items = [*value.items()] if isinstance(value, Mapping) else value
    if not isinstance(items, list | tuple) or not all(_is_pair(item) for item in items):
        raise ConfigurationError(f"{name} must be a mapping, or a list of pairs")
    return [(first, second) for first, second in items]


def _is_pair(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == len(("name", "value"))


def _headers(name: str, value: object) -> object:
    for header, held in _pairs(name, value):
        if not isinstance(held, str | bytes):
            raise ConfigurationError(f"{name}: the value of {_read(header)!r} must be a string")
        checks.headers(name, {_read(header): _read(held)})
    return value


def _read(text: Any) -> Any:
    return text.decode("latin-1") if isinstance(text, bytes) else text


def _cookies(name: str, value: object) -> object:
    return value if hasattr(value, "set_cookie") or hasattr(value, "jar") else _pairs(name, value)


def _params(name: str, value: object) -> object:
    return value if isinstance(value, str | bytes) else _pairs(name, value)


def _proxy(name: str, value: object) -> object:
    address = value if isinstance(value, str) else str(getattr(value, "url", value))
    if not address.lower().startswith(_PROXY_SCHEMES):  # it may hold a password: not shown
        raise ConfigurationError(
            f"{name} must be an address that begins with one of {', '.join(_PROXY_SCHEMES)}"
        )
    return value


_transport = has("handle_async_request", what="an async transport, such as AsyncHTTPTransport")


def _mounts(name: str, value: object) -> object:
    for pattern, transport in checks.mapping(name, value).items():
        if pattern and "://" not in pattern:
            raise ConfigurationError(
                f'{name}: {pattern!r} is no pattern of addresses, such as "https://"'
            )
        optional(_transport)(f"{name}[{pattern!r}]", transport)
    return value


def _timeout(name: str, value: object) -> object:
    if hasattr(value, "as_dict"):
        return value
    if isinstance(value, tuple) and len(value) == len(("connect", "read", "write", "pool")):
        return tuple(optional(checks.seconds)(name, part) for part in value)
    return checks.seconds(name, value)


def _event_hooks(name: str, value: object) -> object:
    given = checks.mapping(name, value)
    refuse_unknown(given, _HOOKS, owner=name)
    for kind, some in given.items():
        if not isinstance(some, list | tuple) or not all(map(callable, some)):
            raise ConfigurationError(f"{name}[{kind!r}] must be a list of functions")
    return value


_CHECKS: dict[str, Check] = {
    "auth": optional(_auth),
    "cert": optional(_cert),
    "cookies": optional(_cookies),
    "event_hooks": optional(_event_hooks),
    "follow_redirects": flag,
    "headers": optional(_headers),
    "http1": flag,
    "http2": flag,
    "limits": has("max_connections", "max_keepalive_connections", what="a Limits of httpx"),
    "max_redirects": whole(0),
    "mounts": optional(_mounts),
    "params": optional(_params),
    "proxy": optional(_proxy),
    "timeout": optional(_timeout),
    "transport": optional(_transport),
    "trust_env": flag,
    "verify": path_or(
        lambda name, value: (
            value
            if isinstance(value, bool)
            else has("wrap_socket", what="True, False, a path, or an SSLContext")(name, value)
        )
    ),
}
