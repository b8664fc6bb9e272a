"""Objects in Google Cloud Storage: stored, looked at, listed, read and deleted, by its JSON API.

The requests go through the SDK's connection, with its access token. An address of an object is
`gs://BUCKET/NAME`. As documented: cloud.google.com/storage/docs/json_api.
"""

from __future__ import annotations

import os
import re
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from gemini_embed.background.threads import in_thread
from gemini_embed.errors import BadResponseError, RequestError
from gemini_embed.gs import GsAddress
from gemini_embed.service.json_vectors import field_of
from gemini_embed.service_address import read_address, warn_of_plain_http

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Generator,
        Iterable,
    )

    from gemini_embed.service.requests import Reply, Requests

_GOOGLES = "https://storage.googleapis.com"
STORAGE_VARIABLE = "STORAGE_EMULATOR_HOST"
"""Where Google's own clients of Cloud Storage look for another address."""

_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})
"""What somebody has to mend who may: no other try would pass."""

_ROLE = "roles/storage.objectUser"
"""Has all permissions that are needed."""

_PAGE = 1000
_STORED = re.compile(r"bytes=0-(\d{1,15})")


class Stored(NamedTuple):
    """An object.

    Attributes:
        name: Its address.
        size: Its bytes.
    """

    name: str
    size: int


def storage_address() -> str:
    """Return where Cloud Storage is: Google's address, or what the environment names.

    Raises:
        ConfigurationError: The variable holds no address.
    """
    written = os.environ.get(STORAGE_VARIABLE, "").strip()
    if written and "://" not in written:  # as Google's client for Go takes it
        written = f"http://{written}"
    address = read_address(written, STORAGE_VARIABLE)
    if address is None:
        return _GOOGLES
    warn_of_plain_http(address)
    return address.url


class Buckets:
    """Cloud Storage.

    Args:
        requests: Sends what is asked, to Cloud Storage.
        patience: Seconds for a piece of an object.
    """

    def __init__(self, requests: Requests, patience: float) -> None:
        self._requests = requests
        self._patience = patience

    async def upload(
        self,
        name: str,
        pieces: Iterable[bytes],
        size: int,
        mime_type: str,
        before_each: Callable[[], Awaitable[None]],
    ) -> None:
        """Store an object under a name that has none.

        Args:
            name: Its address.
            pieces: Its bytes, each but the last a multiple of 256 KiB; made on a worker thread.
            size: How many bytes it has.
            mime_type: Its format.
            before_each: Awaited before each request.

        Raises:
            RequestError: It was refused, or could not be reached in time.
            BadResponseError: It is not stored as a whole.
        """
        await before_each()
        with _explained(name, "storage.objects.create"):
            where = await self._begin(name, size, mime_type)
            sent, answer = 0, None
            following: Callable[[], bytes] = partial(next, iter(pieces), b"")
            while piece := await in_thread(following):
                end = sent + len(piece)
                while sent < end:
                    await before_each()
                    answer = await self._send(where, piece[sent - end :], sent, size)
                    stored = size if _is_whole(answer) else _stored(answer)
                    if not sent < stored <= end:
                        raise BadResponseError(f"{name} was not stored as it was sent")
                    sent = stored
        if answer is None or sent != size or not _is_whole(answer):
            raise BadResponseError(f"{name} was not stored to its end")

    async def _begin(self, name: str, size: int, mime_type: str) -> str:
        """Return the path to which the pieces go."""
        bucket, said = _parts(name)
        # Generation 0 is an object that does not exist: nothing is ever overwritten.
        asked = {"uploadType": "resumable", "ifGenerationMatch": 0, "name": said}
        begun = await self._requests.ask(
            "post",
            f"/upload/storage/v1/b/{bucket}/o?{urlencode(asked)}",
            {"contentType": mime_type},
            headers={
                "Content-Type": "application/json",
                "X-Upload-Content-Type": mime_type,
                "X-Upload-Content-Length": str(size),
            },
        )
        where = urlsplit(begun.headers.get("location", ""))
        if not where.path:
            raise BadResponseError("Cloud Storage did not say where to upload an object")
        # At the host that was asked: no other gets what is embedded, and the token.
        return f"/{where.path.lstrip('/')}?{where.query}"

    async def _send(self, where: str, piece: bytes, offset: int, size: int) -> Reply:
        place = f"bytes {offset}-{offset + len(piece) - 1}/{size}"
        return await self._requests.ask(
            "put", where, piece, headers={"Content-Range": place}, timeout=self._patience
        )

    async def size(self, name: str) -> int:
        """Return how many bytes an object has.

        Raises:
            RequestError: It was refused, or could not be reached in time.
            BadResponseError: The answer cannot be read.
        """
        with _explained(name, "storage.objects.get"):
            return _size(field_of((await self._requests.ask("get", _path(name))).body, "size"))

    async def list(self, folder: str) -> list[Stored]:
        """Return the objects whose addresses begin like this.

        Raises:
            RequestError: It was refused, or could not be reached in time.
            BadResponseError: An answer cannot be read, or the list has no end.
        """
        bucket, prefix = _parts(folder)
        path = f"/storage/v1/b/{bucket}/o"
        found: list[Stored] = []
        with _explained(folder, "storage.objects.list"):
            async for page in self._requests.pages(path, prefix=prefix, maxResults=_PAGE):
                found += _listed(page, bucket, prefix)
        return found

    async def delete(self, name: str) -> None:
        """Delete an object; nothing happens where there is none.

        Raises:
            RequestError: It was refused, or could not be reached in time.
        """
        with _explained(name, "storage.objects.delete"):
            try:
                await self._requests.ask("delete", _path(name))
            except RequestError as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise

    @asynccontextmanager
    async def stream(self, name: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        """Yield an object piece by piece.

        Raises:
            RequestError: It was refused, or did not go on in time.
            BadResponseError: It cannot be read.
        """
        with _explained(name, "storage.objects.get"):
            async with self._requests.stream(f"{_path(name)}?alt=media") as pieces:
                yield pieces


def _parts(name: str) -> tuple[str, str]:
    """Return bucket and name of an address.

    Raises:
        BadResponseError: It is none: a service named it.
    """
    address = GsAddress.read(name)
    if address is None:
        raise BadResponseError("the service named a place in Cloud Storage that is none")
    return address.bucket, address.name


def _path(name: str) -> str:
    bucket, said = _parts(name)
    return f"/storage/v1/b/{bucket}/o/{quote(said, safe='')}"


def _listed(page: Any, bucket: str, prefix: str) -> Iterable[Stored]:
    items = field_of(page, "items") or []
    if not isinstance(items, list):
        raise BadResponseError("the list of a bucket's objects is none")
    for item in items:
        name = field_of(item, "name")
        if not isinstance(name, str) or not name.startswith(prefix):
            raise BadResponseError("a bucket's list has an object that was not asked for")
        yield Stored(str(GsAddress(bucket, name)), _size(field_of(item, "size")))


def _size(said: Any) -> int:
    """Return a size, which the JSON API writes as a string."""
    if not isinstance(said, str) or not re.fullmatch("[0-9]{1,15}", said):
        raise BadResponseError("Cloud Storage did not say how large an object is")
    return int(said)


def _is_whole(answer: Reply) -> bool:
    """Tell whether an upload is at its end."""
    return answer.status != HTTPStatus.PERMANENT_REDIRECT


def _stored(answer: Reply) -> int:
    """Return how many bytes of an object are stored."""
    found = _STORED.fullmatch(answer.headers.get("range", ""))
    return int(found[1]) + 1 if found else 0


@contextmanager
def _explained(name: str, permission: str) -> Generator[None]:
    """Say of a refusal which bucket it is about, and what is needed there."""
    try:
        yield
    except RequestError as error:
        if error.status not in _REFUSED:
            raise
        bucket, _ = _parts(name)
        summary = (
            f"the bucket gs://{bucket}: {error.summary}. It must exist, and who asks needs "
            f"{permission} there: the role {_ROLE} has all that batches need"
        )
        raise error.with_context(summary=summary) from error.__cause__
