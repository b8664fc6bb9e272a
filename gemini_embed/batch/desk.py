"""What a `BatchRun` asks for, done on the I/O thread for one embedder and one run."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from gemini_embed.background.threads import in_thread
from gemini_embed.batch import spool
from gemini_embed.batch.discard import discard
from gemini_embed.batch.doing import by_name, stop, tell_late, too_late
from gemini_embed.batch.outcomes import told_of
from gemini_embed.batch.progress import Told
from gemini_embed.batch.result import billed_of, kinds_of, result_of, usage_of
from gemini_embed.batch.site import Site
from gemini_embed.batch.status import BatchStatus, damaged, status_of
from gemini_embed.batch.work import work
from gemini_embed.calls.sink import sink_for
from gemini_embed.contents import Inputs
from gemini_embed.errors import (
    BatchDamagedError,
    BatchError,
    BatchPendingError,
    GeminiEmbedError,
)
from gemini_embed.media.contents import MediaContent
from gemini_embed.observe.meter import Meter, count
from gemini_embed.observe.tracing import Traces
from gemini_embed.usage import Rate

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        Awaitable,
        Callable,
        Generator,
        Iterable,
        Mapping,
        Sequence,
    )

    from gemini_embed.ask import Ask
    from gemini_embed.batch.clock import Clock
    from gemini_embed.batch.jobs import Job, Run
    from gemini_embed.batch.ledger import Ledger
    from gemini_embed.batch.planning import Planner
    from gemini_embed.batch.site import Service
    from gemini_embed.cache.sqlite import SQLiteCache
    from gemini_embed.calls.engine import Engine
    from gemini_embed.calls.policy import CallPolicy
    from gemini_embed.contents import Content
    from gemini_embed.observe.tracing import Operation
    from gemini_embed.observe.watch import Observer, Watch
    from gemini_embed.prices import Price
    from gemini_embed.results import EmbeddingResult, ListedResult, Wanted
    from gemini_embed.service.jobs import ServerJob

R = TypeVar("R", bound="EmbeddingResult | ListedResult")

_LATEST = 4 * 86_400.0
"""Seconds after which a job that was given up is no longer expected: jobs expire after two days,
and on Vertex AI after three."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """What the runs of an embedder share.

    Attributes:
        cache: Its cache.
        ledger: The ledger in the cache's file.
        clock: The clock.
        engine: Returns its engine, once there are credentials.
        service: Returns the Batch API.
        there: Where it is, as runs say it in `asked`.
        meters: Returns where what this context calls is counted.
        price: What a token costs online.
        fast: Whether answers may be read with pysimdjson.
    """

    cache: SQLiteCache
    ledger: Ledger
    clock: Clock
    engine: Callable[[], Awaitable[Engine]]
    service: Callable[[], Awaitable[Service]]
    there: Mapping[str, Any]
    meters: Callable[[], Iterable[Meter]]
    price: Price | None
    fast: bool

    async def tidy(self) -> None:
        """Look for jobs of all runs that were given up; cancel those that have shown up."""
        awaited = await in_thread(partial(self.ledger.awaited, **self.there))
        if not awaited:
            return
        service = await self.service()
        listed = by_name(await service.list())
        for job in awaited:
            for late in too_late(job, listed.get(job.name, [])):
                if late.state == "running":
                    await stop(service, late.name)
                job = replace(job, late=(*job.late, late.name))  # noqa: PLW2901 - it is another
                await in_thread(self.ledger.came_late, job)
                tell_late(late)
        await in_thread(self.ledger.drop_awaited, self.clock.now() - _LATEST)

    async def statuses(self) -> list[BatchStatus]:
        """Return how all runs stand, as the ledger says; jobs that came late are looked for."""
        await self.tidy()
        return await in_thread(self._read)

    def _read(self) -> list[BatchStatus]:
        found = filter(None, map(self._status, self.ledger.ids()))
        return sorted(found, key=lambda status: status.created)

    def _status(self, name: str) -> BatchStatus | None:
        try:
            found = self.ledger.read(name)
            return None if found is None else status_of(*found)
        except BatchDamagedError:
            return damaged(name)


class RunDesk(Generic[R]):
    """The work of one run for its caller.

    Args:
        office: What the runs of the embedder share.
        run: Its id.
        operation: Returns what a trace says of its work.
        ask: How it is embedded, and so are the following.
        wanted: What the caller wants of each vector.
        policy: How its online part goes about its work.
        watch: Who is told of it.
        planner: Begins it; None for one that there is.
    """

    def __init__(
        self,
        office: Office,
        run: str,
        operation: Callable[[], Operation],
        *,
        ask: Ask,
        wanted: Wanted,
        policy: CallPolicy,
        watch: Callable[[int, Sequence[Observer]], Watch],
        planner: Planner | None,
    ) -> None:
        self.id = run
        self.operation = operation
        self._office = office
        self._ask = ask
        self._wanted = wanted
        self._policy = policy
        self._watch = watch
        self._planner = planner

    async def submit(self, traces: Traces) -> BatchStatus:
        """Begin the run, and do all that can be done now."""
        await self._begin()
        return await self._work(0.0, traces, is_patient=False)

    async def _begin(self) -> None:
        planner, self._planner = self._planner, None  # it holds the texts: the spool has them now
        if planner is not None:
            try:
                with _named(self.id):
                    await planner.begin(self.id, self._office.clock.now())
            except BaseException:
                self._planner = planner
                raise

    async def status(self) -> BatchStatus:
        """Return how it stands, with what the service says of jobs that run."""
        run, jobs = await self._read()
        running = [job for job in jobs if job.job and job.is_enqueued]
        if running:
            service = await self._office.service()
            seen = {job.name: await service.get(job.job) for job in running}
            jobs = [_as_seen(job, seen.get(job.name)) for job in jobs]
        return status_of(run, jobs)

    async def wait(self, timeout: float, traces: Traces) -> BatchStatus:  # noqa: ASYNC109 - its name to callers
        """Begin the run if it is not, and work it until it is over."""
        await self._begin()
        return await self._work(timeout, traces, is_patient=True)

    async def through(self, timeout: float | None, traces: Traces) -> R:  # noqa: ASYNC109 - as above
        """Begin the run, wait until it is over, and return its result."""
        await self.wait(math.inf if timeout is None else timeout, traces)
        return await self.result()

    async def cancel(self) -> BatchStatus:
        """Note that it is wanted no more, and ask the service to cancel what runs."""
        await self._read()
        await in_thread(self._office.ledger.cancel, self.id)
        return await self._work(0.0, Traces(), is_patient=False)

    async def result(self) -> R:
        """Return its vectors, and what it cost."""
        run, jobs = await self._read()
        if not run.is_done:
            stands = status_of(run, jobs)
            raise BatchPendingError(
                f"batch run {self.id} is not over: {stands.done} of {stands.rows} texts are done; "
                "wait for it",
                run=self.id,
            )
        with _named(self.id):
            places = await in_thread(self._office.ledger.places, self.id)
            usage = usage_of(run, jobs, places, self._office.price)
            sink: Any = sink_for(run.texts, self._wanted, self._ask.model, places.pieces)
            result: R = await result_of(
                run, jobs, places, sink, cache=self._office.cache, usage=usage
            )
        numbers = {"texts": usage.texts, "cached": usage.cached, "duplicates": usage.duplicates}
        count(self._office.meters(), numbers)
        return result

    async def clean(self) -> None:
        """Delete what is left of it."""
        try:
            run, jobs = await self._read()
            places = await in_thread(self._office.ledger.places, self.id)  # to go on needs them
        except BatchDamagedError:
            await self._discard()
            return
        if not run.is_done:
            path = self._office.cache.path.with_name(run.spool)
            if not await in_thread(spool.is_whole, path, places.all_lines, run.kept):
                await self._discard()
                return
            raise BatchPendingError(
                f"batch run {self.id} is not over: wait for it, or cancel it and wait", run=self.id
            )
        service = await self._office.service()
        for job in jobs:
            for name in filter(None, (job.job, *job.late)):
                await service.delete(name)
        await in_thread(spool.delete_all, self._office.cache.path, self.id)  # killed before that
        await in_thread(self._office.ledger.forget, self.id)

    async def _discard(self) -> None:
        office = self._office
        await discard(
            self.id,
            ledger=office.ledger,
            service=await office.service(),
            cache=office.cache.path,
            backend=office.there["backend"],
        )

    async def _read(self) -> tuple[Run, list[Job]]:
        with _named(self.id):
            found = await in_thread(self._office.ledger.read, self.id)
        if found is None:
            raise BatchError(
                f"there is no batch run {self.id} in {self._office.cache.path}: submit it first",
                run=self.id,
            )
        return found

    async def _work(self, seconds: float, traces: Traces, *, is_patient: bool) -> BatchStatus:
        run, _ = await self._read()
        count(traces.meters, {"cached": run.cached})
        told = Told(self._watch(run.rows + run.cached, traces.observers), run)
        clock = self._office.clock
        until = clock.now() + clock.lasting(seconds) if seconds < math.inf else math.inf
        try:
            with _named(self.id), traces.within():
                async with self._connected():
                    site = self._site(told, traces.meters)
                    await work(site, self.id, until=until, is_patient=is_patient)
        finally:
            told.end()
        return status_of(*await self._read())

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[None]:
        """Keep the connections open, whoever closes the embedder meanwhile."""
        engine = await self._office.engine()
        async with engine.in_use():
            yield

    def _site(self, told: Told, meters: Iterable[Meter]) -> Site:
        office, meters = self._office, (*self._office.meters(), *meters)
        return Site(
            ledger=office.ledger,
            cache=office.cache,
            model=self._ask.model,
            clock=office.clock,
            service=office.service,
            online=partial(self._online, meters),
            seen=told,
            waits=told.waits,
            collected=partial(self._collected, meters),
            fast=office.fast,
            on_daily_quota=self._policy.on_daily_quota,
        )

    def _collected(self, meters: Iterable[Meter], job: Job) -> None:
        model, backend = self._ask.model.name, self._ask.backend.name
        rate = Rate(model, backend, self._office.price, is_batch=True)
        numbers = {
            "requests": 1,
            "prompt_tokens": job.prompt_tokens,
            "estimated_tokens": job.estimated_tokens,
        }
        count(
            meters,
            {k: n for k, n in numbers.items() if n},
            by_modality=job.by_modality,
            billed=billed_of(job, rate),
        )

    async def _online(
        self, meters: Iterable[Meter], contents: Sequence[Content], *, uncut: bool
    ) -> tuple[Sequence[int], str, Mapping[str, int]]:
        """Embed contents online; the engine puts their vectors into the cache."""
        engine, meter = await self._office.engine(), Meter()
        inputs = Inputs(
            contents,
            range(len(contents)),
            suspects=frozenset(contents) if uncut else frozenset(),
            have_media=any(isinstance(one, MediaContent) for one in contents),
        )
        wanted = replace(self._wanted, as_lists=False)
        sink = sink_for(len(contents), wanted, self._ask.model)
        lost: Sequence[int] = ()
        why = ""
        try:
            await engine.embed(inputs, self._ask, sink, self._policy, meters=[meter])
        except GeminiEmbedError as error:
            if not error.one_by_one:  # else the others are finished
                raise
            lost, why = error.indexes, error.summary
        finally:
            usage = meter.usage
            told = ("requests", "prompt_tokens", "estimated_tokens")
            numbers = {name: getattr(usage, name) or 0 for name in told}
            count(
                meters,
                {k: n for k, n in numbers.items() if n},
                by_modality=usage.by_modality,
                billed=usage.billed,
            )
        return lost, why, {**numbers, **kinds_of(usage)}


def _as_seen(job: Job, seen: ServerJob | None) -> Job:
    """Return a job as the service shows it, where it was asked."""
    if seen is None:
        return job
    return replace(job, succeeded=min(seen.succeeded, len(job)), error=told_of(seen) or job.error)


@contextmanager
def _named(run: str) -> Generator[None]:
    """Make of a failure of the file an error that says which run needs it."""
    try:
        yield
    except OSError as error:
        raise BatchError(f"batch run {run} cannot go on here: {error}", run=run) from error
