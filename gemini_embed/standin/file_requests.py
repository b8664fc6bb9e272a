"""The Files API: resumable upload, get, list, delete, download of results.

Google documents the protocol of uploads, and its SDK follows it: the first request announces a
file and is answered with the address for its bytes, which come in one piece or several.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from aiohttp import web

from gemini_embed.standin import answers, google_errors, protojson
from gemini_embed.standin.answers import Answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from concurrent.futures import Executor

    from gemini_embed.standin.answers import AioHandler, Handler
    from gemini_embed.standin.files import FileStore, Upload

_FIELDS = ("name", "displayName", "mimeType", "sizeBytes")
_PIECE = 2**16
_PAGE = 10  # files of a page, where the request does not say


def continues_upload(request: web.Request) -> bool:
    """Tell whether a request is about an upload that has begun.

    Its address is the caller's alone, so it has no key; its body is not read whole.
    """
    return request.path.startswith("/upload/") and "start" not in _commands(request)


def base_of(request: web.Request) -> str:
    """Return the service's URL, as the caller reached it, with the version of the request."""
    return f"{request.url.origin()}/{request.match_info['version']}"


def page(request: web.Request, listed: list[Any], usual: int, most: int) -> tuple[list[Any], str]:
    """Return the page of a list that a request asks for, and the token of the next one, if any.

    Raises:
        GoogleError: The query makes no sense.
    """
    size = protojson.whole(request.query.get("pageSize", "0"), "page_size") or usual
    start = protojson.whole(request.query.get("pageToken") or "0", "page_token")
    if size < 0 or start < 0:  # presumed wording
        raise google_errors.invalid("page_size and page_token must not be negative.")
    end = start + min(size, most)
    return listed[start:end], str(end) if end < len(listed) else ""


class FileRequests:
    """Answers what is asked of the Files API."""

    def __init__(self, store: FileStore, workers: Executor) -> None:
        self._store = store
        self._workers = workers

    def routes(self, served: Callable[[Handler], AioHandler]) -> list[web.RouteDef]:
        """Return every address; each handler goes through `served`."""
        version = "/{version:v1|v1beta}"
        one = version + "/{name:files/[^/:]+}"
        return [
            web.post("/upload" + version + "/files", served(self.upload)),
            web.get(version + "/files", served(self.list)),
            web.get(one + ":download", served(self.download)),
            web.get(one, served(self.get)),
            web.delete(one, served(self.delete)),
        ]

    async def upload(self, request: web.Request) -> Answer:
        """Begin an upload, or take a piece of one."""
        commands = _commands(request)
        if "start" in commands:
            return self._begin(request, await request.read())
        upload = self._store.upload(request.query.get("upload_id", ""))
        if "upload" in commands:
            await self._take(request, upload)
        elif "query" not in commands:  # presumed wording
            raise google_errors.invalid("X-Goog-Upload-Command is not one of a resumable upload.")
        if "finalize" not in commands:
            received = {"X-Goog-Upload-Size-Received": str(upload.received)}
            return Answer(200, headers={"X-Goog-Upload-Status": "active"} | received)
        file = self._store.finish(upload)
        answer = answers.printed({"file": self._store.described(file, base_of(request))})
        answer.headers["X-Goog-Upload-Status"] = "final"
        return answer

    async def get(self, request: web.Request) -> Answer:
        """Describe a file."""
        file = self._store.find(request.match_info["name"])
        return answers.printed(self._store.described(file, base_of(request)))

    async def list(self, request: web.Request) -> Answer:
        """Describe all files, a page at a time."""
        files, token = page(request, self._store.kept(), _PAGE, 100)
        base = base_of(request)
        told: dict[str, Any] = {"files": [self._store.described(file, base) for file in files]}
        return answers.printed(told | ({"nextPageToken": token} if token else {}))

    async def delete(self, request: web.Request) -> Answer:
        """Forget a file."""
        name = request.match_info["name"]
        self._store.find(name)
        self._store.delete(name)
        return answers.printed({})

    async def download(self, request: web.Request) -> Answer:
        """Send the bytes of a file of results; Google does not give back what was uploaded."""
        file = self._store.find(request.match_info["name"])
        if file.made is None:  # presumed wording
            raise google_errors.invalid("Only generated Files may be downloaded.")
        pieces = self._in_worker(file.made())
        return Answer(200, pieces, {"Content-Type": file.mime_type})

    def _begin(self, request: web.Request, raw: bytes) -> Answer:
        sent = protojson.message(protojson.parse(raw or b"{}"), "", ("file",))
        fields = protojson.message(sent.get("file", {}), "file", _FIELDS)
        told = {name: protojson.text(fields.get(name, ""), f"file.{name}") for name in _FIELDS[:3]}
        size = request.headers.get("X-Goog-Upload-Header-Content-Length")
        upload = self._store.begin(
            name=told["name"],
            display_name=told["displayName"],
            mime_type=told["mimeType"]
            or request.headers.get("X-Goog-Upload-Header-Content-Type", ""),
            size=None if size is None else protojson.whole(size, "size_bytes"),
        )
        url = (
            request.url.origin()
            .join(request.rel_url)
            .with_query(upload_id=upload.id, upload_protocol="resumable")
        )
        status = {"X-Goog-Upload-Status": "active", "X-Goog-Upload-URL": str(url)}
        return Answer(200, headers=status)

    async def _take(self, request: web.Request, upload: Upload) -> None:
        offset = protojson.whole(request.headers.get("X-Goog-Upload-Offset", "0"), "offset")
        if offset != upload.received:  # presumed wording
            raise google_errors.invalid(
                f"The piece begins at {offset}; {upload.received} bytes have come."
            )
        async for piece in request.content.iter_chunked(_PIECE):
            upload.write(piece)

    async def _in_worker(self, pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        following = partial(next, pieces, b"")
        while piece := await loop.run_in_executor(self._workers, following):
            yield piece


def _commands(request: web.Request) -> list[str]:
    said = request.headers.get("X-Goog-Upload-Command", "")
    return [command.strip() for command in said.lower().split(",")]
