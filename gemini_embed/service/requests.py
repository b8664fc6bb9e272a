"""Requests with bodies of our own, which go through the SDK's connection as its own requests do.

The SDK makes the address and the headers, with key or access token, and knows its HTTP library.
It has no method for most of what is asked here, or loses half of the answer; nor has it a public
way to send what we write.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import urlencode

from gemini_embed.errors import BadResponseError, RequestError
from gemini_embed.observe.tracing import quiet
from gemini_embed.service.bodies import written
from gemini_embed.service.bounded import Body
from gemini_embed.service.fast_decode import reading_bare
from gemini_embed.service.json_vectors import field_of
from gemini_embed.service.redirects import BY_OPTION

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping

    from gemini_embed.errors import GeminiEmbedError

_MOST_JSON = 2**24
"""Bytes that an answer of JSON may have."""

_GONE = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})
"""How the service answers about what it does not have."""

_INFLATED_AT_ONCE = 2**16
_MOST_INFLATED = 2**27
"""Bytes of an answer that are decompressed in one go, and what they may come to: zlib makes a
thousand of one at most."""

PATIENCE = 300.0
"""Seconds for a request, or for the next piece of an answer, where `timeout` sets no limit."""


_DONE = frozenset({HTTPStatus.CREATED, HTTPStatus.NO_CONTENT, HTTPStatus.PERMANENT_REDIRECT})
"""What the SDK takes for refusals, and Cloud Storage for answers: an object was stored, it was
deleted, a piece of it was stored. The last one says nowhere to go, so nobody goes."""

_PAGES = 1000
"""Of a list, at most."""

_TOLD_ELSEWHERE = frozenset(
    {
        *("authorization", "user-agent", "x-goog-api-client", "x-goog-user-project"),
        *("content-type", "content-range", "x-upload-content-type", "x-upload-content-length"),
    }
)
"""Headers that go to another place than the service: who asks, who pays, and what of an object it
is. What a caller adds is for the service, or the gateway in front of it."""


class Reply(NamedTuple):
    """An answer.

    Attributes:
        headers: Its headers; their names in any case.
        body: The parsed JSON; nothing, where the status is not 200.
        status: Its HTTP status.
    """

    headers: Mapping[str, str]
    body: Any
    status: int = HTTPStatus.OK


class _Request(NamedTuple):
    """What is sent: see `Requests.ask`."""

    timeout: float
    method: str
    path: str
    body: dict[str, Any] | bytes | None = None
    headers: Mapping[str, str] = MappingProxyType({})


class Line(Protocol):
    """What holds a connection of the SDK: see `transport`."""

    @property
    def inner(self) -> Any:
        """The part of the SDK's client that sends."""
        ...

    @property
    def intercepts(self) -> bool:
        """Whether the connection is ours, not a caller's own."""
        ...

    def translated(self, error: Exception, *, answered: bool) -> GeminiEmbedError:
        """Return our error for what the SDK raised."""
        ...


class Requests:
    """Sends requests through one transport's connection.

    Args:
        transport: The transport.
        timeout: Seconds for a request, or for the next piece of an answer; None for the usual.
        place: Where they go, if not to the service: scheme and host. All paths are whole then.
            It gets the access token that the service gets, and no other secret.
        named_by: What names that place, for who has to change it.
    """

    def __init__(
        self,
        transport: Line,
        timeout: float | None,
        place: str = "",
        *,
        named_by: str = BY_OPTION,
    ) -> None:
        self._transport = transport
        self._place, self._named_by = place, named_by
        self.timeout = PATIENCE if timeout is None else timeout

    async def ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | bytes | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - for one request, within a longer one
    ) -> Reply:
        """Make one request, and return its answer, which is JSON.

        Args:
            method: In lower case.
            path: After the version of the API; with a slash at its beginning, the whole path.
            body: Its JSON, or its bytes as they are.
            headers: Beside the usual.
            timeout: Seconds for it, if not the usual.

        Raises:
            RequestError: The service refused, or could not be reached in time.
            BadResponseError: The answer cannot be read.
        """
        request = _Request(timeout or self.timeout, method, path, body, headers or {})
        async with self._sent(request) as (response, pieces):
            held, status = bytearray(), _status_of(response)
            if status != HTTPStatus.OK:
                return Reply(response.headers, {}, status)
            async for piece in pieces:
                held += piece
                if len(held) > _MOST_JSON:
                    raise BadResponseError(f"the answer is longer than {_MOST_JSON} bytes")
        try:
            return Reply(response.headers, json.loads(held) if held.strip() else {})
        except (RecursionError, ValueError) as error:
            description = type(error).__name__
        raise BadResponseError(f"the answer could not be read: {description}")

    async def delete(self, name: str) -> None:
        """Delete what has a name; nothing happens where there is no such thing.

        Raises:
            RequestError: The service refused, or could not be reached in time.
        """
        try:
            await self.ask("delete", name)
        except RequestError as error:
            if error.status not in _GONE:
                raise

    async def pages(self, path: str, **asked: str | int) -> AsyncIterator[Any]:
        """Yield the pages of a list, to the last.

        Args:
            path: See `ask`.
            asked: What the list is asked for.

        Raises:
            RequestError: The service refused, or could not be reached in time.
            BadResponseError: An answer cannot be read, or the list has no end.
        """
        for _ in range(_PAGES):
            page = (await self.ask("get", f"{path}?{urlencode(asked)}")).body
            yield page
            following = field_of(page, "nextPageToken")
            if not following:
                return
            asked["pageToken"] = str(following)
        raise BadResponseError(f"the service's list has more than {_PAGES} pages")

    @asynccontextmanager
    async def stream(self, path: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        """Make one request, and yield its answer piece by piece, however long it is.

        Raises:
            RequestError: The service refused, or did not go on in time.
            BadResponseError: The answer cannot be read.
        """
        async with self._sent(_Request(self.timeout, "get", path)) as (_, pieces):
            yield pieces

    @asynccontextmanager
    async def _sent(self, request: _Request) -> AsyncGenerator[tuple[Any, AsyncIterator[bytes]]]:
        response = await self._begun(request)
        try:
            yield response, self._pieces(response, request.timeout)
        finally:
            if hasattr(response, "aclose"):  # httpx
                await response.aclose()
            else:
                response.close()

    async def _begun(self, asked: _Request) -> Any:
        """Return the HTTP library's response, of which the body has not been read."""
        inner = self._transport.inner
        try:
            told = _TOLD_ELSEWHERE if self._place else None
            with quiet(), reading_bare(told, self._named_by) as read:
                options = {"api_version": ""} if asked.path.startswith("/") else None
                build, send = inner._build_request, inner._async_request_once  # noqa: SLF001 - see above
                request = build(asked.method, asked.path.lstrip("/"), {}, options)
                body = asked.body or b""
                request.data = written(body) if isinstance(body, dict) else body
                # The limit is ours: the header would end a long answer at the service.
                request.timeout = None
                request.headers.pop("X-Server-Timeout", None)
                if self._place:
                    request.url = f"{self._place}{asked.path}"
                    request.headers = _told_elsewhere(request.headers)
                request.headers.update(asked.headers)
                async with asyncio.timeout(asked.timeout):
                    # Never once more by itself: to create a job twice is to pay for it twice.
                    begun = await send(request, stream=True, implicit_retry=False)
                return begun.response_stream
        except Exception as error:  # noqa: BLE001 - whatever it is, it becomes one of ours
            response = getattr(error, "response", None)
            if response is not None and getattr(error, "code", None) in _DONE:
                return response
            failure = self._transport.translated(error, answered=read.answered)
        raise failure

    async def _pieces(self, response: Any, timeout: float) -> AsyncIterator[bytes]:  # noqa: ASYNC109 - see above
        raw = aiter(self._decompressed(response))
        while True:
            try:
                async with asyncio.timeout(timeout):
                    piece = await anext(raw)
            except StopAsyncIteration:
                return
            except Exception as error:  # noqa: BLE001 - likewise
                failure = self._transport.translated(error, answered=True)
            else:
                yield piece
                continue
            raise failure

    async def _decompressed(self, response: Any) -> AsyncIterator[bytes]:
        if hasattr(response, "aiter_bytes"):  # httpx reads some 64 kB at once, and decompresses it
            async for piece in response.aiter_bytes():
                yield piece
            return
        # A caller's own session of aiohttp decompresses, ours does not.
        ours = self._transport.intercepts
        body = Body(_MOST_INFLATED, response.headers.get("content-encoding", "") if ours else "")
        async for piece in response.content.iter_any():
            for start in range(0, len(piece), _INFLATED_AT_ONCE):
                body.take(piece[start : start + _INFLATED_AT_ONCE])
                yield body.drain()
        body.whole()  # raises where it ended within its compression

    @property
    def api_version(self) -> str:
        """The version of the API that the SDK puts before a path; empty for none."""
        options = getattr(self._transport.inner, "_http_options", None)
        return getattr(options, "api_version", None) or ""


def _status_of(response: Any) -> int:
    status: int = getattr(response, "status_code", 0) or response.status  # httpx, or aiohttp
    return status


def _told_elsewhere(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() in _TOLD_ELSEWHERE}
