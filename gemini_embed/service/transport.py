"""Sends one batch through Google's SDK, and makes answers and errors of ours of what comes back.

The client is built in `connection`. Hides what differs between the SDK's versions. Imported on the
I/O thread only, at the first call: the SDK takes more than a second to load.
"""

from __future__ import annotations

import asyncio
import weakref
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from google.auth import exceptions as google_auth_errors
from google.genai import errors as genai_errors

from gemini_embed.background import loop, process
from gemini_embed.errors import (
    AuthenticationError,
    BadResponseError,
    GeminiEmbedError,
    ServiceUnavailableError,
)
from gemini_embed.observe.tracing import quiet
from gemini_embed.redaction import Secrets, of_sdk_client, shown_url
from gemini_embed.service.answer import Answer
from gemini_embed.service.backend import own_address
from gemini_embed.service.bounded import most_bytes
from gemini_embed.service.callers import OfCaller, is_watched
from gemini_embed.service.connection import connect, meets_tls, proxy_of
from gemini_embed.service.fast_decode import reading
from gemini_embed.service.faults import broke_off, hopeless, in_words, unsendable, wrong_scheme
from gemini_embed.service.freight import Freight
from gemini_embed.service.posted import Posted
from gemini_embed.service.refusals import refusal
from gemini_embed.service.requests import Requests
from gemini_embed.service.sdk_errors import as_sdk_error
from gemini_embed.service.uploads import Uploads, files_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager

    from gemini_embed.ask import Ask
    from gemini_embed.contents import Batch
    from gemini_embed.media.contents import Medium
    from gemini_embed.service.access import Access
    from gemini_embed.service.connection import Connection
    from gemini_embed.service.fast_decode import Reading
    from gemini_embed.service.files import Files
    from gemini_embed.service.freight import Load

R = TypeVar("R")

_CONNECTION_LIBRARIES = frozenset({"aiohttp", "anyio", "httpcore", "httpcore2", "httpx", "httpx2"})
"""What the SDK sends through; which of them depends on its version and on what is installed."""

_LONGEST_SHOWN = 300


class Transport:
    """One SDK client on the I/O thread's loop."""

    def __init__(self, access: Access, identity: dict[str, Any]) -> None:
        self._access = access
        self._connection = connect(access, identity)
        self._client = self._connection.client
        self._asked = OfCaller(self._client)
        self._posted = Posted(self.inner) if access.client is None else None
        in_pieces = self._connection.intercepts
        self._freight = Freight(access.media_in_flight, in_pieces=in_pieces)
        self._uploads = Uploads()
        self._answered = access.client is not None
        if access.client is None:
            _open.add(self._connection)
            io_loop = asyncio.get_running_loop()
            weakref.finalize(self, _close_later, self._connection, io_loop).atexit = False

    @property
    def inner(self) -> Any:
        """Return the part of the SDK's client that holds secrets; there is no public way."""
        return getattr(self._client, "_api_client", None)

    @property
    def _way(self) -> Posted | OfCaller:
        return self._asked if self._posted is None or is_watched() else self._posted

    @property
    def intercepts(self) -> bool:
        """Whether the connection is ours; a caller's own client is left alone."""
        return self._connection.intercepts

    async def load(self, batch: Batch, ask: Ask) -> Load:
        """Return the media of a batch, ready to be sent: see `freight`."""
        return await self._freight.load(batch, ask, self._uri_of, self.send)

    async def _uri_of(self, medium: Medium) -> str:
        return await self._uploads.uri_of(medium, self._files)

    @property
    def _files(self) -> Files:
        return files_of(Requests(self, self._access.timeout))

    async def send(self, batch: Batch, ask: Ask, load: Load | None = None) -> Answer:
        """Send one batch, once; `load` has its media.

        Raises:
            RequestError: The service refused, or could not be reached in time.
            BadResponseError: The answer cannot be read.
        """
        if ask.route.method == "countTokens":
            return await self._count(batch, ask)
        words = None if load is None else load.words.bytes_of
        most, way = most_bytes(len(batch), ask.dimension), self._way
        reads = reading(
            most, fast=self._access.fast_decode, is_shown=way is self._asked, words=words
        )
        return await self._answer(lambda read: way.embed(batch, ask, load, read), reads)

    async def _count(self, batch: Batch, ask: Ask) -> Answer:
        """Return one number for all of a batch, in the form of a vector: how many tokens it has."""
        reads = reading(most_bytes(1, 1), fast=False, has_vectors=False)
        count = await self._answer(lambda _: self._way.count(batch, ask), reads)
        if not count:
            raise BadResponseError("countTokens was answered without a count")
        return Answer([[count]], None)

    async def _answer(
        self,
        request: Callable[[Reading], Awaitable[R]],
        reads: AbstractContextManager[Reading],
    ) -> R:
        """Make one request through the SDK."""
        is_broken = False
        try:
            with quiet(), reads as read:
                async with asyncio.timeout(self._access.timeout):
                    return await request(read)
        except Exception as error:  # noqa: BLE001 - whatever it is, it becomes one of ours
            answered = read.answered or not self._connection.intercepts
            failure = self.translated(error, answered=answered)
            is_broken = not self._answered and broke_off(error)
        finally:
            self._answered |= read.answered
        # Out here, where what the SDK raised is no context of it, or of what asks for TLS.
        try:
            if is_broken and await meets_tls(self._access):
                failure = self._of_asking(wrong_scheme())
            raise failure
        finally:
            del failure  # or it would hold itself, by its traceback

    def secrets(self) -> Secrets:
        """Return all secrets that requests have now."""
        return Secrets(chain(self._access.secrets(), of_sdk_client(self._client)))

    def translated(self, error: Exception, *, answered: bool) -> GeminiEmbedError:
        """Return our error for what the SDK raised, with that as its cause; neither has secrets.

        `answered` tells whether anything came back.
        """
        response = getattr(error, "response", None)
        clean = self.secrets().cleaned(error)
        if isinstance(clean, GeminiEmbedError):  # from `fast_decode`
            return clean.with_traceback(None)
        if isinstance(error, genai_errors.APIError):
            translated = self._refusal(error, response)
        else:
            description = in_words(type(error).__name__, clean)
            translated = self._meaning(error, description, answered=answered)
        translated.__cause__ = clean
        return translated

    def _refusal(self, error: genai_errors.APIError, response: Any) -> GeminiEmbedError:
        """Return our error for an answer that is none, with the address if it is not Google's."""
        headers = getattr(response, "headers", None)
        url = None if _is_googles(error.details) else getattr(response, "url", None)
        refused = refusal(
            error.code,
            error.details,
            headers,
            identity=self._access.identity,
            asked=shown_url(str(url)) if url else "",
        )
        return as_sdk_error(refused, error.with_traceback(None))

    def _meaning(self, error: Exception, description: str, *, answered: bool) -> GeminiEmbedError:
        if isinstance(error, TimeoutError):
            late = ServiceUnavailableError(f"no answer within {self._access.timeout} s")
            return self._of_asking(late)
        if isinstance(error, google_auth_errors.GoogleAuthError):  # of another server
            return hopeless(error, description) or self._of_token(error, description)
        return self._of_asking(
            hopeless(error, description) or _of_connection(error, description, answered=answered)
        )

    def _of_asking(self, failure: GeminiEmbedError) -> GeminiEmbedError:
        """Return an error that names the address that was asked, and the proxy on the way."""
        options = getattr(self.inner, "_http_options", None)
        address = getattr(options, "base_url", None) or own_address(self._access.backend)
        proxy = proxy_of(self._access, address)
        way = f", by way of the proxy {shown_url(proxy)}" if proxy else ""
        asked = self.secrets().without(f"{shown_url(address)}{way}")
        return failure.with_context(summary=f"{failure.summary}; asked: {asked}")

    def _of_token(
        self, error: google_auth_errors.GoogleAuthError, description: str
    ) -> GeminiEmbedError:
        """Return our error for a fault of google-auth, which fetches access tokens."""
        transport_failed = isinstance(error, google_auth_errors.TransportError)
        if transport_failed or getattr(error, "retryable", False):
            return ServiceUnavailableError(f"no access token could be fetched: {description}")
        return AuthenticationError(f"no access token, with {self._access.identity}: {description}")

    async def aclose(self) -> None:
        """Delete what was stored; close connections, unless the client is the caller's own."""
        await self._uploads.delete_all(self._files)
        if self._access.client is None:
            await _close(self._connection)


def _of_connection(error: Exception, description: str, *, answered: bool) -> GeminiEmbedError:
    """Return our error for a broken connection, or for an answer that nobody could read."""
    library = type(error).__module__.partition(".")[0]
    if isinstance(error, OSError) or library in _CONNECTION_LIBRARIES:
        return ServiceUnavailableError(f"the connection failed: {description}")
    if not answered:
        return unsendable(error, description)
    return BadResponseError(f"the answer could not be read: {description[:_LONGEST_SHOWN]}")


def _is_googles(body: object) -> bool:
    """Tell whether an error has Google's form: google.rpc.Status."""
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    error = body.get("error") if isinstance(body, dict) else None
    return isinstance(error, dict) and {"code", "message", "status"} <= error.keys()


_open: set[Connection] = set()


def _close_later(connection: Connection, io_loop: asyncio.AbstractEventLoop) -> None:
    if io_loop.is_running():
        asyncio.run_coroutine_threadsafe(_close(connection), io_loop)


async def _close(connection: Connection) -> None:
    await connection.close()
    _open.discard(connection)


async def _close_all() -> None:
    await asyncio.gather(*map(_close, list(_open)), return_exceptions=True)


def _after_fork() -> None:
    process.leave_to_parent(*_open)
    for connection in _open:
        connection.leave_to_parent()
    _open.clear()


process.after_fork(_after_fork)
loop.before_stop(_close_all)
