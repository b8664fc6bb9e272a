"""Where the jobs of both services come about, go on by themselves, and are found again."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, deque
from contextlib import suppress
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from gemini_embed.standin.batch_faults import OF_VERTEX, check_job_faults
from gemini_embed.standin.batch_jobs import Job
from gemini_embed.standin.google_errors import GoogleError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from concurrent.futures import Executor

    from aiohttp import web

    from gemini_embed.models import BackendName
    from gemini_embed.standin.answers import Answer, Handler
    from gemini_embed.standin.batch_faults import JobFault, JobFaults

    Event = tuple[float, Callable[[], None]]
    """When something happens, and what."""

J = TypeVar("J", bound=Job)


class Order(NamedTuple):
    """A job that is to be created.

    Attributes:
        make: Returns the job that is created at a time, or refuses to. May take long.
        faults: That it meets.
        refusal: What is said where that is its fault.
    """

    make: Callable[[float], Job]
    faults: frozenset[JobFault]
    refusal: GoogleError


class BatchDesk:
    """Every job.

    Attributes:
        jobs: All of them, oldest first.
        seconds: That the next job takes.
        lag: Seconds by which the list lags, and a late creation comes late.
        script: The faults of the next jobs, one entry each, before any are drawn.
    """

    def __init__(
        self,
        *,
        faults: JobFaults,
        seconds: float,
        lag: float,
        clock: Callable[[], float],
        workers: Executor,
        keep: bool,
    ) -> None:
        self.jobs: list[Job] = []
        self.seconds = seconds
        self.lag = lag
        self.script: deque[Collection[JobFault]] = deque()
        self._faults = faults
        self._clock = clock
        self._workers = workers
        self._keep = keep
        self._late: list[tuple[float, Callable[[float], Job]]] = []
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return the time."""
        return self._clock()

    def next_faults(self, service: BackendName) -> frozenset[JobFault]:
        """Return the faults of the next job, as far as one of that service can meet them."""
        faults = self.script.popleft() if self.script else self._faults.draw()
        check_job_faults(faults)
        return frozenset(faults) - (OF_VERTEX if service == "gemini" else frozenset())

    def listed_from(self, when: float, faults: frozenset[JobFault]) -> float:
        """Return when the list begins to name a job that is created at that time."""
        return when + (self.lag if "unlisted" in faults else 0)

    async def create(self, order: Order) -> Job | None:
        """Create a job; None where the caller is to hear nothing of it.

        It is created even if the caller does not wait for the answer.

        Raises:
            GoogleError: It cannot be created, or that is its fault.
        """
        if "refused" in order.faults:
            raise order.refusal
        now = self._clock()
        if "late" in order.faults:
            self._late.append((now + self.lag, order.make))
            return None
        creation = asyncio.get_running_loop().run_in_executor(
            self._workers, self._create, now, order.make
        )
        job = await asyncio.shield(creation)
        return None if "answer-lost" in order.faults else job

    def find(self, kind: type[J], name: str) -> J | None:
        """Return the job of that name, if there is one."""
        jobs = [job for job in self.jobs if isinstance(job, kind) and not job.deleted]
        return next((job for job in jobs if job.name == name), None)

    def listed(self, kind: type[J]) -> list[J]:
        """Return what the list names, newest first."""
        now = self._clock()
        jobs = [job for job in self.jobs if isinstance(job, kind) and not job.deleted]
        return [job for job in reversed(jobs) if job.listed <= now]

    def cancel(self, job: Job) -> None:
        """Cancel a job, if it has not ended."""
        now = self._clock()
        if now < job.ends:
            job.cancelled = now

    def delete(self, job: Job) -> None:
        """Forget a job, which goes on if it has not ended."""
        job.deleted = True
        if not self._keep:
            self.jobs.remove(job)

    def paid(self) -> Counter[str]:
        """Return what was sent in every row of every job that was paid for, and how often."""
        self.catch_up()
        now = self._clock()
        return sum((job.paid(now) for job in self.jobs), Counter[str]())

    def after_what_is_due(self, handler: Handler) -> Handler:
        """Return a handler before which all that is due by then happens."""

        async def handled(request: web.Request) -> Answer:
            if self._has_due():
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._workers, self.catch_up)
            return await handler(request)

        return handled

    def catch_up(self) -> None:
        """Let all happen that is due by now, in the order of time."""
        with self._lock:
            while self._has_due():
                min(self._events(), key=itemgetter(0))[1]()

    def _has_due(self) -> bool:
        now = self._clock()
        return any(when <= now for when, _ in self._events())

    def _events(self) -> list[Event]:
        jobs = [(job.due, job.go_on) for job in self.jobs]
        late = [(entry[0], partial(self._create_late, entry)) for entry in self._late]
        return [(when, step) for when, step in jobs if when is not None] + late

    def _create(self, when: float, make: Callable[[float], Job]) -> Job:
        with self._lock:
            job = make(when)
            self.jobs.append(job)
        return job

    def _create_late(self, entry: tuple[float, Callable[[float], Job]]) -> None:
        self._late.remove(entry)
        when, make = entry
        with suppress(GoogleError):  # its input may be gone by now
            self.jobs.append(make(when))
