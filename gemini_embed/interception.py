"""What comes between the SDK and the service: what is sent, what is read, what the SDK is shown.

Uses what the SDK's two HTTP libraries offer for such things: a session with classes of its own for
requests and responses (aiohttp), and event hooks (httpx, httpx2). The SDK keeps its addresses,
credentials, errors and versions. A request leaves as UTF-8. An answer is read no further than it
can need; its numbers go straight to arrays, and the SDK, which would take `true` and "0.5" for
numbers, is shown the rest. An error is made into something that the SDK can read. A redirect is
followed only where `redirects` allows it.
"""

from __future__ import annotations

import asyncio
import io
import json
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from http import HTTPStatus
from inspect import isawaitable
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from gemini_embed.bodies import as_utf8
from gemini_embed.bounded import ACCEPTED, MOST_BESIDES, Body
from gemini_embed.decoding import Row, part
from gemini_embed.errors import BadResponseError
from gemini_embed.loop import give_way
from gemini_embed.redirects import KEEPING, REDIRECTS, check_redirect

if TYPE_CHECKING:
    import aiohttp
else:
    try:
        import aiohttp
    except ModuleNotFoundError:  # the SDK sends through httpx then
        aiohttp = None

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Mapping

_READ_BUFFER = 2**22
"""Bytes: an answer of 100 vectors is nearly that long. The SDK's own choice."""

_SENT_AT_ONCE = 2**20
"""Bytes: of a longer body aiohttp warns that it holds the loop up, unless it may take pieces."""


@dataclass(eq=False)
class Reading:
    """What one attempt expects of its answer, and what became of it.

    Attributes:
        most: Bytes that an answer may have.
        fast: Whether its numbers may be read with pysimdjson.
        answered: Whether anything came back.
        rows: An answer's vectors, unless a caller's client read it. To be taken out: the event
            loop keeps the context of a timer that was cancelled.
    """

    most: int
    fast: bool
    answered: bool = False
    rows: list[list[Row]] = field(default_factory=list)


_reading: ContextVar[Reading] = ContextVar("reading")


@contextmanager
def reading(most: int, *, fast: bool) -> Generator[Reading]:
    """Yield what is known, afterwards, of the answers that came meanwhile."""
    one = Reading(most, fast)
    token = _reading.set(one)
    try:
        yield one
    finally:
        _reading.reset(token)


async def _for_sdk(
    status: int, headers: Mapping[str, str], reason: str, pieces: AsyncIterator[bytes]
) -> bytes:
    """Read a body, and return what the SDK is shown of it.

    Raises:
        BadResponseError: It is an answer, and too long, wrongly compressed or not to be read.
    """
    encoding = headers.get("content-encoding", "")
    if status == HTTPStatus.OK:
        return _without_numbers(await _read(pieces, Body(_reading.get().most, encoding)))
    try:
        body = await _read(pieces, Body(MOST_BESIDES, encoding))
    except BadResponseError:
        body = b""  # the status says enough
    return _error_as_json(body, reason)


async def _read(pieces: AsyncIterator[bytes], body: Body) -> bytes:
    async for piece in pieces:
        body.take(piece)
    return body.whole()


def _without_numbers(body: bytes) -> bytes:
    """Keep an answer's vectors and return the rest."""
    one = _reading.get()
    one.rows.clear()
    rows, rest = part(body, give_way, fast=one.fast)
    one.rows.append(rows)
    return rest


def _error_as_json(body: bytes, reason: str) -> bytes:
    """Return an error as JSON, which the SDK expects whatever the answer's headers say."""
    try:
        told = json.loads(body)
    except (RecursionError, ValueError):
        told = {"message": body.decode(errors="replace"), "status": reason}
    return json.dumps(told).encode()


def _check_redirect(status: int, asked: object, location: str | None) -> int:
    """Return the status with which the HTTP library sends the same request again."""
    if status not in REDIRECTS or not location:
        return status
    check_redirect(status, str(asked), location)
    return KEEPING


def hooks(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return event hooks for an async client of httpx or httpx2: the caller's, and then ours."""
    of_caller = {name: [_awaited(hook) for hook in some] for name, some in given.items()}
    ours = {"request": _on_request, "response": _on_response}
    return of_caller | {name: [*of_caller.get(name, ()), hook] for name, hook in ours.items()}


def _awaited(hook: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a hook of the caller's as an async one: it may have been written for sync clients."""

    async def call(subject: Any) -> None:
        if isawaitable(outcome := hook(subject)):
            await outcome

    return call


def is_the_sdks(request: Any) -> bool:
    """Tell whether the SDK asks for it, and not `auth` of the caller's: for a token, say.

    httpx gives a timeout to whatever a client is asked to send, redirected requests included, and
    to nothing that an `auth` makes itself.
    """
    return "timeout" in request.extensions


async def _on_request(request: Any) -> None:
    """Replace what is to be sent; called before it is."""
    if not is_the_sdks(request):
        return
    body = await request.aread()
    if (shorter := as_utf8(body)) is not body:
        request.stream = type(request)(request.method, request.url, content=shorter).stream
        request.headers["content-length"] = str(len(shorter))
    request.extensions = {**request.extensions, "trace": _NoAnswerAhead()}


class _NoAnswerAhead:
    """Follows a request of httpx, and refuses an answer that was there before it was sent.

    One that was sent twice, say, would be taken for the answer to the next request. httpx reads
    from the network, which takes a turn of the event loop, unless it read too much before.
    """

    _turned = False

    async def __call__(self, event: str, _: object) -> None:
        if event == "http11.receive_response_headers.started":
            self._turned = False
            asyncio.get_running_loop().call_soon(self._turn)
        elif event == "http11.receive_response_headers.complete" and not self._turned:
            raise BadResponseError("an answer came before its request was sent")

    def _turn(self) -> None:
        self._turned = True


async def _on_response(response: Any) -> None:
    """Replace what is to be read of a response; called before it is."""
    if not is_the_sdks(response.request):
        return
    _reading.get().answered = True
    kept = _check_redirect(response.status_code, response.url, response.headers.get("location"))
    if response.is_stream_consumed:  # a hook of the caller's has read it
        if response.status_code == HTTPStatus.OK:
            _without_numbers(response.content)
    else:
        response_class = type(response)
        raw = response_class(200, headers=response.headers, stream=response.stream)
        body = await _for_sdk(
            response.status_code, response.headers, response.reason_phrase, raw.aiter_raw()
        )
        response.stream = response_class(200, content=body).stream
        response.headers.pop("content-encoding", None)
        response.encoding = "utf-8"
    response.status_code = kept


HAS_AIOHTTP = aiohttp is not None

if aiohttp is not None:

    class _Connector(aiohttp.TCPConnector):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self._used: WeakSet[Any] = WeakSet()

        def __del__(self, *_: object) -> None:
            """Close nothing: we always do, and in a forked child it is the parent's."""

        async def connect(self, *args: Any, **more: Any) -> Any:
            """Give out no connection on which something came that nobody asked for.

            An answer that was sent twice would be taken for the answer to the next request.
            """
            while True:
                connection = await super().connect(*args, **more)
                protocol: Any = connection.protocol
                if protocol not in self._used or not protocol.should_close:
                    self._used.add(protocol)
                    return connection
                connection.close()

    class _Request(aiohttp.ClientRequest):
        def update_body_from_data(self, body: Any, *more: Any, **options: Any) -> None:
            if isinstance(body, bytes):
                body = as_utf8(body)
                if len(body) > _SENT_AT_ONCE:
                    body = io.BytesIO(body)
            super().update_body_from_data(body, *more, **options)

    class _Response(aiohttp.ClientResponse):
        async def start(self, connection: Any) -> _Response:
            await super().start(connection)
            _reading.get().answered = True
            self.status = _check_redirect(self.status, self.url, self.headers.get("location"))
            return self

        async def read(self) -> bytes:
            if self._body is None:
                try:
                    self._body = await _for_sdk(
                        self.status, self.headers, self.reason or "", self.content.iter_any()
                    )
                except BaseException:
                    self.close()
                    raise
            return await super().read()

        async def text(self, encoding: str | None = None, errors: str = "strict") -> str:
            return (await self.read()).decode(encoding or "utf-8", errors)

        async def json(self, **_: Any) -> Any:
            return json.loads(await self.read())


def new_session(headers: Mapping[str, str]) -> aiohttp.ClientSession:
    """Return a session of aiohttp for the SDK, on the running loop."""
    return aiohttp.ClientSession(
        connector=_Connector(limit=0),  # the number of requests is ours to limit
        request_class=_Request,
        response_class=_Response,
        read_bufsize=_READ_BUFFER,
        auto_decompress=False,
        headers={"Accept-Encoding": ACCEPTED, **headers},
    )
