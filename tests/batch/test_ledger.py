"""The ledger: one process at a time changes a run, and what it wrote is there."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from gemini_embed import BatchLeaseError
from gemini_embed.batch.jobs import Job, Run, State, planned
from gemini_embed.batch.ledger import Held, Lease, Ledger
from gemini_embed.cache import SQLiteCache

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1e9


def a_run(name: str = "r", **more: Any) -> Run:
    given: dict[str, Any] = {
        "created": NOW,
        "asked": {"model": "m"},
        "options": {"model": "m"},
        "spool": "v.jsonl",
        "texts": 2,
        "rows": 2,
        "cached": 0,
        "fallback": "online",
        "settle": 600.0,
        "most_tokens": 100,
    }
    return Run(id=name, **given | more)


@pytest.fixture
def cache(tmp_path: Path) -> SQLiteCache:
    return SQLiteCache(tmp_path / "v.sqlite3")


def taken(ledger: Ledger, now: float = NOW, seconds: float = 60) -> Lease:
    lease = ledger.take("r", now, seconds)
    assert isinstance(lease, Lease)
    return lease


def test_what_is_written_is_read(cache: SQLiteCache) -> None:
    """In every field, by another process as well."""
    job = replace(
        planned(0, 2, 7), state=State.COLLECTED, failed=(1,), late=("batches/x",), online={"n": 1}
    )
    ledger = Ledger(cache)
    ledger.begin(a_run(), [planned(2, 3, 1), job], b"places")
    ledger.begin(a_run(texts=9), [planned(0, 1, 1)], b"others")  # there is one

    other = Ledger(SQLiteCache(cache.path))

    assert other.runs() == [a_run()]
    assert other.jobs("r")[0] == job
    assert (len(other.jobs("r")), other.places("r"), other.run("x")) == (2, b"places", None)


def test_a_file_without_runs_is_left_as_it_is(cache: SQLiteCache) -> None:
    """Who only looks makes no tables."""
    ledger = Ledger(cache)

    assert (ledger.runs(), ledger.run("r"), ledger.jobs("r"), ledger.awaited()) == (
        [],
        None,
        [],
        [],
    )
    with sqlite3.connect(cache.path) as file:
        tables = file.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'batch%'").fetchall()
    assert tables == []


def test_who_has_the_lease_is_alone(cache: SQLiteCache) -> None:
    """Another one hears who has it, and until when; after that it may take it."""
    mine, yours = Ledger(cache), Ledger(SQLiteCache(cache.path))
    mine.begin(a_run(), [job := planned(0, 2, 1)], b"")
    lease = taken(mine)

    held = yours.take("r", NOW + 59, 60)
    assert held == Held(mine.holder, NOW + 60)
    theirs = taken(yours, NOW + 61)

    with pytest.raises(BatchLeaseError, match="has taken over batch run r") as caught:
        mine.write(lease, [replace(job, state=State.CREATING)], NOW)
    assert caught.value.run == "r"
    with pytest.raises(BatchLeaseError):
        mine.close(lease)
    assert yours.jobs("r") == [job]
    mine.give_back(lease)  # changes nothing
    assert isinstance(mine.take("r", NOW + 62, 60), Held)
    yours.give_back(theirs)
    assert taken(mine, NOW + 62).number == 3


def test_a_lease_is_kept_with_each_change(cache: SQLiteCache) -> None:
    """Who works need not think of it apart."""
    mine, yours = Ledger(cache), Ledger(SQLiteCache(cache.path))
    mine.begin(a_run(), [job := planned(0, 2, 1)], b"")
    mine.write(taken(mine), [job], NOW + 1000)

    assert isinstance(yours.take("r", NOW + 999, 60), Held)


def test_the_lease_of_a_process_that_is_gone_can_be_taken_at_once(cache: SQLiteCache) -> None:
    """A killed program, started again, does not wait."""
    mine = Ledger(cache)
    mine.begin(a_run(), [], b"")
    program = (
        "import sys; from gemini_embed.batch.ledger import Ledger; "
        "from gemini_embed.cache import SQLiteCache; "
        f"print(Ledger(SQLiteCache(sys.argv[1])).take('r', {NOW}, 1000))"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-c", program, str(cache.path)], capture_output=True, text=True, check=True
    )
    assert "number=1" in done.stdout

    assert taken(mine, NOW + 1).number == 2


@pytest.mark.parametrize(
    "holder", ["elsewhere/1/5 x", "no holder at all", f"a/b/{os.getpid()}/1 y"]
)
def test_a_holder_nobody_can_know_of_keeps_its_lease(holder: str, cache: SQLiteCache) -> None:
    """It may be on another machine that shares the file."""
    ledger = Ledger(cache)
    ledger.begin(a_run(), [], b"")
    taken(ledger)
    with sqlite3.connect(cache.path) as file:
        file.execute("UPDATE batch_runs SET holder = ?", (holder,))

    assert ledger.take("r", NOW + 1, 60) == Held(holder, NOW + 60)


def test_cancelling_needs_no_lease(cache: SQLiteCache) -> None:
    """Who works the run sees it, and it is still seen when the run is closed."""
    mine, yours = Ledger(cache), Ledger(SQLiteCache(cache.path))
    mine.begin(a_run(), [], b"")
    lease = taken(mine)

    yours.cancel("r")
    mine.close(lease)

    assert mine.run("r") == a_run(is_cancelled=True, is_done=True)


def test_a_run_that_is_over_can_be_forgotten_but_for_what_may_show_up(cache: SQLiteCache) -> None:
    """A job that was given up is watched for on; then it is dropped."""
    ledger = Ledger(cache)
    lost = replace(planned(0, 1, 1), state=State.ABANDONED, at=NOW)
    ledger.begin(a_run(), [lost, planned(0, 1, 1)], b"")
    ledger.forget("r")
    assert len(ledger.runs()) == 1  # it is not over

    ledger.close(taken(ledger))
    ledger.forget("r")

    assert (ledger.runs(), ledger.awaited()) == ([], [lost])
    ledger.drop_awaited(NOW + 1)
    assert ledger.awaited() == []


def test_runs_that_are_long_over_are_forgotten(cache: SQLiteCache) -> None:
    """Nobody has to clean up; one that is not over stays."""
    ledger = Ledger(cache)
    for name, created in (("old", NOW - 10), ("open", NOW - 10), ("new", NOW)):
        ledger.begin(a_run(name, created=created), [planned(0, 1, 1)], b"")
    for name in ("old", "new"):
        lease = ledger.take(name, NOW, 60)
        assert isinstance(lease, Lease)
        ledger.close(lease)

    ledger.forget_old(NOW - 5)

    assert [run.id for run in ledger.runs()] == ["open", "new"]
    assert ledger.jobs("old") == []


def test_a_row_of_a_later_version_is_read(cache: SQLiteCache) -> None:
    """What is not known is left out."""
    job = planned(0, 1, 1)

    assert Job.of(job.as_row() | {"later": 1}) == job
    assert Run.of(a_run().as_row() | {"later": 1}) == a_run()
    assert cache is not None
