"""A run in the hands of whoever works it: what is known of it, and each change, under its lease."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemini_embed.background.threads import in_thread

if TYPE_CHECKING:
    from pathlib import Path

    from gemini_embed.batch.jobs import Job, Run
    from gemini_embed.batch.ledger import Lease
    from gemini_embed.batch.places import Places
    from gemini_embed.batch.site import Service, Site

MARGIN = 60.0
"""Seconds that a lease lasts beyond what the next step may take."""

KEPT_EVERY = 20.0
"""Seconds after which it is renewed while something long goes on."""


class Hold:
    """A run, as long as its lease is held.

    Attributes:
        site: Where it is worked.
        lease: The lease.
        run: The run, as it was read last.
        jobs: Its jobs, as they were read or written last.
    """

    def __init__(self, site: Site, lease: Lease) -> None:
        self.site = site
        self.lease = lease
        self.run: Run
        self.jobs: list[Job] = []
        self._kept_at = 0.0
        self._places: Places | None = None

    @property
    def now(self) -> float:
        """The time."""
        return self.site.clock.now()

    @property
    def spool(self) -> Path:
        """Where the spool lies."""
        return self.site.cache.path.with_name(self.run.spool)

    async def read(self) -> bool:
        """Read the run and its jobs; tell whether there is such a run."""
        found = await in_thread(self.site.ledger.read, self.lease.run)
        if found is not None:
            self.run, self.jobs = found
        return found is not None

    async def write(self, *jobs: Job, seconds: float = 0.0) -> None:
        """Write jobs, and keep the lease: for so long, by the clock, and some time more.

        Raises:
            BatchLeaseError: Somebody else has taken it: nothing is written.
        """
        self._kept_at = now = self.now
        lasts = seconds + self.site.clock.lasting(MARGIN)
        await in_thread(self.site.ledger.write, self.lease, jobs, now, lasts)
        changed = {job.name: job for job in jobs}
        self.jobs = [changed.pop(job.name, job) for job in self.jobs] + list(changed.values())

    async def keep(self, seconds: float) -> None:
        """Keep the lease for a request that may last so long, in real seconds.

        Raises:
            BatchLeaseError: Somebody else has taken it.
        """
        await self.write(seconds=self.site.clock.lasting(seconds))

    async def keep_on(self, seconds: float) -> None:
        """Keep the lease while something goes on, if that was not done a short while ago.

        Raises:
            BatchLeaseError: Somebody else has taken it.
        """
        if self.now - self._kept_at > self.site.clock.lasting(KEPT_EVERY):
            await self.keep(seconds)

    async def service(self) -> Service:
        """Return the Batch API, with the lease kept for one request.

        Raises:
            BatchLeaseError: Somebody else has taken it.
        """
        service = await self.site.service()
        await self.keep(service.timeout)
        return service

    async def places(self) -> Places:
        """Return where its vectors belong, and where its rows lie."""
        if (places := self._places) is None:
            self._places = places = await in_thread(self.site.ledger.places, self.lease.run)
        return places
