"""How a run stands, for the caller: frozen values. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gemini_embed.batch.jobs import State
from gemini_embed.batch.steps import goes_online

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gemini_embed.batch.jobs import Job, Run

RunState = Literal["open", "done", "cancelling", "cancelled", "damaged"]
"""`open`: it has to be waited for. `done`: `result` is ready. `damaged`: what is written down of it
cannot be read, and only `clean` helps. The others: it was cancelled."""


@dataclass(frozen=True, slots=True)
class BatchJob:
    """A job of a run: a part of its texts, which the service works on as a whole.

    Attributes:
        name: Ours; the service shows it as `displayName`.
        job: The service's, `batches/...` or `projects/...`; empty until it is known.
        state: Where it is, in words: `planned`, `uploading`, `uploaded`, `creating`, `unfound`,
            `submitted`, `succeeded`, `collected`, `abandoned` or `replaced`.
        rows: How many texts it has.
        done: How many of them have their vector, as far as is known.
        failed: How many of them have none, when it is over.
        error: What went wrong last, or that the service has it in a state that is no usual one, as
            a job of Vertex AI that is paused; empty else.
    """

    name: str
    job: str
    state: str
    rows: int
    done: int
    failed: int
    error: str


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """How a run stands.

    Attributes:
        id: Its id, for `batch_resume`.
        state: `"open"`, `"done"`, `"cancelling"`, `"cancelled"`, or `"damaged"`, where all numbers
            are 0.
        created: When it began, in seconds since the epoch.
        texts: How many texts the caller has.
        rows: How many different texts the service has to embed; the cache has the others.
        done: How many of those are done, as far as is known.
        failed: How many of those have no vector, and will get none.
        jobs: Its jobs, in the order of their texts.
        duplicates: The service's names of jobs that it created too late, and that were cancelled.
    """

    id: str
    state: RunState
    created: float
    texts: int
    rows: int
    done: int
    failed: int
    jobs: tuple[BatchJob, ...]
    duplicates: tuple[str, ...]

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens: the run is done, or it is cancelled for good."""
        return self.state in {"done", "cancelled"}


def status_of(run: Run, jobs: Sequence[Job]) -> BatchStatus:
    """Return how a run stands."""
    return BatchStatus(
        id=run.id,
        state=_state(run),
        created=run.created,
        texts=run.texts,
        rows=run.rows,
        done=done_rows(jobs),
        failed=sum(len(job.failed) for job in jobs if not goes_online(job, run)),
        jobs=tuple(_shown(job) for job in jobs),
        duplicates=tuple(late for job in jobs for late in job.late),
    )


def damaged(run: str) -> BatchStatus:
    """Return how a run stands of which the ledger cannot be read."""
    return BatchStatus(run, "damaged", 0.0, 0, 0, 0, 0, (), ())


def done_rows(jobs: Sequence[Job]) -> int:
    """Return how many rows have their vector, as far as is known."""
    return sum(job.succeeded for job in jobs if job.state not in _WITHOUT_ROWS)


_WITHOUT_ROWS = {State.REPLACED, State.ABANDONED}


def _state(run: Run) -> RunState:
    if run.is_cancelled:
        return "cancelled" if run.is_done else "cancelling"
    return "done" if run.is_done else "open"


def _shown(job: Job) -> BatchJob:
    return BatchJob(
        job.name, job.job, job.state.value, len(job), job.succeeded, len(job.failed), job.error
    )
