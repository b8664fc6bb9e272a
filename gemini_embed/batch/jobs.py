"""What the ledger knows of a run and its jobs. Performs no I/O.

A job is a part of a run's rows that the service works on as a whole.
"""

from __future__ import annotations

import re
from dataclasses import MISSING, asdict, dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self, cast, get_args
from uuid import uuid4

from gemini_embed.gs import GsAddress
from gemini_embed.inputs import BatchFallback
from gemini_embed.models import BackendName
from gemini_embed.tasks import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    Name: TypeAlias = str
    """Of something at the service."""

    FileName: TypeAlias = str

PREFIX = "gemini-embed-"

_SEGMENT = r"(?!\.\.?(?:/|\Z))[A-Za-z0-9:._-]+"
_NAME = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")
"""Of a file or a job at a service, but for objects in a bucket: it becomes a part of addresses."""

_FILE_NAME = re.compile(r"[^/\\:\0]+\.jsonl")
"""Of a file in the folder of the cache."""

_LARGEST = 2**53
"""Of a number that the ledger holds."""


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
        kinds: Of what kind these are, likely, in Google's words, where some rows have media.
        state: Where it is.
        file: Its input at the service; empty where there is none.
        media: The files at the service of media that its input names.
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
        cut_short: Whether it expired when it had results of some rows.
        asked_to_stop: Whether the service was asked to cancel it.
        succeeded: Rows with a vector, as the service last said, or as collected.
        failed: Rows of it that have no vector, counted from `first`.
        is_final: Whether these are not to be sent online.
        error: What went wrong, in words.
        prompt_tokens: As reported of its rows.
        estimated_tokens: Of rows without a report.
        by_modality: Of what kind `prompt_tokens` are, as reported.
        online: What its failed rows took online: numbers by the fields of a `Usage`, and tokens by
            their kind.
        uncut: Whether its rows go online from the beginning: they must not be cut off.
        late: Names at the service of jobs under its name that came too late.
    """

    name: str
    first: int
    last: int
    tokens: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)
    state: State = State.PLANNED
    file: Name = ""
    media: tuple[Name, ...] = ()
    at: float = 0.0
    looked: float = 0.0
    due: float = 0.0
    pause: float = 0.0
    attempt: int = 1
    refusals: int = 0
    failures: int = 0
    job: Name = ""
    results: Name = ""
    halved: bool = False
    cut_short: bool = False
    asked_to_stop: bool = False
    succeeded: int = 0
    failed: tuple[int, ...] = ()
    is_final: bool = False
    error: str = ""
    prompt_tokens: int = 0
    estimated_tokens: int = 0
    by_modality: Mapping[str, int] = field(default_factory=dict)
    online: Mapping[str, int] = field(default_factory=dict)
    uncut: bool = False
    late: tuple[Name, ...] = ()

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
    def of(cls, row: object) -> Self:
        """Return what `as_row` made, by this version or a later one.

        Raises:
            ValueError: It is something else; says what is wrong with it.
        """
        known = _known(cls, row)
        known.update({name: tuple(known.get(name, ())) for name in ("failed", "late", "media")})
        known["state"] = State(known.get("state", State.PLANNED))
        job = cls(**known)
        if not 0 <= job.first < job.last or any(not 0 <= row < len(job) for row in job.failed):
            raise ValueError("its rows are none")
        return job


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
        spool: The name of the file that holds its rows.
        kept: The SHA-256 of each medium that lies in a file of its own beside the spool.
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
    spool: FileName
    texts: int
    rows: int
    cached: int
    fallback: BatchFallback
    settle: float
    most_tokens: int
    kept: tuple[str, ...] = ()
    is_cancelled: bool = False
    is_done: bool = False

    def as_row(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return asdict(self)

    @classmethod
    def of(cls, row: object) -> Self:
        """Return what `as_row` made, by this version or a later one.

        Raises:
            ValueError: It is something else; says what is wrong with it.
        """
        known = _known(cls, row)
        if "kept" not in known and isinstance(row, dict) and row.get("media"):
            raise ValueError("an earlier version kept its media, without their hashes")
        known["kept"] = tuple(known.get("kept", ()))
        run = cls(**known)
        wrong = [name for name, fits in _ASKED.items() if not fits(run.asked.get(name))]
        if wrong:
            raise ValueError(f"what it asks for has no {wrong[0]}")
        return run


def _known(kind: type[Job | Run], row: object) -> dict[str, Any]:
    """Return the fields of a row of JSON that this version knows, once they are checked."""
    if not isinstance(row, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - what is read has no type to trust
    for one in fields(kind):
        may_lack = one.default is not MISSING or one.default_factory is not MISSING
        if one.name not in row and not may_lack:
            raise ValueError(f"it has no {one.name}")
        if one.name in row and not _FITS[str(one.type)](row[one.name]):
            raise ValueError(f"its {one.name} is not what it can be")
    return {one.name: row[one.name] for one in fields(kind) if one.name in row}


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_name(value: object) -> bool:
    """Tell whether something is a name of something at a service, or empty for none."""
    if not isinstance(value, str):
        return False
    return not value or bool(_NAME.fullmatch(value)) or GsAddress.read(value) is not None


def is_whole(value: object) -> bool:
    """Tell whether something is a whole number that the ledger may hold."""
    return type(value) is int and 0 <= value < _LARGEST


def is_number(value: object) -> bool:
    """Tell whether something is a number that the ledger may hold."""
    return type(value) in (int, float) and abs(cast("float", value)) < _LARGEST


_FITS: Mapping[str, Callable[[Any], bool]] = {
    "str": _is_text,
    "Name": _is_name,
    "FileName": lambda value: _is_text(value) and bool(_FILE_NAME.fullmatch(value)),
    "int": is_whole,
    "float": is_number,
    "bool": lambda value: type(value) is bool,
    "State": lambda value: value in list(State),
    "BatchFallback": lambda value: value in get_args(BatchFallback),
    "tuple[int, ...]": lambda value: isinstance(value, list) and all(map(is_whole, value)),
    "tuple[str, ...]": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "tuple[Name, ...]": lambda value: isinstance(value, list) and all(map(_is_name, value)),
    "Mapping[str, int]": lambda value: (
        isinstance(value, dict) and all(map(is_whole, value.values()))
    ),
    "Mapping[str, Any]": lambda value: isinstance(value, dict),
}
"""Whether a value of JSON can be that of a field, by the field's type."""

_ASKED: Mapping[str, Callable[[Any], bool]] = {
    "model": _is_text,
    "backend": lambda value: value in get_args(BackendName),
    "sent_model": lambda value: _is_text(value) and value.isprintable(),
    "sent_dimension": is_whole,
    "dimension": is_whole,
    "role": lambda value: value in get_args(Role),
}
"""What of `Run.asked` is used by name."""
