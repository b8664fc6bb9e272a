"""Media that are too large for a request: stored with the Files API, once for each content.

Runs on the I/O thread. Google keeps a file for 48 hours; what was stored here is deleted when its
embedder is closed.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from gemini_embed.background.threads import in_thread
from gemini_embed.durations import duration
from gemini_embed.errors import (
    BadResponseError,
    GeminiEmbedError,
    InvalidInputError,
    QuotaExceededError,
    ServiceUnavailableError,
)
from gemini_embed.media.files import check_unchanged, digest_of_file, opened
from gemini_embed.service.files import PIECE, PREPARED_WITHIN, Files

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import BinaryIO

    from gemini_embed.media.contents import Medium
    from gemini_embed.service.files import File, Sleep
    from gemini_embed.service.requests import Requests

_LIFE = 47 * 3600.0
"""Seconds for which a file is used again: Google keeps it an hour longer."""

_SLOWEST = 2**18
"""Bytes a second that an upload has at least, or it is given up."""

_UNUSABLE = {
    "FAILED": "the service could not read the file that was uploaded",
    "PROCESSING": (
        f"the service was still preparing the file {duration(PREPARED_WITHIN)} after it was "
        "uploaded; embed it again later, or shorter parts of it"
    ),
}
"""What is said of a file that cannot be used, by its state."""

_TO_DELETE = 10.0
"""Seconds that a deletion may take: somebody waits for the end."""


class Stored(NamedTuple):
    """A file with the service.

    Attributes:
        file: As the service showed it last.
        until: When it is not used any more, by the clock of the loop.
    """

    file: File
    until: float


class Uploads:
    """The files of one embedder, by the hash of what is in them and their format.

    Args:
        sleep: What waits for some seconds.
    """

    def __init__(self, sleep: Sleep = asyncio.sleep) -> None:
        self._sleep = sleep
        self._stored: dict[tuple[str, str], Stored] = {}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}

    async def uri_of(self, medium: Medium, files: Files) -> str:
        """Return where a medium lies with the service, once it does.

        Args:
            medium: The medium.
            files: The Files API.

        Raises:
            InvalidInputError: It cannot be read, or the service can make nothing of it.
            GeminiEmbedError: It could not be stored.
        """
        with ExitStack() as stack:
            file: BinaryIO = await in_thread(stack.enter_context, opened(_source(medium)))
            check_unchanged(file, medium.media.path or "", medium.stamp)
            digest = await in_thread(digest_of_file, file)
            check_unchanged(file, medium.media.path or "", medium.stamp)
            key = digest, medium.mime_type
            async with self._locks.setdefault(key, asyncio.Lock()):
                now = asyncio.get_running_loop().time()
                stored = self._stored.get(key)
                if stored is None or stored.until < now:
                    made = await _unpaced(_upload(file, medium, files))
                    stored = self._stored[key] = Stored(made, now + _LIFE)
                    check_unchanged(file, medium.media.path or "", medium.stamp)
                return await self._prepared(key, stored, files)

    async def _prepared(self, key: tuple[str, str], stored: Stored, files: Files) -> str:
        """Return where a file lies, once the service has prepared it; what says no state is ready.

        A look that fails is no reason to upload it again.
        """
        made = await _unpaced(files.prepared(stored.file, self._sleep))
        stored = self._stored[key] = stored._replace(file=made)
        if stored.file.state in _UNUSABLE:
            del self._stored[key]
            await _delete(stored.file.name, files)
            raise InvalidInputError(_UNUSABLE[stored.file.state], reason="not taken")
        return stored.file.uri

    async def delete_all(self, files: Files) -> None:
        """Delete all of them, as far as that can be done: Google deletes them soon anyway."""
        stored, self._stored = list(self._stored.values()), {}
        await asyncio.gather(*(_delete(one.file.name, files) for one in stored))


def files_of(requests: Requests) -> Files:
    """Return the Files API, which media go to."""
    return Files(requests, requests.timeout + PIECE / _SLOWEST)


def _source(medium: Medium) -> bytes | str:
    source = medium.media.source
    assert source is not None  # noqa: S101 - what has a URI lies with the service already
    return source


async def _delete(name: str, files: Files) -> None:
    with suppress(GeminiEmbedError, TimeoutError):
        async with asyncio.timeout(_TO_DELETE):
            await files.delete(name)


async def _upload(file: BinaryIO, medium: Medium, files: Files) -> File:
    pieces = iter(partial(file.read, PIECE), b"")
    made = await files.upload(pieces, medium.size or 0, medium.mime_type)
    if not made.uri or not made.name:
        raise BadResponseError("the Files API did not say where it stored a file")
    return made


async def _unpaced(asked: Awaitable[File]) -> File:
    """Return a file; a quota of files makes nothing wait but this."""
    try:
        return await asked
    except QuotaExceededError as error:  # of files: those of embeddings need not wait for it
        raise ServiceUnavailableError(
            error.summary,
            status=error.status,
            reason=error.reason,
            message=error.message,
            retry_after=error.retry_after,
        ) from error
