"""Where a run is worked: what it needs of its embedder and of the service. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence

    from gemini_embed.batch.clock import Clock
    from gemini_embed.batch.jobs import Job, Run
    from gemini_embed.batch.ledger import Ledger
    from gemini_embed.cache.sqlite import SQLiteCache
    from gemini_embed.contents import Content
    from gemini_embed.models import Model
    from gemini_embed.pacing.day import OnDailyQuota
    from gemini_embed.service.jobs import ServerJob


class Service(Protocol):
    """The Batch API: `service.batches.Batches`, whose methods these are, or `VertexBatches`."""

    timeout: float

    def new_file(self) -> str:
        """Return a name that no file has had."""
        ...

    async def upload(
        self,
        name: str,
        pieces: Iterable[bytes],
        size: int,
        before_each: Callable[[], Awaitable[None]],
        mime_type: str = ...,
    ) -> str:
        """Upload a file, of rows where no other format is said, and return its URI."""
        ...

    async def create(self, model: str, display_name: str, file: str) -> str:
        """Create a job."""
        ...

    async def get(self, job: str) -> ServerJob:
        """Return a job."""
        ...

    async def list(self) -> list[ServerJob]:
        """Return all jobs."""
        ...

    async def cancel(self, job: str) -> None:
        """Cancel a job."""

    async def delete(self, job: str) -> None:
        """Delete a job."""

    async def delete_file(self, name: str, *, with_results: bool) -> None:
        """Delete a file, and the results of its job where nobody else would."""

    def without_secrets(self, text: str) -> str:
        """Return what the service said, without the secrets that it may have repeated."""
        ...

    def lines(self, file: str, longest: int) -> AsyncIterator[bytes]:
        """Yield the lines of a file."""
        ...


class Online(Protocol):
    """Embeds contents online, for the cache."""

    async def __call__(
        self, contents: Sequence[Content], *, uncut: bool
    ) -> tuple[Sequence[int], str, Mapping[str, int]]:
        """Return which have no vector for good, why, and what it took; raise what may pass."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a run is worked.

    Attributes:
        ledger: Its ledger.
        cache: Where its vectors go.
        model: Whose they are.
        clock: The clock.
        service: Returns the Batch API.
        online: Embeds what no job brought.
        seen: Is told of the run and its jobs before each step.
        waits: Is told for how many seconds nothing is due.
        collected: Is told of a job that was collected.
        fast: Whether results may be read with pysimdjson.
        on_daily_quota: What becomes of a run when the quota of a day is used up.
    """

    ledger: Ledger
    cache: SQLiteCache
    model: Model
    clock: Clock
    service: Callable[[], Awaitable[Service]]
    online: Online
    seen: Callable[[Run, Sequence[Job]], None]
    waits: Callable[[float], None]
    collected: Callable[[Job], None]
    fast: bool = True
    on_daily_quota: OnDailyQuota = "error"
