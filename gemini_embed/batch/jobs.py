"""What the ledger knows of a run and its jobs. Performs no I/O.

A job is a part of a run's rows that the service works on as a whole.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gemini_embed.inputs import BatchFallback

PREFIX = "gemini-embed-"


class State(StrEnum):
    """Where a job is. What comes next for each is said in `steps`."""

    PLANNED = "planned"
    """Nothing of it is at the service."""

    UPLOADING = "uploading"
    """Its input may be there, whole or not."""

    UPLOADED = "uploaded"
    """Its input is there."""

    CREATING = "creating"
    """The service may have been told to create it; whether it was is not known."""

    UNFOUND = "unfound"
    """It was not found for long, and its input is deleted."""

    SUBMITTED = "submitted"
    """The service has it."""

    SUCCEEDED = "succeeded"
    """It has results, which are not collected."""

    COLLECTED = "collected"
    """What it brings is in the cache; it has no vectors of the rows in `failed`."""

    ABANDONED = "abandoned"
    """It was never found. Others have its rows; should it show up, it is cancelled."""

    REPLACED = "replaced"
    """It brings nothing. Others have its rows."""


ENQUEUED = frozenset({State.CREATING, State.UNFOUND, State.SUBMITTED})
"""States in which the service may count a job's tokens as enqueued."""

OVER = frozenset({State.COLLECTED, State.ABANDONED, State.REPLACED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job, as the ledger holds it.

    Attributes:
        name: Ours, which the service shows as `displayName`.
        first: Its first row in the spool.
        last: The row after its last.
        tokens: About how many its rows have.
        state: Where it is.
        file: Its input at the service; empty where there is none.
        at: When the state began that `steps` counts from: the upload, or the last moment at which
            the request to create it may have arrived.
        looked: When it was last looked for.
        due: Not before then is the next step.
        pause: Seconds between the last two looks.
        attempt: Which one for these rows, from 1.
        refusals: 429 in a row.
        failures: Other failures in a row.
        job: Its name at the service.
        results: The file of its results there.
        halved: Whether it is a part of one that expired.
        asked_to_stop: Whether the service was asked to cancel it.
        succeeded: Rows with a vector, as the service last said, or as collected.
        failed: Rows of it that have no vector, counted from `first`.
        is_final: Whether these are not to be sent online.
        error: What went wrong, in words.
        prompt_tokens: As reported of its rows.
        estimated_tokens: Of rows without a report.
        online: What its failed rows took online: numbers by the fields of a `Usage`.
        uncut: Whether its rows go online from the beginning: they must not be cut off.
        late: Names at the service of jobs under its name that came too late.
    """

    name: str
    first: int
    last: int
    tokens: int = 0
    state: State = State.PLANNED
    file: str = ""
    at: float = 0.0
    looked: float = 0.0
    due: float = 0.0
    pause: float = 0.0
    attempt: int = 1
    refusals: int = 0
    failures: int = 0
    job: str = ""
    results: str = ""
    halved: bool = False
    asked_to_stop: bool = False
    succeeded: int = 0
    failed: tuple[int, ...] = ()
    is_final: bool = False
    error: str = ""
    prompt_tokens: int = 0
    estimated_tokens: int = 0
    online: Mapping[str, int] = field(default_factory=dict)
    uncut: bool = False
    late: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return how many rows it has."""
        return self.last - self.first

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it by itself."""
        return self.state in OVER and not self.file

    @property
    def is_enqueued(self) -> bool:
        """Whether the service may count its tokens as enqueued."""
        return self.state in ENQUEUED

    @property
    def is_awaited(self) -> bool:
        """Whether it was given up, and has not shown up since."""
        return self.state is State.ABANDONED and not self.late

    def as_row(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return asdict(self)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Return what `as_row` made, by this version or a later one."""
        known: dict[str, Any] = {one.name: row[one.name] for one in fields(cls) if one.name in row}
        known.update({name: tuple(known[name]) for name in ("failed", "late")})
        known["state"] = State(known["state"])
        return cls(**known)


def new_name() -> str:
    """Return a name that no job has had."""
    return PREFIX + uuid4().hex


def planned(first: int, last: int, tokens: int, **more: Any) -> Job:
    """Return a job for some rows."""
    return Job(name=new_name(), first=first, last=last, tokens=tokens, **more)


def for_online(first: int, last: int) -> Job:
    """Return what stands for rows that go online from the beginning."""
    rows = tuple(range(last - first))
    return Job(
        name=new_name(), first=first, last=last, state=State.COLLECTED, failed=rows, uncut=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run, as the ledger holds it.

    Attributes:
        id: Its name, made of what it embeds: the same texts and settings make the same.
        created: When, by the clock.
        asked: What its vectors depend on, by name: see `settings`.
        options: The embedder's options that `asked` comes from.
        spool: The name of the file that holds its texts.
        texts: How many the caller has.
        rows: How many lie in the spool.
        cached: Different texts that the cache had.
        fallback: What becomes of rows that a job brings no vector for.
        settle: Seconds for which a job that may exist is looked for.
        most_tokens: Tokens enqueued at once, at most.
        is_cancelled: Whether the caller wants no more of it.
        is_done: Whether all of it is over.
    """

    id: str
    created: float
    asked: Mapping[str, Any]
    options: Mapping[str, Any]
    spool: str
    texts: int
    rows: int
    cached: int
    fallback: BatchFallback
    settle: float
    most_tokens: int
    is_cancelled: bool = False
    is_done: bool = False

    def as_row(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return asdict(self)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Return what `as_row` made, by this version or a later one."""
        return cls(**{one.name: row[one.name] for one in fields(cls) if one.name in row})
