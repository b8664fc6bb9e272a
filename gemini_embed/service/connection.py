"""The SDK's client and the HTTP client it sends through: aiohttp's, or one of httpx.

aiohttp is the faster one. `client_args` are options of httpx, and proxies that the environment
names follow httpx's rules, so with either of them httpx sends.
"""

from __future__ import annotations

import asyncio
import logging
import netrc
import os
import ssl
from base64 import b64encode
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from google import genai

from gemini_embed.background import loop, process
from gemini_embed.errors import ConfigurationError
from gemini_embed.redaction import Secrets, revealed
from gemini_embed.service import fast_decode
from gemini_embed.service.backend import sdk_version
from gemini_embed.service.bounded import ACCEPTED
from gemini_embed.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import ClientSession

    from gemini_embed.service.access import Access

_HTTPX = ("httpx", "httpx2")

_WHO_ASKS = ("user-agent", "x-goog-api-client")

_PROXIED = ("http", "https", "all")
"""The kinds of proxies that the environment may name for us."""

_UNUSED = {"trust_env": False, "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}
"""Options of clients that the SDK makes and nobody uses. With an empty list of authorities they
would trust nobody, and reading the usual one takes 20 ms of a first call."""

_PATIENCE = 3.0
"""Seconds to find out whether a port that closes connections expects TLS."""


def _is_news(record: logging.LogRecord) -> bool:
    """Tell whether the SDK may log it: which variable it takes a key from is untrue here."""
    return record.funcName != "get_env_api_key" or record.threadName != loop.NAME


logging.getLogger("google_genai._api_client").addFilter(_is_news)


class Connection(NamedTuple):
    """An SDK client and what was made for it.

    Attributes:
        client: The SDK's client.
        session: The session of aiohttp through which it sends.
        httpx: The client of httpx or httpx2 through which it sends.
    """

    client: genai.Client
    session: ClientSession | None = None
    httpx: Any = None

    @property
    def intercepts(self) -> bool:
        """Whether answers go through `interception`: a caller's own client is left alone."""
        return self.session is not None or self.httpx is not None

    async def close(self) -> None:
        """Close all of it."""
        if self.session is not None:
            await self.session.close()
        if self.httpx is not None:
            await self.httpx.aclose()
        await self.client.aio.aclose()
        self.client.close()

    def leave_to_parent(self) -> None:
        """Let go of a session in a forked child without closing it: the parent uses it."""
        if self.session is not None and not self.session.closed:
            process.leave_to_parent(self.session.connector)
            self.session.detach()


def connect(access: Access, identity: dict[str, Any]) -> Connection:
    """Return the caller's client, or one of our own, for the running loop.

    Raises:
        ConfigurationError: Options that the SDK or its HTTP library does not take.
    """
    if access.client is not None:
        return Connection(access.client)
    try:
        return _made(access, identity)
    except Exception as error:  # noqa: BLE001 - the SDK may raise anything
        clean = Secrets(access.secrets()).cleaned(error)
    description = f"{type(clean).__name__}: {clean}"
    raise ConfigurationError(f"the SDK does not take these options: {description}") from clean


def _made(access: Access, identity: dict[str, Any]) -> Connection:
    options: dict[str, Any] = {
        "timeout": None if access.timeout is None else max(1, round(access.timeout * 1000)),
        "base_url": access.base_url,
        "api_version": access.api_version,
        "headers": revealed(_with_our_name(access.headers)),
        # One attempt: retrying is ours. Left out, the SDK repeats a request whose connection
        # broke once, after a random sleep of up to ten seconds.
        "retry_options": {"attempts": 1},
        "client_args": _UNUSED,  # of the sync client
    }
    client_args = dict(access.client_args or {})
    session = client = None
    if not fast_decode.HAS_AIOHTTP or client_args or _names_proxy():
        options["httpx_async_client"] = client = _httpx_client(access, client_args)
    else:
        options["aiohttp_client"] = session = fast_decode.new_session(_of_netrc(access))
        options["async_client_args"] = _UNUSED
    try:
        sdk = genai.Client(
            **revealed(identity),
            http_options={k: v for k, v in options.items() if v is not None},  # type: ignore[arg-type] # a mapping of HttpOptions' fields
        )
    except Exception:
        if session is not None:
            session.detach()  # it has no connections yet
        raise
    return Connection(sdk, session, client)


def _with_our_name(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Add gemini-embed to the headers that name the software; the caller's own values win."""
    us = f"gemini-embed/{__version__}"
    # Older versions of the SDK know them in lower case only.
    given = {n.lower() if n.lower() in _WHO_ASKS else n: value for n, value in headers.items()}
    return {**dict.fromkeys(_WHO_ASKS, us), **given}


async def meets_tls(access: Access) -> bool:
    """Tell whether the port of an http:// address expects TLS; such a port just hangs up."""
    parts = urlsplit(access.base_url or "")
    if parts.scheme != "http" or access.client_args or _names_proxy():
        return False  # a proxy, or the caller's own transport, may be in between
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing is sent there
    opening = asyncio.open_connection(parts.hostname, parts.port or 80, ssl=context)
    try:
        _, writer = await asyncio.wait_for(opening, _PATIENCE)
    except (OSError, TimeoutError):
        return False
    writer.transport.abort()
    return True


def proxy_of(access: Access, address: str) -> str | None:
    """Return the proxy on the way to an address; None where there is none, or nobody can tell."""
    options = access.client_args or {}
    if (given := options.get("proxy")) is not None:
        return str(getattr(given, "url", given))
    if access.client is not None or {"mounts", "transport"} & options.keys():
        return None
    parts, proxies = urlsplit(address), getproxies()
    if not options.get("trust_env", True) or proxy_bypass(parts.hostname or ""):
        return None
    return proxies.get(parts.scheme) or proxies.get("all")


def _names_proxy() -> bool:
    proxies = getproxies()
    return any(proxies.get(name) for name in _PROXIED)


def _httpx_client(access: Access, client_args: dict[str, Any]) -> Any:
    library = _library(client_args)
    timeout = client_args.pop("timeout", None)
    given = client_args.pop("event_hooks", None) or {}
    if timeout is not None:
        given = {**given, "request": [*given.get("request", ()), _timing(library.Timeout(timeout))]}
    if "trust_env" not in client_args and "auth" not in client_args:
        client_args["headers"] = {**_of_netrc(access), **dict(client_args.get("headers") or {})}
    # `gate` limits the number of requests.
    unlimited = library.Limits(max_connections=None, max_keepalive_connections=None)
    client = library.AsyncClient(
        **{
            "follow_redirects": True,
            "limits": unlimited,
            "timeout": None,
            **client_args,
            **_tls(library, client_args),
            "event_hooks": fast_decode.hooks(given),
        }
    )
    if "accept-encoding" not in library.Headers(client_args.get("headers")):
        client.headers["accept-encoding"] = ACCEPTED
    return client


def _library(client_args: Mapping[str, Any]) -> Any:
    """Return the library whose objects the caller gave, else the one that the SDK takes."""
    values = [*client_args.values(), *(client_args.get("mounts") or {}).values()]
    made = {cls.__module__.partition(".")[0] for value in values for cls in type(value).__mro__}
    asked = os.environ.get("GOOGLE_GENAI_HTTP_CLIENT", "").strip().lower()
    usual = _HTTPX[::-1] if sdk_version() >= (3, 4) else _HTTPX
    wanted = [name for name in (*made, asked, *usual) if name in _HTTPX]
    return import_module(next(name for name in wanted if find_spec(name)))


def _timing(timeout: Any) -> Any:
    """Return a hook that sets the caller's timeout: the SDK sets its own on each request."""

    def hook(request: Any) -> None:
        if fast_decode.is_the_sdks(request):
            request.extensions = {**request.extensions, "timeout": timeout.as_dict()}

    return hook


def _tls(library: Any, client_args: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options for TLS as a context: httpx deprecates paths and certificates there."""
    verify: Any = client_args.get("verify", True)
    cert: Any = client_args.get("cert")
    if isinstance(verify, str | os.PathLike):
        path, is_folder = os.fspath(verify), Path(verify).is_dir()
        verify = ssl.create_default_context(
            cafile=None if is_folder else path, capath=path if is_folder else None
        )
    if cert:
        if isinstance(verify, bool):
            verify = library.create_ssl_context(verify=verify)
        verify.load_cert_chain(*([cert] if isinstance(cert, str | os.PathLike) else cert))
    return {"verify": verify, "cert": None}


def _of_netrc(access: Access) -> dict[str, str]:
    """Return the header for a gateway whose host the user's netrc file names.

    aiohttp would read the file for each request, on another thread: a third of the time of a query
    (`make bench`, section A single query). And it would send Google the file's `default` login.
    """
    host = urlsplit(access.base_url or "").hostname
    login = _logins().get(host) if host else None
    if login is None:
        return {}
    token = b64encode(f"{login[0]}:{login[2]}".encode()).decode()
    return {"Authorization": f"Basic {token}"}


def _logins() -> dict[str, tuple[str, str | None, str | None]]:
    name = os.environ.get("NETRC") or ("~/_netrc" if os.name == "nt" else "~/.netrc")
    path = os.path.expanduser(name)  # noqa: PTH111 - Path's own raises where there is no home
    if not os.path.isfile(path):  # noqa: PTH113 - likewise; a pipe would never end
        return {}
    try:
        return dict(netrc.netrc(path).hosts)
    except (OSError, UnicodeError, netrc.NetrcParseError):
        return {}


# While forks are delayed: a client of httpx would import it when it is built.
import_module(_library({}).__name__.replace("httpx", "httpcore"))
