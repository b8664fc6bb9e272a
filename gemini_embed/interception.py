"""Shows the SDK answers without their numbers, which go straight to arrays.

Uses what the SDK and its two HTTP libraries offer for such things: a session of the caller's with
a response class of its own (aiohttp), and an event hook (httpx, httpx2). The SDK keeps its
addresses, credentials, errors and versions. An answer that `decoding` does not know, and one
that is not a 200, reaches the SDK untouched.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from contextvars import ContextVar
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies

from gemini_embed.decoding import part
from gemini_embed.loop import give_way

try:
    import aiohttp
except ModuleNotFoundError:  # the SDK sends through httpx then
    aiohttp = None  # type: ignore[assignment] # there is no other way to say so

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

_READ_BUFFER = 2**22
"""Bytes: an answer of 100 vectors is nearly that long. The SDK's own choice."""

Rows = list["NDArray[np.float32]"]

_kept: ContextVar[list[Rows]] = ContextVar("kept")


@contextmanager
def rows_of_answer() -> Iterator[list[Rows]]:
    """Yield a list that holds an answer's vectors afterwards, unless the SDK was given them.

    They are to be popped: the event loop keeps the context of a timer that was cancelled.
    """
    kept: list[Rows] = []
    token = _kept.set(kept)
    try:
        yield kept
    finally:
        _kept.reset(token)


def _intercepted(body: bytes) -> bytes | None:
    """Keep an answer's vectors and return the rest; None where nobody asked, or it is no answer."""
    kept = _kept.get(None)
    if kept is None:
        return None
    kept.clear()
    parted = part(body, give_way)
    if parted is None:
        return None
    kept.append(parted.rows)
    return parted.rest


def hooked(client_args: Mapping[str, Any]) -> dict[str, Any]:
    """Return options for an async client of httpx or httpx2, with our hook after the caller's."""
    hooks = dict(client_args.get("event_hooks") or {})
    hooks["response"] = [*(hooks.get("response") or ()), _on_response]
    return {**client_args, "event_hooks": hooks}


async def _on_response(response: Any) -> None:
    """Replace what is to be read of a response; called before it is."""
    if response.status_code != HTTPStatus.OK or _kept.get(None) is None:
        return
    if response.is_stream_consumed:  # a hook of the caller's has read it
        return
    response_class = type(response)
    whole = response_class(200, headers=response.headers, stream=response.stream)
    body = await whole.aread()  # decompressed
    rest = _intercepted(body)
    response.stream = response_class(200, content=body if rest is None else rest).stream
    response.headers.pop("content-encoding", None)


if aiohttp is not None:

    class _Connector(aiohttp.TCPConnector):
        def __del__(self, *_: object) -> None:
            """Close nothing: we always do, and in a forked child it is the parent's."""

    class _Response(aiohttp.ClientResponse):
        async def text(self, encoding: str | None = None, errors: str = "strict") -> str:
            rest = _intercepted(await self.read()) if self.status == HTTPStatus.OK else None
            return await super().text(encoding, errors) if rest is None else rest.decode()


def new_session(client_args: Mapping[str, Any]) -> aiohttp.ClientSession | None:
    """Return a session for the SDK on the running loop; None where it will send through httpx."""
    if aiohttp is None or client_args.get("transport") is not None:
        return None
    return aiohttp.ClientSession(
        connector=_Connector(limit=0),  # the number of requests is ours to limit
        response_class=_Response,
        read_bufsize=_READ_BUFFER,
        trust_env=_environment_has_a_say(),
    )


def _environment_has_a_say() -> bool:
    """Tell whether the environment names a proxy or a netrc file.

    aiohttp would look for both at each request, on another thread each time: a third of a query.
    Looked up once a session, so what is set later counts from the next one on.
    """
    netrc = os.environ.get("NETRC") or ("~/_netrc" if os.name == "nt" else "~/.netrc")
    path = os.path.expanduser(netrc)  # noqa: PTH111 - Path's own raises where there is no home
    return bool(getproxies()) or os.access(path, os.R_OK)
