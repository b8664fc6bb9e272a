"""The steps of a job: what is asked of the service for each, and what is written down then."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from gemini_embed.background.loop import give_way
from gemini_embed.background.threads import in_thread
from gemini_embed.batch import outcomes, spool
from gemini_embed.batch.fallback import embed
from gemini_embed.batch.jobs import OVER, PREFIX, State
from gemini_embed.batch.rows import AT_ONCE, Collector, longest_line
from gemini_embed.batch.steps import Do, is_unknown, looked_for
from gemini_embed.calls.failures import Verdict, verdict
from gemini_embed.errors import (
    BadResponseError,
    QuotaExceededError,
    RequestError,
    ServiceUnavailableError,
)
from gemini_embed.notices import warn
from gemini_embed.observe.logs import logger
from gemini_embed.service.batches import UPLOAD_PATIENCE
from gemini_embed.service.files import PIECE
from gemini_embed.service.jobs import row_in, row_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from gemini_embed.batch.hold import Hold
    from gemini_embed.batch.jobs import Job
    from gemini_embed.batch.site import Service
    from gemini_embed.batch.spool import Kept
    from gemini_embed.errors import GeminiEmbedError
    from gemini_embed.pacing.day import OnDailyQuota
    from gemini_embed.service.jobs import ServerJob

MAY_PASS = (BadResponseError, QuotaExceededError, ServiceUnavailableError)
"""Failures of a step that may pass."""

WAITED_FOR = frozenset({Verdict.RETRY, Verdict.WAIT})
"""What of an error's verdicts lets a step be done again later."""

_DOWNLOADS = 3
"""Of results that lack rows, or that cannot be read in part, before the rest goes without."""

_DELETIONS = 5
"""Of an input that is not needed any more, before it is left to the service."""

_AT_ONCE_BYTES = 2**25
"""Bytes of results that are read in one go, about: Vertex AI sends rows again, with their media."""

_SMALL = 16
"""A job with this part of all tokens that may be enqueued is not refused for its size."""

_NOTHING_TO_CANCEL = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT})
"""How the service answers who wants to cancel a job that is over."""


async def upload(hold: Hold, job: Job) -> None:
    """Upload the input of a job, under a name that is written down before."""
    service, places, path = await hold.service(), await hold.places(), hold.spool
    lines = places.lines(job.first, job.last)
    media = await in_thread(spool.kept_in_lines, path, lines) if hold.run.kept else {}
    job = outcomes.uploading(job, service.new_file(), tuple(service.new_file() for _ in media))
    await hold.write(job)
    uris = await _upload_media(hold, job, media)
    size = await in_thread(spool.length, path, lines, uris)
    pieces = spool.pieces(path, lines, PIECE, uris)
    await service.upload(job.file, pieces, size, lambda: hold.keep(UPLOAD_PATIENCE))
    await hold.write(outcomes.uploaded(job, hold.now))


async def _upload_media(hold: Hold, job: Job, media: Mapping[int, Kept]) -> dict[int, str]:
    """Upload the media that are too large for rows; return by which URI each is named."""
    service, uris = await hold.service(), dict[int, str]()
    keep = partial(hold.keep, UPLOAD_PATIENCE)
    for (number, kept), name in zip(media.items(), job.media, strict=True):
        with spool.about(kept.row):
            size = await in_thread(spool.kept_size, hold.spool, number)
            pieces = spool.kept_pieces(hold.spool, number, hold.run.kept[number], PIECE)
            uris[number] = await service.upload(name, pieces, size, keep, kept.mime_type)
        if not uris[number]:
            raise BadResponseError("the service did not say where it stored a file")
    return uris


async def _delete_input(service: Service, job: Job, *, with_results: bool) -> None:
    for name in job.media:
        await service.delete_file(name, with_results=False)
    await service.delete_file(job.file, with_results=with_results)


async def forget(hold: Hold, job: Job) -> None:
    """Delete an input that may not be whole, or is too old."""
    await _delete_input(await hold.service(), job, with_results=False)
    await hold.write(outcomes.forgotten(job))


async def create(hold: Hold, job: Job) -> None:
    """Create a job. That it is about to be is written down first.

    What is not known to have been refused may exist.
    """
    service = await hold.service()
    lasts = hold.site.clock.lasting(service.timeout)
    before, job = job, outcomes.creating(job, hold.now + lasts)
    await hold.write(job, seconds=lasts)
    try:
        name = await service.create(hold.run.asked["sent_model"], job.name, job.file)
    except QuotaExceededError as error:
        if not is_waited_for(error, hold.site.on_daily_quota):
            await hold.write(before)
            raise
        is_large = job.tokens * _SMALL > hold.run.most_tokens and not any(
            one.is_enqueued for one in hold.jobs if one.name != job.name
        )
        await hold.write(*outcomes.refused(before, hold.now, error.summary, is_large=is_large))
    except RequestError as error:
        if is_refused(error):
            await hold.write(replace(before, state=State.UPLOADING))  # perhaps for its input
            raise
        await hold.write(outcomes.unknown(job, hold.now))
    except BadResponseError:
        await hold.write(outcomes.unknown(job, hold.now))
    else:
        await hold.write(outcomes.found(job, name, hold.now))


def is_waited_for(error: GeminiEmbedError, on_daily_quota: OnDailyQuota) -> bool:
    """Tell whether a failure may pass while a run waits, by what decides that of online calls."""
    met = verdict(error)
    is_of_the_day = met is Verdict.NEXT_DAY
    return met in WAITED_FOR or (is_of_the_day and on_daily_quota == "wait")


async def look(hold: Hold, _: Job) -> None:
    """List all jobs; adopt those that may have been created, cancel those that came too late.

    Raises:
        BadResponseError: One of them is shown in a way that cannot be read. So it is there, and its
            rows must not go into another.
    """
    service = await hold.service()
    listed = by_name(await service.list())
    now, settle = hold.now, hold.run.settle
    latest = now + hold.site.clock.lasting(service.timeout)
    jobs = [outcomes.arrived_by(job, latest) for job in hold.jobs]
    found = [looked_for(job, listed[job.name], now, settle) for job in jobs]
    await hold.write(*(job for some in found for job in some))
    for job in hold.jobs:
        for late in too_late(job, listed[job.name]):
            job = await _cancel_late(hold, job, late)  # noqa: PLW2901 - it is another one now
    unknown = [job for job in hold.jobs if is_unknown(job, listed[job.name])]
    if unknown:
        raise BadResponseError(
            f"the service shows its job {unknown[0].name} without a name that can be read"
        )


def by_name(shown: Sequence[ServerJob]) -> Mapping[str, list[ServerJob]]:
    """Return the jobs at the service that are ours, by our name for each."""
    listed: dict[str, list[ServerJob]] = defaultdict(list)
    for one in shown:
        if one.display_name.startswith(PREFIX):
            listed[one.display_name].append(one)
    return listed


def too_late(job: Job, shown: Sequence[ServerJob]) -> list[ServerJob]:
    """Return those that the service has under a job's name beside it, as far as it is news."""
    if job.state in {State.CREATING, State.UNFOUND}:
        return []
    return [one for one in shown if one.name and one.name not in (job.job, *job.late)]


async def _cancel_late(hold: Hold, job: Job, late: ServerJob) -> Job:
    if late.state == "running":
        await stop(await hold.service(), late.name)
    job = replace(job, late=(*job.late, late.name))
    await hold.write(job)
    tell_late(late)
    return job


def tell_late(late: ServerJob) -> None:
    """Warn of a job that nobody wanted any more."""
    what = "it was cancelled" if late.state == "running" else f"it had {late.state}"
    warn(
        f"the Batch API created {late.name} so late that another job had its texts; {what}. What "
        "it did until then is billed"
    )


async def stop(service: Service, name: str) -> None:
    """Ask the service to cancel a job, unless it is over.

    Raises:
        RequestError: The service did not take the wish.
    """
    try:
        await service.cancel(name)
    except RequestError as error:
        if error.status not in _NOTHING_TO_CANCEL:
            raise


async def cancel(hold: Hold, job: Job) -> None:
    """Ask the service to cancel a job; whether it did is seen later."""
    await stop(await hold.service(), job.job)
    await hold.write(replace(job, asked_to_stop=True, due=hold.now))


async def poll(hold: Hold, job: Job) -> None:
    """Ask the service how a job is."""
    service = await hold.service()
    try:
        seen = await service.get(job.job)
    except RequestError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        after = [outcomes.without_results(job, hold.now, "the service has the job no more")]
    else:
        after = _after(job, seen, hold.now, is_cancelled=hold.run.is_cancelled)
    await hold.write(*after)


def _after(job: Job, seen: ServerJob, now: float, *, is_cancelled: bool) -> list[Job]:
    """Return what becomes of a job by what the service says of it."""
    match "succeeded" if seen.has_results else seen.state:
        case "running":
            told = outcomes.told_of(seen)
            if told and told != job.error:
                logger.warning("%s: %s", seen.name, told)
            return [outcomes.running(job, now, min(seen.succeeded, len(job)), told)]
        case "succeeded":
            made = outcomes.succeeded(
                job,
                now,
                seen.results,
                is_final=seen.state == "cancelled",
                cut_short=seen.state == "expired",
            )
            return [made]
        case "expired":
            return outcomes.expired(job, now, is_cancelled=is_cancelled)
        case "cancelled":
            return [outcomes.without_results(job, now, "it was cancelled", is_final=True)]
        case "failed":
            said = f"{seen.code or ''} {seen.error}".strip() or "without a word"
            return outcomes.failed(job, now, seen.code, f"its job failed: {said}")


async def collect(hold: Hold, job: Job) -> None:
    """Fetch the results of a job, row by row, into the cache."""
    service, places, asked = await hold.service(), await hold.places(), hold.run.asked
    collector = Collector(
        places.keys_of_rows(job.first, job.last),
        model=hold.site.model,
        dimension=asked["sent_dimension"],
        used=asked["dimension"],
        store=hold.site.cache.set_many,
        drop=hold.site.cache.drop_many,
    )
    try:
        async for rows in _rows(hold, service, job):
            await in_thread(_take, collector, rows, hold.site.fast)
            await hold.keep_on(service.timeout)
    except RequestError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        collector.error = "the results are gone"
    else:
        if not collector.is_whole and job.failures < _DOWNLOADS - 1:
            raise BadResponseError("the results of a batch job came only in part")
    if collector.strange:
        logger.warning("%s rows of a batch job belong to none of its texts", collector.strange)
    after = outcomes.collected(
        job,
        hold.now,
        missing=collector.missing,
        error=service.without_secrets(collector.error) or "the results have no row of it",
        prompt_tokens=collector.prompt_tokens,
        estimated_tokens=round(job.tokens * collector.unreported / max(1, len(job))),
        by_modality=collector.by_modality,
    )
    is_tried_again = after.cut_short and not hold.run.is_cancelled
    await hold.write(*(outcomes.rest_again(after, hold.now) if is_tried_again else [after]))
    hold.site.collected(after)


async def _rows(hold: Hold, service: Service, job: Job) -> AsyncIterator[list[Any]]:
    """Yield the rows of the results, some at once: lines that are not read yet, or parsed JSON."""
    if not job.results:  # they come with the job, where somebody else makes it so
        yield list((await service.get(job.job)).inline)
        return
    lines: list[bytes] = []
    size = 0
    places = await hold.places()
    longest = longest_line(hold.site.model.dimension, places.longest(job.first, job.last))
    async for line in service.lines(job.results, longest):
        if line.strip():
            lines.append(line)
            size += len(line)
        if len(lines) >= AT_ONCE or size >= _AT_ONCE_BYTES:
            yield lines
            lines, size = [], 0
    yield lines


def _take(collector: Collector, rows: Sequence[Any], fast: bool) -> None:
    read = [
        row_of(row, give_way, fast=fast) if isinstance(row, bytes) else row_in(row) for row in rows
    ]
    collector.take(read)


async def delete(hold: Hold, job: Job) -> None:
    """Delete the input of a job.

    Where nothing hangs on it any more, a few failures are enough: the service deletes it soon.
    """
    try:
        await _delete_input(await hold.service(), job, with_results=job.state in OVER)
    except (BadResponseError, RequestError) as error:
        is_tried_again = isinstance(error, MAY_PASS) and job.failures < _DELETIONS - 1
        if is_tried_again or job.state not in OVER:
            raise
        logger.warning("%s could not be deleted: %s", job.file, error.summary)
    await hold.write(outcomes.input_deleted(job, hold.now))


async def drop(hold: Hold, job: Job) -> None:
    """Give up a job that the service never got."""
    await hold.write(outcomes.without_results(job, hold.now, "it was cancelled", is_final=True))


def is_refused(error: RequestError) -> bool:
    """Tell whether the service refused a request, so that it did nothing of it."""
    status = error.status or 0
    refusals = range(HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR)
    return status in refusals and status != HTTPStatus.REQUEST_TIMEOUT


DOING: Mapping[Do, Callable[[Hold, Job], Awaitable[None]]] = {
    Do.COLLECT: collect,
    Do.CANCEL: cancel,
    Do.LOOK: look,
    Do.DELETE: delete,
    Do.POLL: poll,
    Do.CREATE: create,
    Do.FORGET: forget,
    Do.DROP: drop,
    Do.UPLOAD: upload,
    Do.ONLINE: embed,
}
"""How each step is done."""
