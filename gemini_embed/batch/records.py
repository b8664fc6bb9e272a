"""The ledger's rows as the file holds them: written with a seal, and read if nothing changed them.

Performs no I/O. What is read raises ValueError or TypeError where it is something else.
"""

from __future__ import annotations

import json
import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

from gemini_embed.batch.jobs import PREFIX, Job, Run, is_number, is_whole

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

RECORD = "run, lease, holder, until, lasts"
"""The columns of a record."""

_SEAL = "seal"

_OUR_NAME = re.compile(rf'"({PREFIX}[0-9a-f]{{32}})"')
_OUR_FILE = re.compile(
    rf'"files/[0-9a-f]{{32}}"|"gs://[^"]{{1,9999}}/{PREFIX}[0-9a-f]{{32}}/input\.jsonl"'
)
"""Names that we make, as JSON has them; nobody else has such."""


class Record(NamedTuple):
    """A run, and who has its lease.

    Attributes:
        run: The run.
        lease: The number of the lease.
        holder: Who has it; empty where nobody has.
        until: Until when.
        lasts: For how many seconds it was taken.
    """

    run: Run
    lease: int
    holder: str
    until: float
    lasts: float


class Remains(NamedTuple):
    """What is known of a job.

    Attributes:
        names: What we may have called it.
        files: What was stored for it, or is being stored.
        is_known: Whether that is all of it.
    """

    names: Collection[str]
    files: Collection[str]
    is_known: bool


def record_of(name: str, cells: tuple[Any, ...]) -> Record:
    """Return the record of a run that has a name."""
    row, *cells_of_lease = cells
    lease, holder, until, lasts = cells_of_lease
    if not (is_whole(lease) and isinstance(holder, str) and is_number(until) and is_number(lasts)):
        raise ValueError("its lease is none")
    return Record(run_of(name, row), lease, holder, until, lasts)


def run_of(name: str, row: Any) -> Run:
    """Return the run that has a name."""
    run = Run.of(_read(row))
    if run.id != name:
        raise ValueError("it is another run")
    return run


def job_of(name: str, row: Any) -> Job:
    """Return the job that has a name."""
    job = Job.of(_read(row))
    if job.name != name:
        raise ValueError("it is another job")
    return job


def check_whole(run: Run, jobs: Iterable[Job]) -> None:
    """Refuse jobs of a run, in the order of their rows, that lack some of its rows."""
    end = 0
    for job in jobs:
        if job.first > end:
            break
        end = max(end, job.last)
    if end != run.rows:
        raise ValueError("a job of it is missing")


def remains_of(name: Any, row: Any) -> Remains:
    """Return what is known of a job, whatever stands in its cells."""
    try:
        job = job_of(name, row)
    except (RecursionError, TypeError, ValueError):
        text = row.decode(errors="replace") if isinstance(row, bytes) else str(row)
        names = {*_OUR_NAME.findall(text), *([name] if isinstance(name, str) else [])}
        files = {json.loads(file) for file in _OUR_FILE.findall(text)}
        return Remains(names, files, is_known=False)
    return Remains({job.name}, {*filter(None, (job.file, *job.media))}, is_known=True)


def written(row: Mapping[str, Any]) -> str:
    """Return a row as the file holds it."""
    return json.dumps({**row, _SEAL: _seal(row)})


def changed(row: Any, changes: Mapping[str, Any]) -> str:
    """Return a row of the file with other values, and with all that a later version put there."""
    return written({**_read(row), **changes})


def _read(row: Any) -> dict[str, Any]:
    """Return a row of the file, without its seal; an earlier version wrote none."""
    held = json.loads(row)
    if not isinstance(held, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - what is read has no type to trust
    if _SEAL in held and held.pop(_SEAL) != _seal(held):
        raise ValueError("it was changed")
    return held


def _seal(row: Mapping[str, Any]) -> str:
    return blake2b(json.dumps(row).encode(), digest_size=8).hexdigest()
