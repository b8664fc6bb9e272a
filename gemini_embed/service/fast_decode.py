"""Our hooks in the SDK's HTTP libraries, which change requests and answers on their way.

They are what these libraries offer: our own classes of requests and responses for a session
(aiohttp), and event hooks (httpx, httpx2). Addresses, credentials, errors and versions stay with
the SDK. The bytes of media stream into a request. An answer is read no further than the length
that it may need, and its numbers go straight into arrays. An error is turned into JSON, which the
SDK can read. A redirect is followed only where `redirects` allows it.
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

from gemini_embed.background.loop import give_way
from gemini_embed.errors import BadResponseError
from gemini_embed.service.bounded import ACCEPTED, MOST_BESIDES, Body
from gemini_embed.service.json_vectors import Parted, split_answer
from gemini_embed.service.pieces import InTurn, Pieces
from gemini_embed.service.redirects import BY_OPTION, KEEPING, REDIRECTS, check_redirect

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
"""Bytes: an answer of 100 vectors is nearly as long. The SDK chooses the same."""

_OF_HTTP = {"accept", "accept-encoding", "connection", "content-length", "host"}
"""Headers that a request needs, whoever is asked."""

_SENT_AT_ONCE = 2**20
"""Bytes: aiohttp warns that a longer body blocks the loop, unless it can read it in pieces."""


@dataclass(eq=False)
class Reading:
    """What one attempt expects of its answer, and what became of it.

    Attributes:
        most: Bytes that an answer may have.
        fast: Whether its numbers may be read with pysimdjson.
        has_vectors: Whether vectors are to be taken out of it.
        is_shown: Whether the SDK reads them, too.
        is_bare: Whether an answer, unless it is an error, passes as it is.
        told: The only headers that the request may have beside HTTP's own; None for any.
        named_by: What names the host that is asked: an option, or a variable of the environment.
        words: What stands for bytes in the body of its request.
        answered: Whether anything came back.
        parts: The answer's vectors and what it says beside them; none where a caller's own client
            read it. Take it out after use: a cancelled timer may keep this object alive for a
            while.
    """

    most: int
    fast: bool
    has_vectors: bool = True
    is_shown: bool = False
    is_bare: bool = False
    told: frozenset[str] | None = None
    named_by: str = BY_OPTION
    words: Mapping[bytes, bytes] | None = None
    answered: bool = False
    parts: list[Parted] = field(default_factory=list)


_reading: ContextVar[Reading] = ContextVar("reading")


@contextmanager
def reading(
    most: int,
    *,
    fast: bool,
    has_vectors: bool = True,
    is_shown: bool = False,
    words: Mapping[bytes, bytes] | None = None,
) -> Generator[Reading]:
    """Yield a record that the hooks fill in as answers come."""
    one = Reading(most, fast, has_vectors, is_shown, words=words)
    token = _reading.set(one)
    try:
        yield one
    finally:
        _reading.reset(token)


@contextmanager
def reading_bare(
    told: frozenset[str] | None = None, named_by: str = BY_OPTION
) -> Generator[Reading]:
    """Yield a record for a request whose answer passes as it is; `told` and `named_by` as there."""
    one = Reading(
        MOST_BESIDES, fast=False, has_vectors=False, is_bare=True, told=told, named_by=named_by
    )
    token = _reading.set(one)
    try:
        yield one
    finally:
        _reading.reset(token)


async def _for_sdk(
    status: int, headers: Mapping[str, str], reason: str, pieces: AsyncIterator[bytes]
) -> bytes:
    """Read a body, and return what the SDK gets of it.

    Raises:
        BadResponseError: The status is 200, and the body too long, wrongly compressed or
        unreadable.
    """
    encoding = headers.get("content-encoding", "")
    if status == HTTPStatus.OK:
        return _parted(await _read(pieces, Body(_reading.get().most, encoding)))
    try:
        body = await _read(pieces, Body(MOST_BESIDES, encoding))
    except BadResponseError:
        body = b""  # the status says enough
    return _error_as_json(body, reason)


async def _read(pieces: AsyncIterator[bytes], body: Body) -> bytes:
    async for piece in pieces:
        body.take(piece)
    return body.whole()


def _parted(body: bytes) -> bytes:
    """Keep what an answer with vectors says, and return what the SDK gets of it."""
    one = _reading.get()
    one.parts.clear()
    if not one.has_vectors:
        return body
    one.parts.append(split_answer(body, give_way, fast=one.fast))
    return body if one.is_shown else b""


def _error_as_json(body: bytes, reason: str) -> bytes:
    """Return an error as JSON, which the SDK expects whatever the answer's headers say."""
    try:
        shown = json.loads(body)
    except (RecursionError, ValueError):
        shown = {"message": body.decode(errors="replace"), "status": reason}
    return json.dumps(shown).encode()


def _check_redirect(status: int, asked: object, location: str | None) -> int:
    """Return the status with which the HTTP library sends the same request again."""
    if status not in REDIRECTS or not location:
        return status
    check_redirect(status, str(asked), location, _reading.get().named_by)
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
    """Tell whether a request is the SDK's, and not one of the caller's `auth`, for a token perhaps.

    httpx gives a timeout to each request that a client is asked to send, redirected ones included,
    and to none that an `auth` makes.
    """
    return "timeout" in request.extensions


async def _on_request(request: Any) -> None:
    """Replace the body of a request; httpx calls this before it sends."""
    if not is_the_sdks(request):
        return
    if (told := _reading.get().told) is not None:
        for name in {*request.headers} - told - _OF_HTTP:  # a caller's own, of the client
            del request.headers[name]
    if words := _reading.get().words:
        pieces = Pieces(await request.aread(), words)
        request.stream = type(request)(request.method, request.url, content=InTurn(pieces)).stream
        request.headers["content-length"] = str(pieces.size)
    request.extensions = {**request.extensions, "trace": _NoAnswerAhead()}


class _NoAnswerAhead:
    """Refuses an answer that had come before its request was sent; httpx tells it of each step.

    An answer that a server sends twice would be taken for the answer to the next request. To read
    from the network takes a turn of the event loop: an answer that takes none was read before.
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
    """Replace the body of a response; httpx calls this before anybody reads it."""
    if not is_the_sdks(response.request):
        return
    _reading.get().answered = True
    status = _check_redirect(response.status_code, response.url, response.headers.get("location"))
    if _reading.get().is_bare and response.status_code == HTTPStatus.OK:
        pass
    elif response.is_stream_consumed:  # a hook of the caller's has read it
        if response.status_code == HTTPStatus.OK:
            _parted(response.content)
    else:
        response_class = type(response)
        raw = response_class(200, headers=response.headers, stream=response.stream)
        body = await _for_sdk(
            response.status_code, response.headers, response.reason_phrase, raw.aiter_raw()
        )
        response.stream = response_class(200, content=body).stream
        response.headers.pop("content-encoding", None)
        response.encoding = "utf-8"
    response.status_code = status


HAS_AIOHTTP = aiohttp is not None

if aiohttp is not None:

    class _Connector(aiohttp.TCPConnector):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self._used: WeakSet[Any] = WeakSet()

        def __del__(self, *_: object) -> None:
            """Close nothing; aiohttp's own closes what nobody has closed.

            We always close it, but in a forked child. There the connections are the parent's: to
            close one would take it out of the epoll set that both processes share.
            """

        async def connect(self, *args: Any, **more: Any) -> Any:
            """Use no connection again on which bytes have come that nobody asked for.

            An answer that a server sends twice would be taken for the answer to the next request.
            """
            while True:
                connection = await super().connect(*args, **more)
                protocol: Any = connection.protocol
                if protocol not in self._used or not protocol.should_close:
                    self._used.add(protocol)
                    return connection
                connection.close()

    class _InPieces(aiohttp.Payload):
        _value: Pieces
        _autoclose = True

        def __init__(self, pieces: Pieces) -> None:
            super().__init__(pieces, content_type="application/json")
            self._size = pieces.size

        def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
            return b"".join(self._value).decode(encoding, errors)

        async def write(self, writer: Any) -> None:
            for piece in self._value:
                await writer.write(piece)

    class _Request(aiohttp.ClientRequest):
        def update_body_from_data(self, body: Any, *more: Any, **options: Any) -> None:
            if isinstance(body, bytes) and (words := _reading.get().words):
                body = _InPieces(Pieces(body, words))
            elif isinstance(body, bytes) and len(body) > _SENT_AT_ONCE:
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
        connector=_Connector(limit=0),  # `gate` limits the number of requests
        request_class=_Request,
        response_class=_Response,
        read_bufsize=_READ_BUFFER,
        auto_decompress=False,
        headers={"Accept-Encoding": ACCEPTED, **headers},
    )
