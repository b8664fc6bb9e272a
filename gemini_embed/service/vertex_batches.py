"""The batches of Vertex AI: a job reads a file in a bucket, and writes its results there.

It has the methods of `batches.Batches`; a file is an object, named by its whole address. What it
sends and reads is as Google documents it, on the pages on batches of embeddings and on the methods
of `batchPredictionJobs`; nobody has recorded it for us.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING
from uuid import uuid4

from gemini_embed.errors import BadResponseError, RequestError
from gemini_embed.service.batch_requests import BatchRequests
from gemini_embed.service.batches import UPLOAD_PATIENCE, lines_of
from gemini_embed.service.buckets import STORAGE_VARIABLE, Buckets, storage_address
from gemini_embed.service.reach import check_reach
from gemini_embed.service.requests import Requests
from gemini_embed.service.vertex_jobs import (
    names_predictions,
    output_of,
    vertex_job_of,
    vertex_jobs_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from gemini_embed.models import Model
    from gemini_embed.service.jobs import ServerJob
    from gemini_embed.service.transport import Transport

_JOBS = "batchPredictionJobs"
_TYPE = "application/jsonl"
_FORMAT = "jsonl"
_NOT_HERE = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND})
"""How a location may answer that makes no batches of a model."""

_OURS = re.compile(r"(.*/gemini-embed-[0-9a-f]{32}/)output/", re.DOTALL)
"""A folder that we have told a job to write to, and nobody else; it lies in the job's own."""


class VertexBatches(BatchRequests):
    """The batches of Vertex AI, through one transport's connection.

    Args:
        transport: The transport.
        timeout: Seconds for a request; None for the usual.
        model: Whose vectors.
        bucket: Where files are put: see `gs.check_bucket`; None where none are.

    Raises:
        ConfigurationError: It is not known which project and location are meant, or there is a key
            in the place of credentials.
    """

    def __init__(
        self, transport: Transport, timeout: float | None, *, model: Model, bucket: str | None
    ) -> None:
        super().__init__(
            transport, timeout, path=_JOBS, job_of=vertex_job_of, jobs_of=vertex_jobs_of
        )
        self._model = model
        self._bucket = bucket
        self._check(bucket or "")
        storage = Requests(transport, timeout, storage_address(), named_by=STORAGE_VARIABLE)
        self._objects = Buckets(storage, UPLOAD_PATIENCE)

    def new_file(self) -> str:
        """Return an address that no object has had.

        Raises:
            ConfigurationError: There is no bucket.
        """
        self._check(self._bucket)
        return f"{self._bucket}/gemini-embed-{uuid4().hex}/input.jsonl"

    def _check(self, bucket: str | None) -> None:
        inner = self._transport.inner
        check_reach(
            self._model,
            project=inner.project,
            location=inner.location,
            by_key=bool(inner.api_key),
            bucket=bucket,
        )

    async def upload(
        self,
        name: str,
        pieces: Iterable[bytes],
        size: int,
        before_each: Callable[[], Awaitable[None]],
        mime_type: str = _TYPE,
    ) -> str:
        """Store an object, and see that it can be listed and read, as its results have to be.

        Its address is returned, which is its name.

        Raises:
            RequestError: The service refused it, or could not be reached in time.
            BadResponseError: It is not stored as a whole.
        """
        await self._objects.upload(name, pieces, size, mime_type, before_each)
        await before_each()
        stored = await self._objects.size(name)
        await before_each()
        listed = [one.size for one in await self._objects.list(name) if one.name == name]
        if stored != size or listed != [size]:
            raise BadResponseError(f"{name} is not stored as it was sent")
        return name

    async def create(self, model: str, display_name: str, file: str) -> str:
        """Create a job, and return its name at the service. To ask twice makes two jobs.

        Raises:
            RequestError: The service refused it, or could not be reached in time.
            BadResponseError: The answer cannot be read: there may be a job.
        """
        path = model if "/" in model else f"publishers/google/models/{model}"
        output = f"{file.rpartition('/')[0]}/output/"
        job = {
            "displayName": display_name,
            "model": path,
            "inputConfig": {"instancesFormat": _FORMAT, "gcsSource": {"uris": [file]}},
            "outputConfig": {
                "predictionsFormat": _FORMAT,
                "gcsDestination": {"outputUriPrefix": output},
            },
        }
        try:
            answer = await self._requests.ask("post", _JOBS, job)
        except RequestError as error:
            places = self._model.vertex.batches_in
            if error.status not in _NOT_HERE or self._transport.inner.location in places:
                raise
            summary = (
                f"{error.summary}. Batches of {self._model.name} are made in {', '.join(places)}"
            )
            raise error.with_context(summary=summary) from error.__cause__
        return vertex_job_of(answer.body).name

    async def get(self, job: str) -> ServerJob:
        """Return a job; see `BatchRequests.get`."""
        found = await super().get(job)
        if found.state == "succeeded" and not found.results:
            raise BadResponseError("Vertex AI did not say where the results of a batch job are")
        return found

    async def delete(self, job: str) -> None:
        """Delete a job that is over, and its folder; nothing happens where there is none.

        Raises:
            RequestError: The service refused, or could not be reached in time.
            BadResponseError: An answer cannot be read.
        """
        try:
            output = output_of((await self._requests.ask("get", job)).body)
            if ours := _OURS.fullmatch(output):
                await self._delete_all(ours[1])
            await self._requests.ask("delete", job)
        except RequestError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    async def delete_file(self, name: str, *, with_results: bool) -> None:
        """Delete an object; nothing happens where there is none.

        Args:
            name: Its address.
            with_results: Whether to delete all that lies beside it as well: what its job wrote.
                Nobody else would.

        Raises:
            RequestError: The service refused, or could not be reached in time.
        """
        await self._objects.delete(name)
        if with_results:
            await self._delete_all(f"{name.rpartition('/')[0]}/")

    async def _delete_all(self, folder: str) -> None:
        for one in await self._objects.list(folder):
            await self._objects.delete(one.name)

    async def lines(self, file: str, longest: int) -> AsyncIterator[bytes]:
        """Yield the lines of all results in a folder; see `batches.Batches.lines`.

        Raises:
            RequestError: The service refused, or did not go on in time.
            BadResponseError: An answer cannot be read, or there are no results.
        """
        found = [one for one in await self._objects.list(file) if names_predictions(one.name)]
        if not found:
            raise BadResponseError(f"there are no results in {file}, where Vertex AI says they are")
        for one in found:
            async with self._objects.stream(one.name) as pieces:
                async for line in lines_of(pieces, longest):
                    yield line
