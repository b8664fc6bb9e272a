"""The requests of the Batch API, and of the files that it reads and writes: one method for each."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote
from uuid import uuid4

from gemini_embed.service.batch_requests import BatchRequests
from gemini_embed.service.files import Files
from gemini_embed.service.jobs import job_of, jobs_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from gemini_embed.service.transport import Transport

UPLOAD_PATIENCE = 600.0
"""Seconds for a piece of a file."""

_TYPE = "application/jsonl"


class Batches(BatchRequests):
    """The Batch API of the Gemini API, through one transport's connection."""

    def __init__(self, transport: Transport, timeout: float | None) -> None:
        super().__init__(transport, timeout, path="batches", job_of=job_of, jobs_of=jobs_of)
        self._files = Files(self._requests, UPLOAD_PATIENCE)

    def new_file(self) -> str:
        """Return a name that no file has had."""
        return f"files/{uuid4().hex}"

    async def upload(
        self,
        name: str,
        pieces: Iterable[bytes],
        size: int,
        before_each: Callable[[], Awaitable[None]],
        mime_type: str = _TYPE,
    ) -> str:
        """Upload a file under a name of ours, in pieces of `files.PIECE` bytes; return its URI.

        `before_each` is awaited before each request.

        Raises:
            RequestError: The service refused it, or could not be reached in time.
            BadResponseError: The service does not take it as a whole.
        """
        made = await self._files.upload(pieces, size, mime_type, name=name, before_each=before_each)
        return (await self._files.prepared(made, before_each=before_each)).uri

    async def create(self, model: str, display_name: str, file: str) -> str:
        """Create a job, and return its name at the service. To ask twice makes two jobs.

        Raises:
            RequestError: The service refused it, or could not be reached in time.
            BadResponseError: The answer cannot be read: there may be a job.
        """
        path = model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"
        batch = {"displayName": display_name, "inputConfig": {"file_name": file}}
        answer = await self._requests.ask(
            "post", f"{path}:asyncBatchEmbedContent", {"batch": batch}
        )
        return job_of(answer.body).name

    async def delete(self, job: str) -> None:
        """Delete a job that is over; nothing happens where there is none.

        Raises:
            RequestError: The service refused, or could not be reached in time.
        """
        await self._requests.delete(job)

    async def delete_file(self, name: str, *, with_results: bool) -> None:  # noqa: ARG002 - see below
        """Delete a file; nothing happens where there is none.

        The results of its job lie elsewhere, and the service deletes them in time.

        Raises:
            RequestError: The service refused, or could not be reached in time.
        """
        await self._files.delete(name)

    async def lines(self, file: str, longest: int) -> AsyncIterator[bytes]:
        """Yield the lines of a file; an empty one in the place of one that is too long.

        Raises:
            RequestError: The service refused, or did not go on in time.
            BadResponseError: The answer cannot be read.
        """
        path = f"{quote(file)}:download?alt=media"
        async with self._requests.stream(path) as pieces:
            async for line in lines_of(pieces, longest):
                yield line


async def lines_of(pieces: AsyncIterator[bytes], longest: int) -> AsyncIterator[bytes]:
    """Yield lines without their ends; an empty one in the place of one that is too long."""
    rest, is_too_long = bytearray(), False
    async for piece in pieces:
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            rest += piece[start:end]
            yield b"" if is_too_long or len(rest) > longest else bytes(rest)
            rest.clear()
            is_too_long, start = False, end + 1
        if is_too_long or len(rest) + len(piece) - start > longest:
            is_too_long = True
            rest.clear()
        else:
            rest += piece[start:]
    if rest or is_too_long:
        yield b"" if is_too_long else bytes(rest)
