"""What each outcome makes of a job: functions of what is known, and of the clock. No I/O.

Whoever works a run writes what they return before the next step, so that a kill between two steps
loses nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gemini_embed.batch.jobs import Job, State, new_name, planned

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gemini_embed.service.jobs import ServerJob

FIRST_POLL, LONGEST_POLL, POLL_GROWS = 30.0, 300.0, 1.5
"""Seconds between two looks at a job that runs."""

LOOK_EVERY = 30.0
"""Seconds between two lists in search of a job that may exist."""

LATE_LOOK_EVERY = 300.0
"""Seconds between two lists in search of one that was given up."""

LONGEST_PAUSE = 1200.0
"""Seconds between two steps of a job, at most."""

FIRST_REFUSED, LONGEST_REFUSED = 60.0, LONGEST_PAUSE
"""Seconds to wait after a 429 to a creation; each doubles the wait."""

REFUSALS = 3
"""After so many in a row, with nothing else of ours under way, a job may be too large."""

FILE_LIVES = 46 * 3600.0
"""Seconds for which an uploaded file is used: the service keeps it for 48 hours."""

MOST_SPANS = 20
"""Jobs that are made of the rest of one."""

ATTEMPTS = 6
"""Jobs that are tried for the same rows."""

_HOPELESS = frozenset({7, 9, 16})
"""Codes of google.rpc for want of permission, billing or credentials: no request would pass."""

_NOT_FOUND = 5


def again(job: Job, now: float, **more: Any) -> Job:
    """Return another job for the same rows."""
    made = planned(job.first, job.last, job.tokens, attempt=job.attempt + 1, halved=job.halved)
    return replace(made, kinds=job.kinds, due=now, **more)


def halves(job: Job, now: float, **more: Any) -> list[Job]:
    """Return two jobs for the rows of one; one job where it has one row."""
    middle = job.first + (len(job) + 1) // 2
    spans = [(job.first, middle), (middle, job.last)]
    return [
        replace(again(job, now), first=a, last=b, **_share(job, b - a), **more)
        for a, b in spans
        if b > a
    ]


def _share(job: Job, rows: int) -> dict[str, Any]:
    """Return about how many tokens so many of a job's rows have."""
    kinds = {kind: tokens * rows // len(job) for kind, tokens in job.kinds.items()}
    return {"tokens": job.tokens * rows // len(job), "kinds": kinds}


def uploading(job: Job, file: str, media: tuple[str, ...] = ()) -> Job:
    """Note that its input, and its media, are about to be uploaded under names."""
    return replace(job, state=State.UPLOADING, file=file, media=media)


def uploaded(job: Job, now: float) -> Job:
    """Note that its input is there."""
    return replace(job, state=State.UPLOADED, at=now, failures=0)


def forgotten(job: Job) -> Job:
    """Note that its input is not there any more, so that it is uploaded again."""
    return replace(job, state=State.PLANNED, file="", media=(), at=0.0)


def creating(job: Job, until: float) -> Job:
    """Note that the request to create it is about to leave, and arrives by `until` if ever."""
    return replace(job, state=State.CREATING, at=until, looked=0.0, due=0.0)


def unknown(job: Job, now: float) -> Job:
    """Note that nobody knows what became of that request."""
    return replace(job, at=min(job.at, now), due=now)


def arrived_by(job: Job, latest: float) -> Job:
    """Note when that request arrives at the latest: a clock put back had it later."""
    return replace(job, at=min(job.at, latest)) if job.state is State.CREATING else job


def found(job: Job, name: str, now: float) -> Job:
    """Note that the service has it."""
    return replace(
        job, state=State.SUBMITTED, job=name, due=now + FIRST_POLL, pause=FIRST_POLL, refusals=0
    )


def not_found(job: Job, now: float, settle: float) -> list[Job]:
    """Note that it is not in the whole list; return it, and the one that takes its rows."""
    if job.state is State.UNFOUND:
        abandoned, following = (
            replace(job, state=State.ABANDONED, due=now + LATE_LOOK_EVERY),
            again(job, now),
        )
        if job.attempt >= ATTEMPTS:
            error = f"the service has not confirmed any of {ATTEMPTS} jobs"
            following = without_results(following, now, error)
        return [abandoned, following]
    end = job.at + settle
    due = now if now >= end else min(now + LOOK_EVERY, end)
    return [replace(job, looked=now, due=due)]


def input_deleted(job: Job, now: float) -> Job:
    """Note that its input is deleted."""
    state = State.UNFOUND if job.state is State.CREATING else job.state
    return replace(job, state=state, file="", media=(), due=now, failures=0)


def refused(job: Job, now: float, error: str, *, is_large: bool) -> list[Job]:
    """Note a 429 to its creation; `is_large` says that it may be for its size alone."""
    refusals = job.refusals + 1
    wait = min(FIRST_REFUSED * 2 ** (refusals - 1), LONGEST_REFUSED)
    later = replace(
        job, state=State.UPLOADED, refusals=refusals, due=now + wait, error=error, at=job.at
    )
    if is_large and refusals >= REFUSALS and len(job) > 1:
        parts = halves(job, now + wait, attempt=job.attempt)
        return [replace(later, state=State.REPLACED, due=now), *parts]
    return [later]


def failed_to_pass(job: Job, now: float, error: str) -> Job:
    """Note that a step of it failed in a way that may pass."""
    pause = min(max(FIRST_POLL, job.pause * POLL_GROWS), LONGEST_POLL)
    return replace(job, failures=job.failures + 1, due=now + pause, pause=pause, error=error)


def told_of(seen: ServerJob) -> str:
    """Return what is to be known of a job that goes on in no usual state; empty of all others."""
    return f"its state is {seen.odd}: it has not ended, and is waited for" if seen.odd else ""


def running(job: Job, now: float, succeeded: int, told: str = "") -> Job:
    """Note that it goes on, and what is to be known of that."""
    pause = min(job.pause * POLL_GROWS, LONGEST_POLL)
    return replace(job, due=now + pause, pause=pause, succeeded=succeeded, failures=0, error=told)


def succeeded(
    job: Job, now: float, results: str, *, is_final: bool = False, cut_short: bool = False
) -> Job:
    """Note that there are results; `is_final` says that what they lack is wanted no more."""
    return replace(
        job,
        state=State.SUCCEEDED,
        results=results,
        due=now,
        failures=0,
        is_final=is_final,
        cut_short=cut_short,
    )


def without_results(job: Job, now: float, error: str, *, is_final: bool = False) -> Job:
    """Note that it brings no vector at all."""
    return replace(
        job,
        state=State.COLLECTED,
        failed=tuple(range(len(job))),
        is_final=is_final,
        succeeded=0,
        due=now,
        failures=0,
        error=error,
    )


def expired(job: Job, now: float, *, is_cancelled: bool) -> list[Job]:
    """Note that it was not worked on in time: its halves are tried once."""
    error = "the service did not work on it in time"
    if job.halved or is_cancelled:
        return [without_results(job, now, error, is_final=is_cancelled)]
    return [
        replace(job, state=State.REPLACED, due=now, failures=0, error=error),
        *halves(job, now, halved=True),
    ]


def failed(job: Job, now: float, code: int, error: str) -> list[Job]:
    """Note that the service gave it up."""
    lacks_input = code == _NOT_FOUND or not job.file
    if lacks_input and job.attempt < ATTEMPTS:
        replaced = replace(job, state=State.REPLACED, due=now, failures=0, error=error)
        return [replaced, again(job, now)]
    return [without_results(job, now, error, is_final=code in _HOPELESS)]


def collected(
    job: Job,
    now: float,
    *,
    missing: tuple[int, ...],
    error: str,
    prompt_tokens: int,
    estimated_tokens: int,
    by_modality: Mapping[str, int],
) -> Job:
    """Note that its vectors are in the cache, but for some rows."""
    return replace(
        job,
        state=State.COLLECTED,
        failed=missing,
        succeeded=len(job) - len(missing),
        error=error if missing else "",
        prompt_tokens=prompt_tokens,
        estimated_tokens=estimated_tokens,
        by_modality=dict(by_modality),
        due=now,
        failures=0,
    )


def rest_again(job: Job, now: float) -> list[Job]:
    """Return a job that expired when it had a part of its rows, and jobs that try the rest once.

    Where the rest lies in too many places, it stays as it is.
    """
    spans = _spans(job.failed)
    if job.halved or not 0 < len(spans) <= MOST_SPANS:
        return [job]
    made = again(replace(job, halved=True), now)
    following = [
        replace(
            made,
            name=new_name(),
            first=job.first + first,
            last=job.first + last,
            **_share(job, last - first),
        )
        for first, last in spans
    ]
    return [replace(job, failed=(), error=""), *following]


def _spans(rows: Iterable[int]) -> list[tuple[int, int]]:
    """Return the first row and the one after the last of all that follow each other."""
    spans: list[tuple[int, int]] = []
    for row in rows:
        begins = spans.pop()[0] if spans and spans[-1][1] == row else row
        spans.append((begins, row + 1))
    return spans


def embedded(job: Job, missing: tuple[int, ...], error: str, online: Mapping[str, int]) -> Job:
    """Note what its failed rows came to online; those still missing have no vector for good."""
    total = {name: job.online.get(name, 0) + online.get(name, 0) for name in {*job.online, *online}}
    return replace(
        job,
        failed=missing,
        is_final=True,
        succeeded=len(job) - len(missing),
        failures=0,
        error=error if missing else "",
        online=total,
    )
