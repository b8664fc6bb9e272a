"""The Batch API for embeddings: create a job, look at it, list all, cancel, delete.

The shapes are those of a recorded job; what nobody recorded (a job that failed or expired, a row
that did) follows Google's documents.
"""

from __future__ import annotations

import asyncio
import os
import random
import string
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from aiohttp import web

from gemini_embed.standin import answers, gemini, gemini_errors, google_errors, protojson
from gemini_embed.standin.answers import Answer
from gemini_embed.standin.batch_faults import check_job_faults
from gemini_embed.standin.batch_jobs import Job, Jobs
from gemini_embed.standin.batch_rows import Results, Rows
from gemini_embed.standin.file_requests import page
from gemini_embed.standin.files import StoredFile
from gemini_embed.standin.url import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine
    from concurrent.futures import Executor
    from pathlib import Path

    from gemini_embed.standin.answers import AioHandler, Handler
    from gemini_embed.standin.batch_faults import JobFault, JobFaults
    from gemini_embed.standin.batch_rows import RowReader
    from gemini_embed.standin.embed_content import Reader
    from gemini_embed.standin.files import FileStore
    from gemini_embed.standin.vector_sources import VectorSource, WantedVector

    T = TypeVar("T")

_BATCH = ("model", "name", "displayName", "inputConfig", "priority")
_INPUT = ("fileName", "requests")
_INLINE_MOST = 20 * 2**20
_LETTERS = string.ascii_lowercase + string.digits


class _Order(NamedTuple):
    """A job that is to be created: from a file, or from rows that came inline."""

    target: Target
    display_name: str
    file_name: str | None
    inline: Path | None
    faults: frozenset[JobFault]


class BatchRequests:
    """Answers what is asked of the Batch API.

    Attributes:
        jobs: All of them.
        seconds: That the next job takes.
        lag: Seconds by which the list lags, and a late creation comes late.
        script: The faults of the next jobs, one entry each, before any are drawn.
    """

    def __init__(
        self,
        *,
        files: FileStore,
        source: VectorSource,
        reader: Reader,
        workers: Executor,
        faults: JobFaults,
        seconds: float,
        lag: float,
        tokens: int | None,
        clock: Callable[[], float],
        keep: bool,
    ) -> None:
        self.jobs = Jobs()
        self.seconds = seconds
        self.lag = lag
        self.script: deque[Collection[JobFault]] = deque()
        self._files = files
        self._source = source
        self._reader = reader
        self._workers = workers
        self._faults = faults
        self._tokens = tokens
        self._clock = clock
        self._keep = keep
        self._late: list[tuple[float, _Order]] = []
        self._one_at_a_time = asyncio.Lock()
        self._creations: set[asyncio.Task[Job]] = set()

    def routes(self, served: Callable[[Handler], AioHandler]) -> list[web.RouteDef]:
        """Return every address; each handler goes through `served`."""
        version = "/{version:v1|v1beta}"
        one = version + "/{name:batches/[^/:]+}"

        def handled(handler: Handler) -> AioHandler:
            return served(partial(self._after_late_ones, handler))

        return [
            web.post(
                version + "/models/{model:[^/:]+}:asyncBatchEmbedContent", handled(self.create)
            ),
            web.get(version + "/batches", handled(self.list)),
            web.post(one + ":cancel", handled(self.cancel)),
            web.get(one, handled(self.get)),
            web.delete(one, handled(self.delete)),
        ]

    async def create(self, request: web.Request) -> Answer:
        """Create a job; the faults of the next one decide what the caller hears of it."""
        order = self._order(request, await request.read())
        if "refused" in order.faults:
            raise gemini_errors.job_refused()
        if "late" in order.faults:
            self._late.append((self._clock() + self.lag, order))
            return Answer(0, sent="reset")
        job = await self._whatever_the_caller_does(self._create(order, self._clock()))
        if "answer-lost" in order.faults:
            return Answer(0, sent="reset")
        return Answer(200, job.described("PENDING", self._clock(), None))

    async def get(self, request: web.Request) -> Answer:
        """Describe a job, with the place of its results or, of an inline one, the results."""
        job = self.jobs.find(request.match_info["name"])
        now = self._clock()
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
        now = self._clock()
        jobs, token = page(request, self.jobs.listed(now), 100, 100)
        told = {"nextPageToken": protojson.printed(token)} if token else {}
        listed = b",".join(job.listed_as(now) for job in jobs)
        return Answer(
            200, protojson.composed({"operations": b"[%b]" % listed if jobs else b"", **told})
        )

    async def cancel(self, request: web.Request) -> Answer:
        """Cancel a job that has not ended."""
        job, now = self.jobs.find(request.match_info["name"]), self._clock()
        if now < job.ends:
            job.cancelled = now
        return answers.printed({})

    async def delete(self, request: web.Request) -> Answer:
        """Forget a job, which goes on if it has not ended."""
        job = self.jobs.find(request.match_info["name"])
        job.deleted = True
        if not self._keep:
            self.jobs.all.remove(job)
        return answers.printed({})

    async def _whatever_the_caller_does(self, creation: Coroutine[Any, Any, Job]) -> Job:
        """Create a job even if nobody waits for the answer any more."""
        task = asyncio.create_task(creation)
        self._creations.add(task)
        task.add_done_callback(self._over)
        return await asyncio.shield(task)

    def _over(self, task: asyncio.Task[Job]) -> None:
        self._creations.discard(task)
        if not task.cancelled():
            task.exception()  # it was told to whoever waited for it

    async def _after_late_ones(self, handler: Handler, request: web.Request) -> Answer:
        async with self._one_at_a_time:
            await self._create_late_ones()
        return await handler(request)

    async def _create_late_ones(self) -> None:
        now = self._clock()
        due = [entry for entry in self._late if entry[0] <= now]
        self._late = [entry for entry in self._late if entry[0] > now]
        for when, order in due:
            try:
                await self._create(order, when)
            except google_errors.GoogleError:
                continue  # its input is gone, or there is no room: nobody hears of it

    def _order(self, request: web.Request, raw: bytes) -> _Order:
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
        faults = self.script.popleft() if self.script else self._faults.draw()
        check_job_faults(faults)
        if "fileName" in given:
            file_name = protojson.text(given["fileName"], "batch.input_config.file_name")
            return _Order(target, name, file_name, None, frozenset(faults))
        if len(raw) > _INLINE_MOST:  # presumed wording
            raise google_errors.invalid(f"Inline requests have at most {_INLINE_MOST} bytes.")
        path = self._written(given["requests"])
        return _Order(target, name, None, path, frozenset(faults))

    def _written(self, given: Any) -> Path:
        """Keep the rows of a request in a file, and return its place."""
        where = "batch.input_config.requests"
        fields = protojson.message(given, where, ("requests",))
        path = self._files.new_path()
        with path.open("wb") as file:
            for item, _ in protojson.items(fields.get("requests", []), f"{where}.requests"):
                file.write(protojson.printed(item) + b"\n")
        return path

    async def _create(self, order: _Order, when: float) -> Job:
        path = order.inline or self._linked(order.file_name or "")
        target = order.target._replace(method="embedContent")
        reader = _row_reader(self._reader, target)
        rows = await self._in_worker(Rows.read, path, reader)
        self.jobs.check_room(rows.tokens, self._tokens, when)
        name = f"batches/{''.join(random.choices(_LETTERS, k=36))}"  # noqa: S311  # no secret
        # The faults of a job depend on how many there were before it, not on its name.
        results = Results(rows, self._source, order.faults, str(len(self.jobs.all)))
        job = Job(
            name=name,
            display_name=order.display_name,
            model=order.target.resource,
            results=results,
            embedded=len(rows) - len(results.errors()),
            created=when,
            seconds=self.seconds,
            listed=when + (self.lag if "unlisted" in order.faults else 0),
            file_name=order.file_name,
            faults=order.faults,
        )
        self.jobs.all.append(job)
        return job

    def _linked(self, file_name: str) -> Path:
        """Return the input file under a name of the job's own, which outlives the file."""
        stored = self._files.find(file_name)
        if stored.path is None:  # presumed wording
            raise google_errors.invalid(f"{file_name} was not uploaded.")
        path = self._files.new_path()
        os.link(stored.path, path)
        return path

    def _keep_results(self, job: Job) -> None:
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


def _row_reader(reader: Reader, target: Target) -> RowReader:
    def read(request: Any) -> WantedVector:
        (wanted,) = reader(target, request)
        return wanted

    return read


def _inlined(results: Results) -> dict[str, bytes]:
    listed = b"[%b]" % b",".join(results.entries())
    inner = protojson.composed({"inlinedResponses": listed})
    return {"inlinedResponses": inner}
