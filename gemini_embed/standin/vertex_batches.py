"""Vertex AI's batches of embeddings: create a job, look at it, list all, cancel, delete.

The shapes follow Google's documents, and answers that people show; the rows lie in Cloud Storage.
Models that embed by `predict` alone have batches of another form, which are not served here.
"""

from __future__ import annotations

import hashlib
import os
import random
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from gemini_embed.standin import (
    answers,
    google_errors,
    protojson,
    storage,
    vertex,
    vertex_errors,
)
from gemini_embed.standin.answers import Answer
from gemini_embed.standin.batch_desk import Order
from gemini_embed.standin.batch_rows import Results, Rows
from gemini_embed.standin.file_requests import page
from gemini_embed.standin.url import Target
from gemini_embed.standin.vertex_jobs import VertexJob
from gemini_embed.standin.vertex_rows import VertexRows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gemini_embed.standin.answers import AioHandler, Handler
    from gemini_embed.standin.batch_desk import BatchDesk
    from gemini_embed.standin.embed_content import Reader
    from gemini_embed.standin.storage import Storage
    from gemini_embed.standin.vector_sources import VectorSource, WantedVector

MAX_ROWS = 1_000_000
"""Of one job."""

MAX_BYTES = 2**30
"""Of the object that holds them."""

_JOB = ("name", "displayName", "model", "inputConfig", "outputConfig", "labels")
_MODEL = "publishers/google/models/"
_DIGITS = 19
_LATER = 0.3  # seconds by which the folder's time is not that of the job's creation
_SHARDS = 3


class VertexBatches:
    """Answers what is asked of Vertex AI about batches."""

    def __init__(
        self, *, desk: BatchDesk, objects: Storage, source: VectorSource, reader: Reader
    ) -> None:
        self._desk = desk
        self._objects = objects
        self._source = source
        self._reader = reader

    def routes(self, served: Callable[[Handler], AioHandler]) -> list[web.RouteDef]:
        """Return every address; each handler goes through `served`."""
        place = "/{version:v1|v1beta1}/projects/{project:[^/]+}/locations/{location:[^/]+}"
        jobs = place + "/batchPredictionJobs"
        one = jobs + "/{id:[^/:]+}"
        return [
            web.post(jobs, served(self.create)),
            web.get(jobs, served(self.list)),
            web.post(one + ":cancel", served(self.cancel)),
            web.get(one, served(self.get)),
            web.delete(one, served(self.delete)),
        ]

    async def create(self, request: web.Request) -> Answer:
        """Create a job; the faults of the next one decide what the caller hears of it."""
        job = await self._desk.create(self._order(request, protojson.parse(await request.read())))
        if not isinstance(job, VertexJob):
            return Answer(0, sent="reset")
        return answers.printed(job.described("PENDING", job.created))

    async def get(self, request: web.Request) -> Answer:
        """Describe a job."""
        job, now = self._found(request), self._desk.now()
        return answers.printed(job.described(job.state(now), now))

    async def list(self, request: web.Request) -> Answer:
        """List the jobs of a place, a page at a time; a list of none is empty."""
        parent, now = _parent(request), self._desk.now()
        jobs = [job for job in self._desk.listed(VertexJob) if job.name.startswith(parent)]
        jobs, token = page(request, jobs, 100, 100)
        told: dict[str, Any] = {"nextPageToken": token} if token else {}
        listed = [job.described(job.state(now), now) for job in jobs]
        return answers.printed(told | ({"batchPredictionJobs": listed} if listed else {}))

    async def cancel(self, request: web.Request) -> Answer:
        """Cancel a job that has not ended; what it has done is kept, and paid for."""
        self._desk.cancel(self._found(request))
        return answers.printed({})

    async def delete(self, request: web.Request) -> Answer:
        """Forget a job that has ended."""
        job = self._found(request)
        if self._desk.now() < job.ends:
            raise vertex_errors.precondition_failed()  # presumed wording
        self._desk.delete(job)
        operation = f"{_parent(request)}operations/{job.name.rpartition('/')[2]}"
        empty = {"@type": "type.googleapis.com/google.protobuf.Empty"}
        return answers.printed({"name": operation, "done": True, "response": empty})

    def _found(self, request: web.Request) -> VertexJob:
        name = f"{_parent(request)}batchPredictionJobs/{request.match_info['id']}"
        job = self._desk.find(VertexJob, name)
        if job is None:
            raise vertex_errors.no_job(name)
        return job

    def _order(self, request: web.Request, body: Any) -> Order:
        given = protojson.message(body, "", _JOB)
        model = protojson.text(given.get("model", ""), "batch_prediction_job.model")
        target = _target(request, model)
        input_uri = _input_of(given.get("inputConfig", {}))
        output_prefix = _output_of(given.get("outputConfig", {}))
        display_name = protojson.text(given.get("displayName", ""), "display_name")
        faults = self._desk.next_faults("vertex")

        def make(when: float) -> VertexJob:
            number = "".join(random.choices("123456789", k=_DIGITS))  # noqa: S311  # no secret
            rows = Rows(Path(os.devnull), VertexRows(), partial(self._wanted, target))
            # The faults of a job depend on how many there were before it, not on its name.
            unread = Results(rows, self._source, faults, str(len(self._desk.jobs)))
            return VertexJob(
                name=f"{_parent(request)}batchPredictionJobs/{number}",
                display_name=display_name,
                model=model,
                results=unread,
                created=when,
                seconds=self._desk.seconds,
                listed=self._desk.listed_from(when, faults),
                faults=faults,
                input_uri=input_uri,
                output_prefix=output_prefix,
                read=partial(self._read, input_uri, unread),
                write=self._written,
            )

        return Order(make, faults, vertex_errors.resource_exhausted())

    def _wanted(self, target: Target, request: Any) -> WantedVector:
        (wanted,) = self._reader(target, request)
        return wanted

    def _read(self, uri: str, unread: Results) -> Results:
        """Return results of the rows of an object, which may be deleted afterwards."""
        stored = self._objects.find(*(storage.parted(uri) or ("", "")))
        if stored.size > MAX_BYTES:  # presumed wording
            raise google_errors.invalid(f"{uri} has more than {MAX_BYTES} bytes.")
        path = self._objects.new_path()
        os.link(stored.path, path)
        rows = Rows.read(path, unread.rows.form, unread.rows.reader)
        if len(rows) > MAX_ROWS:  # presumed wording
            raise google_errors.invalid(f"{uri} has more than {MAX_ROWS} rows.")
        return replace(unread, rows=rows)

    def _written(self, job: VertexJob) -> str:
        """Write what there is of the results of a job, and return the address of the folder."""
        folder = f"prediction-model-{protojson.timestamp(job.created + _LATER)}"
        directory = f"{job.output_prefix.rstrip('/')}/{folder}"
        bucket, where = storage.parted(directory) or ("", "")
        worked = job.worked(job.ends)
        order = [index for index in job.results.order() if index < worked]
        for name, some in _shared_out(order, sharded="sharded" in job.faults).items():
            path = self._objects.new_path()
            with path.open("wb") as file:
                file.writelines(job.results.lines(some))
            self._objects.put(bucket, f"{where}/{name}", "application/jsonl", path)
        return directory


def _shared_out(order: Sequence[int], *, sharded: bool) -> dict[str, Sequence[int]]:
    """Return which rows lie in which file."""
    if not sharded:
        return {"predictions.jsonl": order}
    half = len(order) // 2
    parts = [order[:half], [], order[half:]]
    shards = {f"predictions.jsonl-{i:05}-of-{_SHARDS:05}": part for i, part in enumerate(parts)}
    return {**shards, "incremental_predictions.jsonl": order[:half]}


def _parent(request: web.Request) -> str:
    """Return the place of jobs, by the number of the project, as Google names them."""
    project, location = request.match_info["project"], request.match_info["location"]
    if not project.isdigit():
        digest = hashlib.sha256(project.encode()).digest()
        project = str(10**11 + int.from_bytes(digest[:4], "big"))
    return f"projects/{project}/locations/{location}/"


def _target(request: web.Request, model: str) -> Target:
    """Return what the rows of a job ask.

    Raises:
        GoogleError: There is no such model, or it has no batches there.
    """
    found, location = request.match_info, request.match_info["location"]
    target = Target(
        found["version"],
        model.rpartition(_MODEL)[2],
        "embedContent",
        f"projects/{found['project']}/locations/{location}/",
    )
    if target.model in (model, ""):  # presumed wording
        raise google_errors.invalid(f"The model {model!r} is not {_MODEL}MODEL.")
    row = vertex.served(target)
    if location not in row.vertex.batches_in:  # presumed wording
        raise google_errors.invalid(
            f"{row.name} does not support batch prediction in location {location}."
        )
    return target


def _input_of(given: Any) -> str:
    """Return the address of the rows.

    Raises:
        GoogleError: It is not one object of JSONL in Cloud Storage. Presumed wording.
    """
    where = "batch_prediction_job.input_config"
    fields = protojson.message(given, where, ("instancesFormat", "gcsSource", "bigquerySource"))
    source = protojson.message(fields.get("gcsSource", {}), f"{where}.gcs_source", ("uris",))
    listed = protojson.items(source.get("uris", []), f"{where}.gcs_source.uris")
    uris = [protojson.text(*one) for one in listed]
    if fields.get("instancesFormat") != "jsonl" or len(uris) != 1:
        raise google_errors.invalid("The input must be one JSONL file in Cloud Storage.")
    if not (storage.parted(uris[0]) or ("", ""))[1]:
        raise google_errors.invalid(f"{uris[0]!r} is not the address of an object.")
    return uris[0]


def _output_of(given: Any) -> str:
    """Return the address that those of the results begin with.

    Raises:
        GoogleError: It is none in Cloud Storage. Presumed wording.
    """
    where = "batch_prediction_job.output_config"
    names = ("predictionsFormat", "gcsDestination", "bigqueryDestination")
    fields = protojson.message(given, where, names)
    place = f"{where}.gcs_destination"
    destination = protojson.message(fields.get("gcsDestination", {}), place, ("outputUriPrefix",))
    prefix = protojson.text(destination.get("outputUriPrefix", ""), f"{place}.output_uri_prefix")
    if fields.get("predictionsFormat") != "jsonl" or storage.parted(prefix) is None:
        raise google_errors.invalid("The output must be JSONL in Cloud Storage.")
    return prefix
