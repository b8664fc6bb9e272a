"""The ledger: one process at a time changes a run, and what it wrote is there."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gemini_embed import BatchDamagedError, BatchLeaseError
from gemini_embed.batch.jobs import Job, Run, State, planned
from gemini_embed.batch.ledger import Held, Lease, Ledger
from gemini_embed.batch.places import Places
from gemini_embed.cache import SQLiteCache

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1e9

ASKED = {
    "model": "m",
    "backend": "gemini",
    "sent_model": "m",
    "sent_dimension": 4,
    "dimension": 4,
    "role": "document",
}

PLACES = Places(
    b"k" * 20,
    np.zeros(2, np.uint32),
    np.arange(2, dtype=np.uint32),
    np.empty(0),
    np.zeros(3, np.uint32),
    np.array([0, 9, 18, 27], np.uint64),
).as_bytes()


def a_run(name: str = "r", **more: Any) -> Run:
    given: dict[str, Any] = {
        "created": NOW,
        "asked": ASKED,
        "options": {"model": "m"},
        "spool": "v.jsonl",
        "texts": 2,
        "rows": 3,
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
    ledger.begin(a_run(), [planned(2, 3, 1), job], PLACES)
    ledger.begin(a_run(texts=9), [planned(0, 1, 1)], b"others")  # there is one

    other = Ledger(SQLiteCache(cache.path))

    assert (other.ids(), other.run("r"), other.run("x")) == (["r"], a_run(), None)
    assert other.jobs("r")[0] == job
    assert (len(other.jobs("r")), other.places("r").as_bytes()) == (2, PLACES)


def test_a_file_without_runs_is_left_as_it_is(cache: SQLiteCache) -> None:
    """Who only looks makes no tables."""
    ledger = Ledger(cache)

    assert (ledger.ids(), ledger.run("r"), ledger.jobs("r"), ledger.awaited()) == (
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
        mine.write(lease, [replace(job, state=State.CREATING)], NOW, 0)
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
    mine.write(taken(mine), [job], NOW, 1000)

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
    assert ledger.ids() == ["r"]  # it is not over

    ledger.close(taken(ledger))
    ledger.forget("r")

    assert (ledger.ids(), ledger.awaited()) == ([], [lost])
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

    assert sorted(ledger.ids()) == ["new", "open"]
    assert ledger.jobs("old") == []


def as_held(one: Job | Run) -> dict[str, Any]:
    """Return it as it comes out of the file."""
    held: dict[str, Any] = json.loads(json.dumps(one.as_row()))
    return held


def test_a_row_of_a_later_version_is_read() -> None:
    """What is not known is left out."""
    job = planned(0, 1, 1)

    assert Job.of(as_held(job) | {"later": 1}) == job
    assert Run.of(as_held(a_run()) | {"later": 1}) == a_run()


@pytest.mark.parametrize("name", [one.name for one in fields(Run)])
@pytest.mark.parametrize("value", [None, {}, [1, {}], "\ud800", -1, float("nan"), 10**400])
def test_no_field_of_a_run_is_believed_before_it_is_checked(name: str, value: Any) -> None:
    """It is what it can be, or an error that is caught where the ledger is read."""
    try:
        run = Run.of(as_held(a_run()) | {name: value})
    except ValueError:
        return
    assert Run.of(as_held(run)) == run


@pytest.mark.parametrize("name", [one.name for one in fields(Job)])
@pytest.mark.parametrize("value", [None, {}, [1, {}], "\ud800", -1, float("nan"), 10**400])
def test_no_field_of_a_job_is_believed_before_it_is_checked(name: str, value: Any) -> None:
    """Likewise; what later versions may leave out has its default."""
    held = as_held(replace(planned(0, 2, 7), failed=(1,)))
    try:
        job = Job.of(held | {name: value})
    except ValueError:
        return
    assert Job.of(as_held(job)) == job


DAMAGE = ["", "no JSON", "[]", "{}", "null", b"\xff\x00", "[" * 100_000]


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize(
    ("table", "column"), [("runs", "run"), ("jobs", "job"), ("runs", "places")]
)
def test_a_damaged_row_is_an_error_of_its_run_alone(
    cache: SQLiteCache, damage: str | bytes, table: str, column: str
) -> None:
    """It says which file and which run; others are read as ever, and that one can be forgotten."""
    ledger = Ledger(cache)
    for name in ("good", "r"):
        job = replace(planned(0, 1, 1), state=State.ABANDONED, at=NOW)
        ledger.begin(a_run(name), [job], PLACES)
    with sqlite3.connect(cache.path) as file:
        key = "id" if table == "runs" else "run"
        query = f"UPDATE batch_{table} SET {column} = ? WHERE {key} = 'r'"  # noqa: S608 - our names
        file.execute(query, (damage,))

    def read(name: str) -> None:
        ledger.run(name)
        ledger.jobs(name)
        ledger.places(name)

    read("good")
    with pytest.raises(BatchDamagedError, match="embed the same texts again") as caught:
        read("r")
    assert caught.value.run == "r"
    assert str(cache.path) in str(caught.value)
    assert len(ledger.awaited()) == (1 if table == "jobs" else 2)
    ledger.forget_old(NOW + 1)
    assert len(ledger.remains("r")) == 1
    ledger.forget_all_of("r")
    assert (ledger.ids(), ledger.remains("r")) == (["good"], [])


def test_no_change_of_places_is_taken_for_places(cache: SQLiteCache) -> None:
    """Else a text might get the vector of another: every bit counts."""
    Ledger(cache).begin(a_run(), [planned(0, 3, 1)], PLACES)
    for place in range(len(PLACES)):
        changed = bytearray(PLACES)
        changed[place] ^= 1
        with sqlite3.connect(cache.path) as file:
            file.execute("UPDATE batch_runs SET places = ?", (bytes(changed),))
        with pytest.raises(BatchDamagedError):
            Ledger(cache).places("r")


@pytest.mark.parametrize(("texts", "last"), [(1, 3), (3, 3), (2, 4)])
def test_parts_of_a_run_that_do_not_fit_are_damage(
    cache: SQLiteCache, texts: int, last: int
) -> None:
    """Whoever needs them all hears of it, before anything is sent or returned."""
    Ledger(cache).begin(a_run(texts=texts), [planned(0, last, 1)], PLACES)

    with pytest.raises(BatchDamagedError, match="do not fit each other"):
        Ledger(cache).places("r")


def test_a_lease_of_a_clock_that_was_put_back_ends_in_time(cache: SQLiteCache) -> None:
    """It ends no later than one that begins now would; also for others who ask later on."""
    mine, yours = Ledger(cache), Ledger(SQLiteCache(cache.path))
    mine.begin(a_run(), [job := planned(0, 2, 1)], b"")
    lease = taken(mine, NOW + 7200)
    mine.write(lease, [job], NOW + 7200, 100)

    assert yours.take("r", NOW, 60) == Held(mine.holder, NOW + 100)
    assert yours.take("r", NOW + 99, 60) == Held(mine.holder, NOW + 100)
    mine.write(lease, [job], NOW + 99, 100)  # who works it still keeps it
    assert yours.take("r", NOW + 101, 60) == Held(mine.holder, NOW + 199)
    assert isinstance(yours.take("r", NOW + 200, 60), Lease)
