"""`python -m gemini_embed batch`: the runs of the Batch API that a cache file knows."""

from __future__ import annotations

import sys
from argparse import RawDescriptionHelpFormatter
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gemini_embed.cache import SQLiteCache
from gemini_embed.command.table import as_json, table
from gemini_embed.embedder import GeminiEmbedder
from gemini_embed.errors import GeminiEmbedError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction

    from gemini_embed.batch.status import BatchJob, BatchStatus

_ABOUT = """\
Look after runs of the Batch API. A cache file knows its runs until they are cleaned.

  list    all runs of the file
  status  one run and its jobs, as the service says; changes nothing
  wait    work a run until it is over: submit what is left, wait, collect the vectors
  cancel  end a run; the vectors that it has are kept
  clean   forget runs that are over, here and at the service; the vectors are kept
"""

_NOT_OVER = 2
"""The exit code of `wait` where the time is up first."""


def add_to(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command to those of a parser."""
    parser = commands.add_parser(
        "batch",
        help="runs of the Batch API, at half the price",
        description=_ABOUT,
        formatter_class=RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    for name, action in _ACTIONS.items():
        one = actions.add_parser(name)
        if name == "clean":
            one.add_argument("run_id", metavar="RUN", nargs="?", help="default: all that are over")
        elif name != "list":
            one.add_argument("run_id", metavar="RUN", help="the id, as `list` prints it")
        if name == "wait":
            one.add_argument("--timeout", type=float, metavar="SECONDS", help="default: none")
        one.add_argument("--cache", type=Path, metavar="FILE", help="default: the user's file")
        one.add_argument("--json", action="store_true", help="print JSON")
        one.set_defaults(run=run, action=action)


def run(given: Namespace) -> int:
    """Do it, and print what there is then; return the exit code."""
    try:
        path = SQLiteCache(given.cache).path
        if not path.exists():
            print(f"{path}: there is no such file", file=sys.stderr)
            return 1
        with closing(GeminiEmbedder(cache=path)) as embedder:
            action: Action = given.action
            return action(embedder, given)
    except (GeminiEmbedError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


def _list(embedder: GeminiEmbedder, given: Namespace) -> int:
    runs = embedder.batches()
    if given.json:
        print(as_json({"runs": [asdict(one) for one in runs]}))
    else:
        print("\n".join(_line(one) for one in runs) or "no runs")
    return 0


def _status(embedder: GeminiEmbedder, given: Namespace) -> int:
    return _print(embedder.batch_resume(given.run_id).status(), given)


def _wait(embedder: GeminiEmbedder, given: Namespace) -> int:
    status = embedder.batch_resume(given.run_id).wait(given.timeout)
    _print(status, given)
    if not status.is_over:
        return _NOT_OVER
    return 0 if status.state == "done" and not status.failed else 1


def _cancel(embedder: GeminiEmbedder, given: Namespace) -> int:
    return _print(embedder.batch_resume(given.run_id).cancel(), given)


def _clean(embedder: GeminiEmbedder, given: Namespace) -> int:
    over = [one.id for one in embedder.batches() if one.is_over]
    cleaned = over if given.run_id is None else [given.run_id]
    for run_id in cleaned:
        embedder.batch_resume(run_id).clean()
    said = f"cleaned: {', '.join(cleaned) or 'nothing'}"
    print(as_json({"cleaned": cleaned}) if given.json else said)
    return 0


Action = Callable[[GeminiEmbedder, "Namespace"], int]

_ACTIONS: dict[str, Action] = {
    "list": _list,
    "status": _status,
    "wait": _wait,
    "cancel": _cancel,
    "clean": _clean,
}


def _print(status: BatchStatus, given: Namespace) -> int:
    """Print how a run stands; return the exit code of what went well."""
    print(as_json(asdict(status)) if given.json else table(_rows(status)))
    return 0


def _line(status: BatchStatus) -> str:
    if status.state == "damaged":
        return f"{status.id}  {status.state:10}  only `clean {status.id}` helps"
    created = datetime.fromtimestamp(status.created).astimezone()
    return f"{status.id}  {status.state:10}  {created:%Y-%m-%d %H:%M}  {_progress(status)}"


def _progress(status: BatchStatus) -> str:
    failed = f", {status.failed:,} without a vector" if status.failed else ""
    return f"{status.done:,} of {status.rows:,} texts{failed}"


def _rows(status: BatchStatus) -> list[tuple[str, str]]:
    created = datetime.fromtimestamp(status.created).astimezone()
    late = [("created too late, cancelled", name) for name in status.duplicates]
    return [
        ("run", status.id),
        ("state", status.state),
        ("begun", f"{created:%Y-%m-%d %H:%M}"),
        ("done", f"{_progress(status)}; the cache had {status.texts - status.rows:,} more"),
        *(("job", _job(job)) for job in status.jobs),
        *late,
    ]


def _job(job: BatchJob) -> str:
    error = f": {job.error}" if job.error else ""
    return f"{job.job or job.name}, {job.state}, {job.done:,} of {job.rows:,}{error}"
