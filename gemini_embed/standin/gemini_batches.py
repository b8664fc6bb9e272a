"""The Gemini API's Batch API for embeddings: create a job, look at it, list all, cancel, delete.

The shapes are those of a recorded job; what nobody recorded (a job that failed or expired, a row
that did) follows Google's documents.
"""

from __future__ import annotations

import asyncio
import os
import random
import string
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from aiohttp import web

from gemini_embed.standin import answers, gemini, gemini_errors, google_errors, protojson
from gemini_embed.standin.answers import Answer
from gemini_embed.standin.batch_desk import Order
from gemini_embed.standin.batch_rows import Results, Rows
from gemini_embed.standin.file_requests import page
from gemini_embed.standin.files import StoredFile
from gemini_embed.standin.gemini_jobs import MAX_JOBS, GeminiJob
from gemini_embed.standin.gemini_rows import GeminiRows
from gemini_embed.standin.url import Target

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor
    from pathlib import Path

    from gemini_embed.standin.answers import AioHandler, Handler
    from gemini_embed.standin.batch_desk import BatchDesk
    from gemini_embed.standin.batch_faults import JobFault
    from gemini_embed.standin.embed_content import Reader
    from gemini_embed.standin.files import FileStore
    from gemini_embed.standin.vector_sources import VectorSource, WantedVector

    T = TypeVar("T")

_BATCH = ("model", "name", "displayName", "inputConfig", "priority")
_INPUT = ("fileName", "requests")
_INLINE_MOST = 20 * 2**20
_LETTERS = string.ascii_lowercase + string.digits


class _Asked(NamedTuple):
    """The job that a request asks for; `rows` returns the file of its rows, or refuses to."""

    target: Target
    display_name: str
    file_name: str | None
    rows: Callable[[], Path]
    faults: frozenset[JobFault]


class GeminiBatches:
    """Answers what is asked of the Gemini API's Batch API."""

    def __init__(
        self,
        *,
        desk: BatchDesk,
        files: FileStore,
        source: VectorSource,
        reader: Reader,
        workers: Executor,
        tokens: int | None,
    ) -> None:
        self._desk = desk
        self._files = files
        self._source = source
        self._reader = reader
        self._workers = workers
        self._tokens = tokens

    def routes(self, served: Callable[[Handler], AioHandler]) -> list[web.RouteDef]:
        """Return every address; each handler goes through `served`."""
        version = "/{version:v1|v1beta}"
        one = version + "/{name:batches/[^/:]+}"
        return [
            web.post(
                version + "/models/{model:[^/:]+}:asyncBatchEmbedContent", served(self.create)
            ),
            web.get(version + "/batches", served(self.list)),
            web.post(one + ":cancel", served(self.cancel)),
            web.get(one, served(self.get)),
            web.delete(one, served(self.delete)),
        ]

    async def create(self, request: web.Request) -> Answer:
        """Create a job; the faults of the next one decide what the caller hears of it."""
        job = await self._desk.create(self._order(request, await request.read()))
        if not isinstance(job, GeminiJob):
            return Answer(0, sent="reset")
        return Answer(200, job.described("PENDING", self._desk.now(), None))

    async def get(self, request: web.Request) -> Answer:
        """Describe a job, with the place of its results or, of an inline one, the results."""
        job, now = self._found(request), self._desk.now()
        state = job.state(now)
        if state != "SUCCEEDED":
            return Answer(200, job.described(state, now, None))
        if job.file_name is None:
            output = await self._in_worker(_inlined, job.results)
        else:
            self._keep_results(job)
            output = {"responsesFile": protojson.printed(job.results_name)}
        return Answer(200, job.described(state, now, output))

    async def list(self, request: web.Request) -> Answer:
        """List jobs under `operations`, a page at a time; a list of none has not even that."""
        now = self._desk.now()
        jobs, token = page(request, self._desk.listed(GeminiJob), 100, 100)
        told = {"nextPageToken": protojson.printed(token)} if token else {}
        listed = b",".join(job.listed_as(now) for job in jobs)
        return Answer(
            200, protojson.composed({"operations": b"[%b]" % listed if jobs else b"", **told})
        )

    async def cancel(self, request: web.Request) -> Answer:
        """Cancel a job that has not ended."""
        self._desk.cancel(self._found(request))
        return answers.printed({})

    async def delete(self, request: web.Request) -> Answer:
        """Forget a job, which goes on if it has not ended."""
        self._desk.delete(self._found(request))
        return answers.printed({})

    def _found(self, request: web.Request) -> GeminiJob:
        job = self._desk.find(GeminiJob, request.match_info["name"])
        if job is None:
            raise gemini_errors.no_job()
        return job

    def _order(self, request: web.Request, raw: bytes) -> Order:
        target = Target.of({**request.match_info, "method": "asyncBatchEmbedContent"})
        body = protojson.message(protojson.parse(raw), "", ("batch",))
        batch = protojson.message(body.get("batch", {}), "batch", _BATCH)
        given = protojson.message(batch.get("inputConfig", {}), "batch.input_config", _INPUT)
        gemini.served(target)
        name = protojson.text(batch.get("displayName", ""), "batch.display_name")
        if len(given) != 1:  # presumed wording
            raise google_errors.invalid_fields(
                "EmbedContentBatch.input_config: input_config is not specified"
            )
        if "fileName" in given:
            file_name = protojson.text(given["fileName"], "batch.input_config.file_name")
            rows: Callable[[], Path] = partial(self._linked, file_name)
        elif len(raw) > _INLINE_MOST:  # presumed wording
            raise google_errors.invalid(f"Inline requests have at most {_INLINE_MOST} bytes.")
        else:
            file_name, rows = None, partial(self._written, given["requests"])
        faults = self._desk.next_faults("gemini")
        asked = _Asked(target, name, file_name, rows, faults)
        return Order(partial(self._made, asked), faults, gemini_errors.job_refused())

    def _written(self, given: Any) -> Path:
        """Keep the rows of a request in a file, and return its place."""
        where = "batch.input_config.requests"
        fields = protojson.message(given, where, ("requests",))
        path = self._files.new_path()
        with path.open("wb") as file:
            for item, _ in protojson.items(fields.get("requests", []), f"{where}.requests"):
                file.write(protojson.printed(item) + b"\n")
        return path

    def _linked(self, file_name: str) -> Path:
        """Return the input file under a name of the job's own, which outlives the file."""
        stored = self._files.find(file_name)
        if stored.path is None:  # presumed wording
            raise google_errors.invalid(f"{file_name} was not uploaded.")
        path = self._files.new_path()
        os.link(stored.path, path)
        return path

    def _made(self, asked: _Asked, when: float) -> GeminiJob:
        read = partial(self._wanted, asked.target._replace(method="embedContent"))
        rows = Rows.read(asked.rows(), GeminiRows(), read)
        self._check_room(rows.tokens, when)
        # The faults of a job depend on how many there were before it, not on its name.
        results = Results(rows, self._source, asked.faults, str(len(self._desk.jobs)))
        return GeminiJob(
            name=f"batches/{''.join(random.choices(_LETTERS, k=36))}",  # noqa: S311  # no secret
            display_name=asked.display_name,
            model=asked.target.resource,
            results=results,
            created=when,
            seconds=self._desk.seconds,
            listed=self._desk.listed_from(when, asked.faults),
            file_name=asked.file_name,
            faults=asked.faults,
        )

    def _wanted(self, target: Target, request: Any) -> WantedVector:
        (wanted,) = self._reader(target, request)
        return wanted

    def _check_room(self, tokens: int, now: float) -> None:
        """Refuse a job of so many tokens where those under way leave no room for it.

        Raises:
            GoogleError: Too many jobs, or more tokens than are allowed at once.
        """
        jobs = [job for job in self._desk.jobs if isinstance(job, GeminiJob) and now < job.ends]
        enqueued = sum(job.results.rows.tokens for job in jobs)
        too_many = self._tokens is not None and enqueued + tokens > self._tokens
        if too_many or len(jobs) >= MAX_JOBS:
            raise gemini_errors.job_refused()

    def _keep_results(self, job: GeminiJob) -> None:
        """Let the results be downloaded, unless they were before and somebody deleted them."""
        if job.results_kept:
            return
        job.results_kept = True
        self._files.add(
            StoredFile(
                name=job.results_name,
                display_name="",
                mime_type="application/jsonl",
                size=None,
                sha256="",
                created=job.ends,
                made=job.results.lines,
            )
        )

    async def _in_worker(self, function: Callable[..., T], *given: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._workers, function, *given)


def _inlined(results: Results) -> dict[str, bytes]:
    listed = b"[%b]" % b",".join(results.entries())
    inner = protojson.composed({"inlinedResponses": listed})
    return {"inlinedResponses": inner}
