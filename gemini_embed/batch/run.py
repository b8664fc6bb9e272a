"""`BatchRun`: one run of the Batch API, as the caller holds it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from gemini_embed.background import loop
from gemini_embed.observe.tracing import traced

if TYPE_CHECKING:
    from gemini_embed.batch.status import BatchStatus
    from gemini_embed.observe.tracing import Operation, Traces

R_co = TypeVar("R_co", covariant=True)


class Desk(Protocol[R_co]):
    """What does the work of one run, on the I/O thread."""

    id: str

    def operation(self) -> Operation:
        """Return what a trace says of its work."""
        ...

    async def submit(self, traces: Traces) -> BatchStatus:
        """Send what can leave now."""
        ...

    async def status(self) -> BatchStatus:
        """Look how it stands."""
        ...

    async def wait(self, timeout: float, traces: Traces) -> BatchStatus:  # noqa: ASYNC109 - its name to callers
        """Work it until it is over."""
        ...

    async def result(self) -> R_co:
        """Return its result."""
        ...

    async def cancel(self) -> BatchStatus:
        """Cancel it."""
        ...

    async def clean(self) -> None:
        """Delete what is left of it."""


class BatchRun(Generic[R_co]):
    """Texts that go through the Batch API, at half the price; made by `GeminiEmbedder.batch`.

    All that is known of a run is in the cache's file. After a crash, the same call of `batch`, or
    `batch_resume` with its id, goes on with it, in the same process or another. One process at a
    time works a run: another one that waits for it says so in the log.

    Every method has an async twin: `asubmit`, `astatus`, `await_`, `aresult`, `acancel`, `aclean`.
    All raise BatchLeaseError where another process has taken the run over meanwhile, and
    RequestError where the service refuses in a way that will not pass; the run is kept. All but
    `clean` raise BatchDamagedError where what is written down of the run cannot be read.

    Attributes:
        id: Its id. The same texts in the same order, with the same settings, have the same.
    """

    def __init__(self, desk: Desk[R_co]) -> None:
        self._desk = desk
        self.id = desk.id

    def submit(self) -> BatchStatus:
        """Send all that can leave now: texts that the cache has not, in one job or several.

        Where the service takes no more jobs for now, the rest leaves in `wait`. To submit a run
        again does no harm.

        Raises:
            ConfigurationError: No key, or a cache that cannot hold the vectors.
        """
        with traced(self._desk.operation) as traces:
            return loop.run(self._desk.submit, traces)

    async def asubmit(self) -> BatchStatus:
        """Send all that can leave now; the async twin of `submit`."""
        with traced(self._desk.operation) as traces:
            return await loop.arun(self._desk.submit, traces)

    def status(self) -> BatchStatus:
        """Return how it stands, as the service says; it changes nothing."""
        return loop.run(self._desk.status)

    async def astatus(self) -> BatchStatus:
        """Return how it stands; the async twin of `status`."""
        return await loop.arun(self._desk.status)

    def wait(self, timeout: float | None = None) -> BatchStatus:
        """Wait until the run is over, and put what comes into the cache as it comes.

        A job is asked for after 30 seconds, and then less often, every five minutes at last. What
        brings no vector is sent online, or not: see the option `batch_fallback`.

        Args:
            timeout: Seconds to wait at most; then the status says `"open"`. None for no limit.
        """
        with traced(self._desk.operation) as traces:
            return loop.run(self._desk.wait, math.inf if timeout is None else timeout, traces)

    async def await_(self, timeout: float | None = None) -> BatchStatus:  # noqa: ASYNC109 - a twin
        """Wait until the run is over; the async twin of `wait`. Cancelling stops the waiting."""
        with traced(self._desk.operation) as traces:
            seconds = math.inf if timeout is None else timeout
            return await loop.arun(self._desk.wait, seconds, traces)

    def result(self) -> R_co:
        """Return the vectors, in the order of the texts, and what the run cost.

        Raises:
            BatchPendingError: It is not over.
            BatchFailedError: Some texts have no vector: `indexes`; the others are in `partial`.
            BatchCancelledError: It was cancelled before all were done; likewise.
        """
        return loop.run(self._desk.result)

    async def aresult(self) -> R_co:
        """Return the vectors; the async twin of `result`."""
        return await loop.arun(self._desk.result)

    def cancel(self) -> BatchStatus:
        """Ask the service to cancel all its jobs, which takes a while: `wait` sees it through.

        What the jobs did until then is billed. What is in the cache stays.
        """
        return loop.run(self._desk.cancel)

    async def acancel(self) -> BatchStatus:
        """Cancel it; the async twin of `cancel`."""
        return await loop.arun(self._desk.cancel)

    def clean(self) -> None:
        """Delete what is left of a run that is over: in the ledger, and its jobs at the service.

        Its vectors stay in the cache. A run that is damaged is cleaned as well, over or not: its
        jobs are stopped.

        Raises:
            BatchPendingError: It is not over.
        """
        loop.run(self._desk.clean)

    async def aclean(self) -> None:
        """Delete what is left of it; the async twin of `clean`."""
        await loop.arun(self._desk.clean)

    def __repr__(self) -> str:
        return f"BatchRun({self.id!r})"
