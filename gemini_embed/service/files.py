"""The Files API: a file is stored in pieces, looked at, and deleted."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from gemini_embed.background.threads import in_thread
from gemini_embed.errors import BadResponseError
from gemini_embed.service.json_vectors import field_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gemini_embed.service.requests import Reply, Requests

PIECE = 2**21
"""Bytes of a file that travel in one request: it is in memory twice then."""

_NAME = re.compile(r"files/[A-Za-z0-9._-]+")

PREPARED_WITHIN = 600.0
"""Seconds that the service may take to prepare a film."""

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 10.0
"""Seconds between two looks at a file that is being prepared: each pause is half as long again."""

Sleep = Callable[[float], Awaitable[object]]
"""What waits for some seconds."""


class File(NamedTuple):
    """A file as the service shows it; what it does not say, or not in a form to use, is empty.

    Attributes:
        name: Its name, by which it is asked for and deleted.
        uri: Where it lies.
        state: `PROCESSING`, `ACTIVE` or `FAILED`.
    """

    name: str
    uri: str
    state: str


class Files:
    """Files that requests about embeddings name.

    Args:
        requests: Sends what is asked.
        patience: Seconds for a piece.
    """

    def __init__(self, requests: Requests, patience: float) -> None:
        self._requests = requests
        self._patience = patience

    async def upload(
        self,
        pieces: Iterable[bytes],
        size: int,
        mime_type: str,
        *,
        name: str = "",
        before_each: Callable[[], Awaitable[None]] | None = None,
    ) -> File:
        """Store a file.

        Args:
            pieces: Its bytes, `PIECE` at once; they are made on a worker thread.
            size: How many bytes it has.
            mime_type: Its format.
            name: Its name. Default: one that the service makes.
            before_each: Awaited before each request.

        Raises:
            RequestError: The service refused it, or could not be reached in time.
            BadResponseError: The service does not take it as a whole.
        """
        if before_each is not None:
            await before_each()
        where = await self._begin(size, mime_type, name)
        sent, answer = 0, None
        following: Callable[[], bytes] = partial(next, iter(pieces), b"")
        while piece := await in_thread(following):
            if before_each is not None:
                await before_each()
            is_last = sent + len(piece) >= size
            answer = await self._send(where, piece, mime_type, sent, is_last=is_last)
            sent += len(piece)
        status = "" if answer is None else answer.headers.get("x-goog-upload-status", "")
        if answer is None or sent != size or status.lower() != "final":
            raise BadResponseError("the service did not take a file to its end")
        return _file_of(field_of(answer.body, "file"))

    async def _begin(self, size: int, mime_type: str, name: str) -> str:
        """Return the path to which the pieces go."""
        named = {"name": name, "displayName": name.partition("/")[2]} if name else {}
        begun = await self._requests.ask(
            "post",
            _within(self._requests.api_version),
            {"file": named | {"mimeType": mime_type}},
            headers={
                "X-Goog-Upload-Protocol": "resumable",
                "X-Goog-Upload-Command": "start",
                "X-Goog-Upload-Header-Content-Length": str(size),
                "X-Goog-Upload-Header-Content-Type": mime_type,
            },
        )
        where = urlsplit(begun.headers.get("x-goog-upload-url", ""))
        if not where.path:
            raise BadResponseError("the service did not say where to upload a file")
        # At the host that was asked: no other gets what is embedded, and the key.
        return f"/{where.path.lstrip('/')}?{where.query}"

    async def _send(
        self, where: str, piece: bytes, mime_type: str, offset: int, *, is_last: bool
    ) -> Reply:
        headers = {
            "Content-Type": mime_type,
            "X-Goog-Upload-Command": "upload, finalize" if is_last else "upload",
            "X-Goog-Upload-Offset": str(offset),
        }
        return await self._requests.ask(
            "post", where, piece, headers=headers, timeout=self._patience
        )

    async def get(self, name: str) -> File:
        """Return a file.

        Raises:
            RequestError: The service refused, or could not be reached in time.
            BadResponseError: The answer cannot be read.
        """
        return _file_of((await self._requests.ask("get", name)).body)

    async def prepared(
        self,
        made: File,
        sleep: Sleep = asyncio.sleep,
        before_each: Callable[[], Awaitable[None]] | None = None,
    ) -> File:
        """Return a file once the service has prepared it, or is too slow; without a state it has.

        Args:
            made: The file.
            sleep: What waits for some seconds.
            before_each: Awaited before each request.

        Raises:
            RequestError: The service refused, or could not be reached in time.
            BadResponseError: An answer cannot be read.
        """
        waited, pause = 0.0, _FIRST_PAUSE
        while made.state == "PROCESSING" and waited < PREPARED_WITHIN:
            await sleep(pause)
            waited, pause = waited + pause, min(1.5 * pause, _LONGEST_PAUSE)
            if before_each is not None:
                await before_each()
            made = await self.get(made.name)
        return made

    async def delete(self, name: str) -> None:
        """Delete a file; nothing happens where there is none.

        Raises:
            RequestError: The service refused, or could not be reached in time.
        """
        await self._requests.delete(name)


def _file_of(described: Any) -> File:
    name, uri, state = (field_of(described, field) for field in ("name", "uri", "state"))
    known = isinstance(name, str) and _NAME.fullmatch(name)
    return File(
        name if known else "",
        uri if isinstance(uri, str) else "",
        state if isinstance(state, str) else "",
    )


def _within(version: str) -> str:
    """Return the path at which uploads begin: the version stands within it."""
    return f"/upload/{version}/files" if version else "/upload/files"
