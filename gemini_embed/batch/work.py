"""Works a run: asks `steps` what is due, has it done, and asks again.

Runs on the I/O thread; what blocks runs on others.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from gemini_embed.background.threads import in_thread
from gemini_embed.batch import outcomes, spool
from gemini_embed.batch.doing import DOING, MAY_PASS, is_waited_for, look
from gemini_embed.batch.hold import MARGIN, Hold
from gemini_embed.batch.ledger import Held, Lease
from gemini_embed.batch.steps import Do, Step, next_step
from gemini_embed.errors import (
    BadResponseError,
    BatchDamagedError,
    BatchError,
    GeminiEmbedError,
    RequestError,
)
from gemini_embed.observe.logs import logger

if TYPE_CHECKING:
    from gemini_embed.batch.jobs import Job
    from gemini_embed.batch.site import Site

_ASKED_AGAIN = 10.0
"""Seconds between two questions whether somebody else still works the run."""

_FAILURES = 20
"""In a row, of one step of a job, before the run stops: more than an hour."""


async def work(site: Site, run: str, *, until: float, is_patient: bool = True) -> None:
    """Work a run until it is over, or until a time.

    Args:
        site: Where.
        run: Its id.
        until: The time by the clock at which to stop waiting.
        is_patient: Whether to wait at all, and to embed online; else all is done that can be done
            now.

    Raises:
        BatchLeaseError: Another process took the run over.
        RequestError: The service refused, in a way that will not pass. The run is kept.
        BatchError: It cannot go on here.
    """
    lease = await _lease(site, run, until if is_patient else 0.0)
    if lease is None:
        return
    hold = Hold(site, lease)
    try:
        while (step := await _next(hold)).do is not Do.STOP:
            if step.do is Do.SLEEP:
                if not is_patient or not await _sleep(hold, step.at, until):
                    return
            elif step.do is Do.FINISH:
                await _finish(hold)
            elif step.job is not None:
                if step.do is Do.ONLINE and not is_patient:
                    return
                await _do(hold, step.do, step.job)
        await in_thread(spool.delete_all, site.cache.path, run)
    finally:
        with suppress(OSError):  # then it ends by itself
            await in_thread(site.ledger.give_back, lease)


async def _lease(site: Site, run: str, until: float) -> Lease | None:
    """Return the lease of a run, once nobody else has it; None where that takes too long."""
    is_told = False
    while True:
        now = site.clock.now()
        taken = await _taken(site, run, now)
        if taken is None:
            raise BatchError(f"there is no batch run {run} in {site.cache.path}", run=run)
        if not isinstance(taken, Held):
            return taken
        if not is_told:
            logger.warning("batch run %s is worked by %s: waiting for it", run, taken.holder)
            is_told = True
        if now >= until:
            return None
        await site.clock.sleep(min(_ASKED_AGAIN, until - now))


async def _taken(site: Site, run: str, now: float) -> Lease | Held | None:
    """Take the lease of a run; who is cancelled meanwhile gives it back."""
    taking = in_thread(site.ledger.take, run, now, site.clock.lasting(MARGIN))
    try:
        return await asyncio.shield(taking)
    except asyncio.CancelledError:
        await asyncio.wait([taking])
        if isinstance(lease := taking.result(), Lease):
            await in_thread(site.ledger.give_back, lease)
        raise


async def _next(hold: Hold) -> Step:
    """Return what is due."""
    if not await hold.read():
        return Step(Do.STOP)
    hold.site.seen(hold.run, hold.jobs)
    return next_step(hold.run, hold.jobs, hold.now)


async def _sleep(hold: Hold, at: float, until: float) -> bool:
    """Sleep until something is due, and tell whether there was time left for it."""
    now = hold.now
    if now >= until:
        return False
    # Others may free the room that it waits for, or want it cancelled.
    seconds = min(at - now, until - now, outcomes.LONGEST_POLL)
    hold.site.waits(seconds)
    await hold.write(seconds=seconds)
    await hold.site.clock.sleep(seconds)
    return True


async def _do(hold: Hold, do: Do, job: Job) -> None:
    """Do a step of a job; what fails in a way that may pass is done again later."""
    run = hold.run.id
    try:
        await DOING[do](hold, job)
    except (BadResponseError, RequestError) as error:
        if not _may_pass(hold, error, do, job):
            raise _kept(error, run) from error.__cause__
        failure = error
    except OSError as error:
        raise BatchError(f"batch run {run} cannot go on here: {error}", run=run) from error
    except spool.SpoolError as error:
        raise await _damaged(hold, job, error) from error
    else:
        return
    latest = next(one for one in hold.jobs if one.name == job.name)
    await hold.write(outcomes.failed_to_pass(latest, hold.now, failure.summary))


async def _damaged(hold: Hold, job: Job, error: spool.SpoolError) -> BatchDamagedError:
    """Return the error for a file that is not what was written, with the item that it is about."""
    run, about = hold.run.id, ""
    indexes: tuple[int, ...] = ()
    if error.row is not None:
        places = await hold.places()
        item = places.item_of(int(places.rows[job.first + error.row]))
        indexes, about = (item,), f"item {item}: "
    return BatchDamagedError(
        f"batch run {run} cannot go on here: {about}{error}. Embed the same items again, which "
        f"writes it anew; batch_resume({run!r}).clean() stops its jobs and forgets it",
        run=run,
        indexes=indexes,
    )


def _may_pass(hold: Hold, error: GeminiEmbedError, do: Do, job: Job) -> bool:
    """Tell whether a step is to be done again later; what goes online was tried enough."""
    is_tried_enough = job.failures >= _FAILURES or do is Do.ONLINE
    return is_waited_for(error, hold.site.on_daily_quota) and not is_tried_enough


def _kept(error: GeminiEmbedError, run: str) -> GeminiEmbedError:
    """Return an error that stops the work, saying that the run can go on."""
    hint = f"batch run {run} is kept: batch_resume goes on with it"
    return error.with_context(summary=f"{error.summary}; {hint}")


async def _finish(hold: Hold) -> None:
    """Look once more for what was given up, and close the run."""
    awaited = [job for job in hold.jobs if job.is_awaited]
    if awaited:
        with suppress(*MAY_PASS):  # who asks for all runs looks, too
            await look(hold, awaited[0])
    await in_thread(hold.site.ledger.close, hold.lease)
