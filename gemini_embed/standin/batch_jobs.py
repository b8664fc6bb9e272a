"""Jobs of the Batch API, and how they go on by a clock. Performs no I/O but on the rows' files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from gemini_embed.standin import gemini_errors, protojson

if TYPE_CHECKING:
    from gemini_embed.standin.batch_faults import JobFault
    from gemini_embed.standin.batch_rows import Results

State = Literal["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"]

EXPIRES = 48 * 3600.0
"""Seconds after which a job that has not ended expires."""

MAX_JOBS = 100
"""That have not ended."""

_PENDING = 0.1  # of a job's time, before it runs
_SLOW = 10
_TYPE = "type.googleapis.com/google.ai.generativelanguage.v1main.EmbedContentBatch"

# google.rpc.Code and a message. CANCELLED is documented; the others are presumed.
_ERRORS: dict[State, tuple[int, str]] = {
    "CANCELLED": (1, "The operation was cancelled."),
    "EXPIRED": (4, "The batch expired before it was finished."),
    "FAILED": (13, "The batch could not be processed."),
}


@dataclass(slots=True, kw_only=True)
class Job:
    """One job.

    Attributes:
        name: `batches/` and its id.
        display_name: The caller's name for it.
        model: `models/` and the id of the model.
        results: Its rows, and what comes back of them.
        embedded: How many of them the service embeds; the others are errors.
        created: Seconds since the epoch, by the stand-in's clock.
        seconds: That it takes.
        listed: When the list begins to name it.
        file_name: Of its input; None of one whose rows came with its creation.
        faults: That it meets.
        cancelled: When it was cancelled; None if it was not.
        deleted: Whether it was deleted, which ends nothing.
        results_kept: Whether its file of results was made.
    """

    name: str
    display_name: str
    model: str
    results: Results
    embedded: int
    created: float
    seconds: float
    listed: float
    file_name: str | None
    faults: frozenset[JobFault]
    cancelled: float | None = None
    deleted: bool = False
    results_kept: bool = False

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return len(self.results.rows)

    @property
    def results_name(self) -> str:
        """The name of its file of results."""
        return f"files/batch-{self.name.removeprefix('batches/')}"

    @property
    def ends(self) -> float:
        """When it has ended, whichever way."""
        taken = self.seconds * (_SLOW if "slow" in self.faults else 1)
        over = self.created + min(taken, EXPIRES)
        return over if self.cancelled is None else min(over, self.cancelled)

    def state(self, now: float) -> State:
        """Return how far it is."""
        if now < self.ends:
            begun = self.created + _PENDING * (self.ends - self.created)
            return "PENDING" if now < begun else "RUNNING"
        if self.cancelled is not None and self.cancelled <= self.ends:
            return "CANCELLED"
        if "failed" in self.faults:
            return "FAILED"
        if "expired" in self.faults or self.ends >= self.created + EXPIRES:
            return "EXPIRED"
        return "SUCCEEDED"

    def paid(self, now: float) -> Counter[str]:
        """Return the text of every row that was paid for, as it was sent, and how often."""
        if self.state(now) != "SUCCEEDED":
            return Counter()
        return Counter(wanted.text for wanted in self.results.embedded())

    def described(self, state: State, now: float, output: dict[str, bytes] | None) -> bytes:
        """Return the operation that the service answers for it; `output` is what there is of it.

        Where a job is asked for, its counts are right; zeros are left out.
        """
        counts = self._counts(state, now)
        stats = {name: str(count) for name, count in counts.items() if count}
        members = self._head(state, now, stats, output)
        if state == "SUCCEEDED":
            kind = {
                "@type": protojson.printed(_TYPE if self.file_name is None else _TYPE + "Output")
            }
            members["response"] = protojson.composed(kind | (output or {}))
        elif state in _ERRORS:
            code, message = _ERRORS[state]
            members["error"] = protojson.printed({"code": code, "message": message})
        return protojson.composed(members)

    def listed_as(self, now: float) -> bytes:
        """Return its entry of the list: without results, its counts those of its first moment."""
        count = str(self.rows)
        stats = {"requestCount": count, "pendingRequestCount": count}
        return protojson.composed(self._head(self.state(now), now, stats, None))

    def _head(
        self, state: State, now: float, stats: dict[str, str], output: dict[str, bytes] | None
    ) -> dict[str, bytes]:
        ended = state not in ("PENDING", "RUNNING")
        told: dict[str, Any] = {
            "@type": _TYPE,
            "model": self.model,
            "displayName": self.display_name,
            "output": None,
            "createTime": _time(self.created),
            "endTime": _time(self.ends) if ended else None,
            "updateTime": None if ended else _time(now),
            "batchStats": stats,
            "state": f"BATCH_STATE_{state}",
            "name": self.name,
        }
        metadata = {key: protojson.printed(value) for key, value in told.items() if value}
        if output:
            metadata["output"] = protojson.composed(output)
        members = {
            "name": protojson.printed(self.name),
            "metadata": protojson.composed(metadata),
        }
        return members | ({"done": b"true"} if ended else {})

    def _counts(self, state: State, now: float) -> dict[str, int]:
        if state == "SUCCEEDED":
            return {
                "requestCount": self.rows,
                "successfulRequestCount": self.embedded,
                "failedRequestCount": self.rows - self.embedded,
            }
        share = 0.0
        if state == "RUNNING":
            share = (now - self.created) / (self.ends - self.created)
        good = int(self.rows * share)
        waiting = self.rows - good
        return {
            "requestCount": self.rows,
            "pendingRequestCount": waiting,
            "successfulRequestCount": good,
        }


class Jobs:
    """Every job, oldest first."""

    def __init__(self) -> None:
        self.all: list[Job] = []

    def find(self, name: str) -> Job:
        """Return the job of that name.

        Raises:
            GoogleError: There is none.
        """
        for job in self.all:
            if job.name == name and not job.deleted:
                return job
        raise gemini_errors.no_job()

    def listed(self, now: float) -> list[Job]:
        """Return what the list names, newest first."""
        return [job for job in reversed(self.all) if job.listed <= now and not job.deleted]

    def check_room(self, tokens: int, most: int | None, now: float) -> None:
        """Refuse a job of so many tokens where those under way leave no room for it.

        Raises:
            GoogleError: Too many jobs, or more than `most` tokens.
        """
        under_way = [job for job in self.all if now < job.ends]
        enqueued = sum(job.results.rows.tokens for job in under_way)
        too_many = most is not None and enqueued + tokens > most
        if too_many or len(under_way) >= MAX_JOBS:
            raise gemini_errors.job_refused()

    def paid(self, now: float) -> Counter[str]:
        """Return the text of every row of every job that was paid for, and how often."""
        return sum((job.paid(now) for job in self.all), Counter[str]())


def _time(seconds: float) -> str:
    return f"{protojson.timestamp(seconds)[:-1]}000Z"  # nanoseconds
