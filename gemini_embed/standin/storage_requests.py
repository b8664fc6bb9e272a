"""Cloud Storage's JSON API, as far as batches of Vertex AI need it: upload, list, get, delete.

Google documents all of it: https://cloud.google.com/storage/docs/json_api.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from typing import TYPE_CHECKING, Any

from aiohttp import BodyPartReader, web

from gemini_embed.standin import answers, protojson, storage_errors
from gemini_embed.standin.answers import Answer
from gemini_embed.standin.storage import PIECE, check_bucket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from gemini_embed.standin.answers import AioHandler, Handler
    from gemini_embed.standin.storage import Session, Storage, StoredObject

_ROOT = "/storage/v1/b/{bucket:[^/]+}"
_OBJECT = _ROOT + "/o/{name:.+}"
_UPLOADS = "/upload/storage/v1/b/{bucket:[^/]+}/o"
_AT_ONCE = 2**16
_PAGE = 1000
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_PIECE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
_PLAIN = "application/octet-stream"
_GZIP = 31  # zlib's word for it


def carries_bytes(request: web.Request) -> bool:
    """Tell whether the body of a request is, or holds, that of an object: it is not read whole."""
    uploads = request.path.startswith("/upload/storage/")
    return uploads and (request.method == "PUT" or request.query.get("uploadType") != "resumable")


class StorageRequests:
    """Answers what is asked of Cloud Storage."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def routes(self, served: Callable[[Handler], AioHandler]) -> list[web.RouteDef]:
        """Return every address; each handler goes through `served`."""
        return [
            web.post(_UPLOADS, served(self.upload)),
            web.put(_UPLOADS, served(self.take)),
            web.get(_ROOT, served(self.bucket)),
            web.get(_ROOT + "/o", served(self.list)),
            web.get(_OBJECT, served(self.get)),
            web.get("/download" + _OBJECT, served(self.get)),
            web.delete(_OBJECT, served(self.delete)),
        ]

    async def bucket(self, request: web.Request) -> Answer:
        """Describe a bucket."""
        name = request.match_info["bucket"]
        check_bucket(name, "storage.buckets.get")
        return answers.printed({"kind": "storage#bucket", "id": name, "name": name})

    async def upload(self, request: web.Request) -> Answer:
        """Store an object, or begin to."""
        match request.query.get("uploadType"):
            case "resumable":
                return self._begin(request, await request.read())
            case "media":
                path = self._storage.new_path()
                await _written(request.content.iter_chunked(_AT_ONCE), path)
                kind = request.headers.get("Content-Type", _PLAIN)
                return self._stored(request, request.query.get("name", ""), kind, path)
            case "multipart":
                return await self._multipart(request)
        raise storage_errors.invalid("uploadType must be media, multipart or resumable.")

    async def take(self, request: web.Request) -> Answer:
        """Take a piece of a resumable upload, or say how much of it has come."""
        session = self._storage.session(request.query.get("upload_id", ""))
        session.keep()  # the last piece may have broken off
        start, end, size = _place(request.headers.get("Content-Range"), session.received)
        if start is None:
            return self._kept(session, whole=size == session.received)
        if start > session.received:  # presumed wording
            raise storage_errors.invalid(
                f"The piece begins at {start}; {session.received} bytes have come."
            )
        pieces = _beyond(request.content.iter_chunked(_AT_ONCE), session.received - start)
        await _written(pieces, session.path)
        if end is not None and session.came != end + 1:
            raise storage_errors.invalid(f"The piece ends before {end}.")
        is_whole = end is None or session.came == size
        if not is_whole and session.came - start < PIECE:
            raise storage_errors.too_short(session.came - start, PIECE)
        return self._kept(session, whole=is_whole)

    async def list(self, request: web.Request) -> Answer:
        """List the objects of a bucket, a page at a time; a list of none has no `items`."""
        query = request.query
        objects = self._storage.listed(request.match_info["bucket"], query.get("prefix", ""))
        after = _token(query.get("pageToken", ""))
        objects = [one for one in objects if one.name > after]
        most = protojson.whole(query.get("maxResults", str(_PAGE)), "maxResults")
        page = objects[: min(max(most, 1), _PAGE)]
        told: dict[str, Any] = {"kind": "storage#objects"}
        if len(page) < len(objects):
            told["nextPageToken"] = base64.urlsafe_b64encode(page[-1].name.encode()).decode()
        if page:
            told["items"] = [one.described() for one in page]
        return answers.printed(told)

    async def get(self, request: web.Request) -> Answer:
        """Describe an object, or send its bytes or some of them."""
        stored = self._storage.find(request.match_info["bucket"], request.match_info["name"])
        if request.query.get("alt") != "media" and not request.path.startswith("/download/"):
            return answers.printed(stored.described())
        return _sent(request, stored)

    async def delete(self, request: web.Request) -> Answer:
        """Forget an object."""
        self._storage.delete(request.match_info["bucket"], request.match_info["name"])
        return Answer(204, headers={})

    def _begin(self, request: web.Request, raw: bytes) -> Answer:
        given = protojson.parse(raw or b"{}")
        name = request.query.get("name") or _text(given, "name")
        kind = request.headers.get("X-Upload-Content-Type") or _text(given, "contentType")
        session = self._storage.begin(
            request.match_info["bucket"], _named(name), kind or _PLAIN, _must_be(request)
        )
        url = request.url.origin().join(request.rel_url)
        where = url.update_query(upload_id=session.id)
        return Answer(200, headers={"Location": str(where), "X-GUploader-UploadID": session.id})

    async def _multipart(self, request: web.Request) -> Answer:
        """Store an object whose description comes first, and then its bytes."""
        parts = await request.multipart()
        first, second = await parts.next(), None
        path = self._storage.new_path()
        if isinstance(first, BodyPartReader):
            given = protojson.parse(await first.read())
            second = await parts.next()
        if not isinstance(second, BodyPartReader):
            raise storage_errors.invalid("A multipart upload has two parts.")
        await _written(_pieces_of(second), path)
        name = request.query.get("name") or _text(given, "name")
        kind = _text(given, "contentType") or second.headers.get("Content-Type", _PLAIN)
        return self._stored(request, name, kind, path)

    def _stored(self, request: web.Request, name: str, kind: str, path: Path) -> Answer:
        bucket = request.match_info["bucket"]
        self._storage.check(bucket, _named(name), _must_be(request))
        return answers.printed(self._storage.put(bucket, name, kind, path).described())

    def _kept(self, session: Session, *, whole: bool) -> Answer:
        if whole:
            return answers.printed(self._storage.finish(session).described())
        session.keep()
        held = f"bytes=0-{session.received - 1}"
        return Answer(308, headers={"Range": held} if session.received else {})


def _sent(request: web.Request, stored: StoredObject) -> Answer:
    headers = {
        "Content-Type": stored.content_type,
        "X-Goog-Generation": str(stored.generation),
    }
    if wanted := _RANGE.fullmatch(request.headers.get("Range", "")):
        start = int(wanted[1])
        end = min(int(wanted[2] or stored.size), stored.size - 1)
        if start > end:
            raise storage_errors.out_of_range()
        headers["Content-Range"] = f"bytes {start}-{end}/{stored.size}"
        return Answer(206, _bytes(stored.path, start, end + 1), headers)
    pieces = _bytes(stored.path, 0, stored.size)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        return Answer(200, _compressed(pieces), headers | {"Content-Encoding": "gzip"})
    return Answer(200, pieces, headers)


async def _bytes(path: Path, start: int, end: int) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while piece := file.read(min(_AT_ONCE, end - start)):
            start += len(piece)
            yield piece


async def _compressed(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    packer = zlib.compressobj(level=1, wbits=_GZIP)
    async for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()


async def _written(pieces: AsyncIterator[bytes], path: Path) -> None:
    with path.open("ab") as file:
        async for piece in pieces:
            file.write(piece)


async def _beyond(pieces: AsyncIterator[bytes], known: int) -> AsyncIterator[bytes]:
    """Yield pieces without so many bytes at their beginning, which came before."""
    async for piece in pieces:
        yield piece[known:]
        known = max(0, known - len(piece))


async def _pieces_of(part: BodyPartReader) -> AsyncIterator[bytes]:
    while piece := await part.read_chunk(_AT_ONCE):
        yield piece


def _place(given: str | None, received: int) -> tuple[int | None, int | None, int | None]:
    """Return where a piece begins, where it ends, and the size of all; each if it is known.

    One that says nothing is all that is left; one without a beginning asks how much has come.
    """
    if given is None:
        return received, None, None
    found = _PIECE.fullmatch(given)
    if found is None:
        raise storage_errors.invalid(f"Content-Range is {given!r}.")
    start, end, size = (None if one in (None, "*") else int(one) for one in found.groups())
    return start, end, size


def _named(name: str) -> str:
    if not name:
        raise storage_errors.StorageError(400, "required", "Required parameter: name")
    return name


def _must_be(request: web.Request) -> int | None:
    given = request.query.get("ifGenerationMatch")
    return None if given is None else protojson.whole(given, "ifGenerationMatch")


def _token(given: str) -> str:
    try:
        return base64.urlsafe_b64decode(given).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise storage_errors.invalid("Invalid argument.") from None


def _text(given: Any, name: str) -> str:
    value = given.get(name) if isinstance(given, dict) else None
    return value if isinstance(value, str) else ""
