"""What a run does next: a function of its ledger and the clock. Performs no I/O.

Whoever works a run asks, does the one thing that is due, writes down what came of it, and asks
again. A process that takes a run over asks the same question of the same ledger.
"""

from __future__ import annotations

import math
from dataclasses import replace
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from gemini_embed.batch.jobs import Job, State
from gemini_embed.batch.outcomes import (
    FILE_LIVES,
    LATE_LOOK_EVERY,
    LONGEST_PAUSE,
    found,
    not_found,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gemini_embed.batch.jobs import Run
    from gemini_embed.service.jobs import ServerJob

_LOOKED_FOR = frozenset({State.CREATING, State.UNFOUND})

_MOST_JOBS = 100
"""Jobs that the service takes at once."""


class Do(IntEnum):
    """What to do, the most urgent first."""

    COLLECT = 1
    """Fetch the results."""

    CANCEL = 2
    """Ask the service to cancel a job."""

    LOOK = 3
    """List all jobs, for those that may exist."""

    DELETE = 4
    """Delete the input."""

    POLL = 5
    """Ask the service how a job is."""

    CREATE = 6
    """Create a job of an input."""

    FORGET = 7
    """Delete an input that is to be uploaded again."""

    DROP = 8
    """Give a job up that the service never got: the run is cancelled."""

    UPLOAD = 9
    """Upload an input."""

    ONLINE = 10
    """Embed online what a job brought no vector for."""

    SLEEP = 11
    """Nothing, until something is due."""

    FINISH = 12
    """Close the run: all its jobs are over."""

    STOP = 13
    """Nothing: it is closed."""


class Step(NamedTuple):
    """The next step of a run.

    Attributes:
        do: What to do.
        job: With which job, if with one.
        at: When; not after now, but for SLEEP.
    """

    do: Do
    job: Job | None = None
    at: float = 0.0


def next_step(run: Run, jobs: Sequence[Job], now: float) -> Step:
    """Return what a run with these jobs does next."""
    if run.is_done:
        return Step(Do.STOP)
    seen = _Seen(run, now, _room(run, jobs))
    wishes = [wish for job in jobs if (wish := _WISHES[job.state](job, seen)) is not None]
    if not wishes:
        return Step(Do.FINISH)
    wishes += [Step(Do.LOOK, job, job.due) for job in jobs if job.is_awaited]
    due = [wish for wish in wishes if _is_due(wish.at, now)]
    if due:
        return min(due, key=lambda wish: wish.do)
    return Step(Do.SLEEP, at=min(wish.at for wish in wishes))


def _is_due(at: float, now: float) -> bool:
    """Tell whether it is time: also where a clock that was put back left it too far ahead."""
    return at <= now or now + LONGEST_PAUSE < at < math.inf


class _Seen(NamedTuple):
    """What a job's next step depends on beside the job; `room` is of tokens to be enqueued."""

    run: Run
    now: float
    room: float


def looked_for(job: Job, shown: Sequence[ServerJob], now: float, settle: float) -> list[Job]:
    """Return what becomes of a job when all jobs of the service have been listed.

    Args:
        job: The job.
        shown: Those that the service has under its name.
        now: The time.
        settle: Seconds for which it is looked for.
    """
    if job.is_awaited:
        return [replace(job, due=now + LATE_LOOK_EVERY)]
    if job.state not in _LOOKED_FOR:
        return []
    if is_unknown(job, shown):
        return []
    named = [one for one in shown if one.name]
    if not named:
        return not_found(job, now, settle)
    # A request that was carried out twice made two: the others are cancelled.
    best = min(named, key=lambda one: (one.state not in {"succeeded", "running"}, one.name))
    adopted = found(job, best.name, now)
    return [adopted if best.state == "running" else replace(adopted, due=now)]


def is_unknown(job: Job, shown: Sequence[ServerJob]) -> bool:
    """Tell whether the service has a job that is looked for, and does not say by which name."""
    return job.state in _LOOKED_FOR and bool(shown) and not any(one.name for one in shown)


def _room(run: Run, jobs: Sequence[Job]) -> float:
    """Return how many tokens may still be enqueued; any number where none are.

    What other runs have enqueued is not known: somebody may have left them. A 429 tells.
    """
    under_way = [job.tokens for job in jobs if job.is_enqueued]
    if len(under_way) >= _MOST_JOBS:
        return 0
    return run.most_tokens - sum(under_way) if under_way else math.inf


def _when_there_is_room(do: Do, job: Job, seen: _Seen) -> Step:
    """Return a step that waits for room: then it needs something, but has no time for it yet."""
    return Step(do, job, job.due if job.tokens <= seen.room else math.inf)


def _of_planned(job: Job, seen: _Seen) -> Step:
    if seen.run.is_cancelled:
        return Step(Do.DROP, job)
    return _when_there_is_room(Do.UPLOAD, job, seen)


def _of_uploading(job: Job, _: _Seen) -> Step:
    return Step(Do.FORGET, job, job.due)


def _of_uploaded(job: Job, seen: _Seen) -> Step:
    if seen.run.is_cancelled:
        return Step(Do.DROP, job)
    if seen.now - job.at > FILE_LIVES:
        return Step(Do.FORGET, job, job.due)
    return _when_there_is_room(Do.CREATE, job, seen)


def _of_creating(job: Job, seen: _Seen) -> Step:
    is_settled = job.looked >= job.at + seen.run.settle
    return Step(Do.DELETE if is_settled else Do.LOOK, job, job.due)


def _of_unfound(job: Job, _: _Seen) -> Step:
    return Step(Do.LOOK, job, job.due)


def _of_submitted(job: Job, seen: _Seen) -> Step:
    if seen.run.is_cancelled and not job.asked_to_stop:
        return Step(Do.CANCEL, job)
    return Step(Do.POLL, job, job.due)


def _of_succeeded(job: Job, _: _Seen) -> Step:
    return Step(Do.COLLECT, job, job.due)


def _of_collected(job: Job, seen: _Seen) -> Step | None:
    if job.file:
        return Step(Do.DELETE, job, job.due)
    return Step(Do.ONLINE, job, job.due) if goes_online(job, seen.run) else None


def _of_replaced(job: Job, _: _Seen) -> Step | None:
    return Step(Do.DELETE, job, job.due) if job.file else None


def _of_abandoned(_: Job, __: _Seen) -> None:
    """Need nothing: it is looked for as long as others of the run need something."""


_WISHES: Mapping[State, Callable[[Job, _Seen], Step | None]] = {
    State.PLANNED: _of_planned,
    State.UPLOADING: _of_uploading,
    State.UPLOADED: _of_uploaded,
    State.CREATING: _of_creating,
    State.UNFOUND: _of_unfound,
    State.SUBMITTED: _of_submitted,
    State.SUCCEEDED: _of_succeeded,
    State.COLLECTED: _of_collected,
    State.ABANDONED: _of_abandoned,
    State.REPLACED: _of_replaced,
}
"""What a job needs next, and when; None where it needs nothing."""


def goes_online(job: Job, run: Run) -> bool:
    """Tell whether rows of a job that have no vector are to be sent online."""
    wanted = run.fallback == "online" or job.uncut
    return bool(job.failed) and wanted and not (job.is_final or run.is_cancelled)
