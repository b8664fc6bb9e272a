"""The ledger of runs and their jobs: tables in the cache's file, where nothing is lost or doubled.

One process at a time works a run: it has a lease, with a number that grows with each taker. Every
change is one transaction that goes through only under the number that is still the last. So who
was stopped for long, and comes back, changes nothing.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from gemini_embed.batch.holders import is_gone, me
from gemini_embed.batch.places import Places
from gemini_embed.batch.records import (
    RECORD,
    Record,
    Remains,
    changed,
    check_whole,
    job_of,
    record_of,
    remains_of,
    run_of,
    written,
)
from gemini_embed.errors import BatchDamagedError, BatchLeaseError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator, Iterable, Mapping

    from gemini_embed.batch.jobs import Job, Run
    from gemini_embed.cache.sqlite import SQLiteCache

_TABLES = """
CREATE TABLE IF NOT EXISTS batch_runs (
    id TEXT PRIMARY KEY, run TEXT NOT NULL, lease INTEGER NOT NULL, holder TEXT NOT NULL,
    until REAL NOT NULL, lasts REAL NOT NULL, places BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS batch_jobs (name TEXT PRIMARY KEY, run TEXT NOT NULL, job TEXT NOT NULL)
"""
"""Made when the first run begins: a file of an earlier release has no such tables, and an earlier
release leaves them alone."""

_RECORD = f"SELECT {RECORD} FROM batch_runs WHERE id = ?"  # noqa: S608 - names of ours

_HAS_TABLES = "SELECT count(*) FROM sqlite_schema WHERE name IN ('batch_runs', 'batch_jobs')"


class Lease(NamedTuple):
    """The right to work a run.

    Attributes:
        run: Which.
        number: It grows with each taker.
    """

    run: str
    number: int


class Held(NamedTuple):
    """Somebody else works a run.

    Attributes:
        holder: Who.
        until: Until when, unless it is renewed.
    """

    holder: str
    until: float


class Ledger:
    """The ledger in a cache's file.

    Args:
        cache: The cache.
    """

    def __init__(self, cache: SQLiteCache) -> None:
        self._cache = cache
        self._token = uuid4().hex[:8]

    @property
    def holder(self) -> str:
        """Who takes leases here: this process, after a fork as well, and who in it."""
        return f"{me()} {self._token}"

    def begin(self, run: Run, jobs: Iterable[Job], places: bytes) -> bool:
        """Write a new run down; tell whether it is new. Nothing changes where there is one."""
        with self._writing() as connection:
            row = run.id, written(run.as_row()), places
            made = connection.execute(
                "INSERT OR IGNORE INTO batch_runs VALUES (?, ?, 0, '', 0, 0, ?)", row
            )
            if made.rowcount:
                self._put(connection, run.id, jobs)
            return bool(made.rowcount)

    def take(self, run: str, now: float, seconds: float) -> Lease | Held | None:
        """Take the lease of a run for so long; None where there is no such run.

        No lease ends later than it would had it begun now. One that says so was written by another
        clock, or before this one was put back: it is cut to that, for all who ask.

        Raises:
            BatchDamagedError: What stands there of it cannot be read.
        """
        with self._writing() as connection:
            found = connection.execute(_RECORD, (run,)).fetchone()
            if found is None:
                return None
            _, number, holder, until, lasts = self._record(run, found)
            until = min(until, now + lasts)
            if until > now and holder != self.holder and not is_gone(holder):
                query = "UPDATE batch_runs SET until = ? WHERE id = ? AND until > ?"
                connection.execute(query, (until, run, until))
                return Held(holder, until)
            connection.execute(
                "UPDATE batch_runs SET lease = ?, holder = ?, until = ?, lasts = ? WHERE id = ?",
                (number + 1, self.holder, now + seconds, seconds, run),
            )
            return Lease(run, number + 1)

    def give_back(self, lease: Lease) -> None:
        """Let others work the run; nothing changes where they do already."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE batch_runs SET until = 0, holder = '' WHERE id = ? AND lease = ?",
                (lease.run, lease.number),
            )

    def write(self, lease: Lease, jobs: Iterable[Job], now: float, seconds: float) -> None:
        """Write jobs as they are now, and keep the lease for so long.

        Raises:
            BatchLeaseError: Somebody else has taken the lease: nothing is written.
        """
        with self._held(lease) as connection:
            self._put(connection, lease.run, jobs)
            connection.execute(
                "UPDATE batch_runs SET until = ?, lasts = ? WHERE id = ?",
                (now + seconds, seconds, lease.run),
            )

    def close(self, lease: Lease) -> None:
        """Note that all of a run is over.

        Raises:
            BatchLeaseError: Somebody else has taken the lease.
        """
        with self._held(lease) as connection:
            self._change(connection, lease.run, is_done=True)
        with self._cache.writing() as connection:  # its pages are not needed to read the result
            connection.execute("PRAGMA shrink_memory")

    def cancel(self, run: str) -> None:
        """Note that a run is wanted no more: who works it, works to end it. It needs no lease."""
        with self._writing() as connection:
            self._change(connection, run, is_cancelled=True)

    def forget(self, run: str) -> None:
        """Forget a run that is over, but for jobs that may still show up; else nothing changes."""
        with self._writing() as connection:
            found = connection.execute("SELECT run FROM batch_runs WHERE id = ?", (run,)).fetchone()
            if found is None or not self._run(run, found[0]).is_done:
                return
            connection.execute("DELETE FROM batch_runs WHERE id = ?", (run,))
            query = "SELECT name, job FROM batch_jobs WHERE run = ?"
            jobs = [self._job(run, *row) for row in connection.execute(query, (run,)).fetchall()]
            names = [(job.name,) for job in jobs if not job.is_awaited]
            connection.executemany("DELETE FROM batch_jobs WHERE name = ?", names)

    def forget_all_of(self, run: str) -> None:
        """Forget a run, whatever stands there of it."""
        with self._writing() as connection:
            connection.execute("DELETE FROM batch_runs WHERE id = ?", (run,))
            connection.execute("DELETE FROM batch_jobs WHERE run = ?", (run,))

    def forget_old(self, before: float) -> None:
        """Forget runs that are over, and began before a time."""
        for name in self.ids():
            with suppress(BatchDamagedError):  # who asks for it hears of it
                run = self.run(name)
                if run is not None and run.is_done and run.created < before:
                    self.forget(name)

    def awaited(self, **there: Any) -> list[Job]:
        """Return the jobs of all runs that were given up, and have not shown up since.

        Args:
            there: What runs say of where they are: jobs of others are left out. Of a run that is
                forgotten nobody knows.
        """
        query = (
            "SELECT batch_jobs.run, name, job, batch_runs.run FROM batch_jobs"
            " LEFT JOIN batch_runs ON batch_runs.id = batch_jobs.run"
        )
        found: list[Job] = []
        for run, name, row, held in self._select(query):
            with suppress(BatchDamagedError):  # likewise
                job = self._job(run, name, row)
                if job.is_awaited and self._is_there(run, held, there):
                    found.append(job)
        return found

    def _is_there(self, run: str, row: Any, there: Mapping[str, Any]) -> bool:
        asked: Mapping[str, Any] = {}
        with suppress(BatchDamagedError):
            asked = self._run(run, row).asked if row and there else {}
        return all(asked.get(name, value) == value for name, value in there.items())

    def remains(self, run: str) -> list[Remains]:
        """Return what is known of the jobs of a run, whether their rows can be read or not."""
        found = self._select("SELECT name, job FROM batch_jobs WHERE run = ?", run)
        return [remains_of(*row) for row in found]

    def came_late(self, job: Job) -> None:
        """Write down which jobs came late under a job's name; this needs no lease: it is over."""
        with self._writing() as connection:
            query = "UPDATE batch_jobs SET job = ? WHERE name = ?"
            connection.execute(query, (written(job.as_row()), job.name))

    def drop_awaited(self, before: float) -> None:
        """Wait no longer for jobs that were given up before a time."""
        old = [(job.name,) for job in self.awaited() if job.at < before]
        with self._writing() as connection:
            connection.executemany("DELETE FROM batch_jobs WHERE name = ?", old)

    def ids(self) -> list[str]:
        """Return the ids of all runs."""
        query = "SELECT id FROM batch_runs WHERE typeof(id) = 'text'"  # others have no name
        return [run for (run,) in self._select(query)]

    def run(self, run: str) -> Run | None:
        """Return a run; None where there is none.

        Raises:
            BatchDamagedError: What stands there of it cannot be read.
        """
        found = self._select(_RECORD, run)
        return self._record(run, found[0]).run if found else None

    def jobs(self, run: str) -> list[Job]:
        """Return the jobs of a run, in the order of their rows, the latest last.

        Raises:
            BatchDamagedError: What stands there of one cannot be read.
        """
        found = self._select("SELECT name, job FROM batch_jobs WHERE run = ? ORDER BY rowid", run)
        return sorted((self._job(run, *row) for row in found), key=lambda job: job.first)

    def read(self, run: str) -> tuple[Run, list[Job]] | None:
        """Return a run with its jobs; None where there is none.

        Raises:
            BatchDamagedError: What stands there of it cannot be read, or a job is missing.
        """
        found = self.run(run)
        if found is None:
            return None
        jobs = self.jobs(run)
        with self._reading(run):
            check_whole(found, jobs)
        return found, jobs

    def places(self, run: str) -> Places:
        """Return where the vectors of a run belong.

        Raises:
            BatchDamagedError: What stands there cannot be read.
        """
        ((places, row),) = self._select("SELECT places, run FROM batch_runs WHERE id = ?", run)
        texts, jobs = self._run(run, row).texts, self.jobs(run)
        with self._reading(run):
            found = Places.read(places)
            if found.texts != texts or any(job.last > len(found.rows) for job in jobs):
                raise ValueError("its parts do not fit each other")
            return found

    def _record(self, run: str, cells: tuple[Any, ...]) -> Record:
        with self._reading(run):
            return record_of(run, cells)

    def _run(self, run: str, row: Any) -> Run:
        with self._reading(run):
            return run_of(run, row)

    def _job(self, run: str, name: str, row: Any) -> Job:
        with self._reading(run):
            return job_of(name, row)

    @contextmanager
    def _reading(self, run: str) -> Generator[None]:
        """Make of what cannot be read an error that says where it stands, and what to do."""
        try:
            yield
        except (RecursionError, TypeError, ValueError) as error:  # a BLOB may be in a text's place
            raise BatchDamagedError(
                f"what {self._cache.path} holds of batch run {run} is damaged ({error}): nobody "
                f"can go on with it. batch_resume({run!r}).clean() stops its jobs and forgets it; "
                "then embed the same texts again",
                run=run,
            ) from error

    @staticmethod
    def _put(connection: sqlite3.Connection, run: str, jobs: Iterable[Job]) -> None:
        connection.executemany(
            "INSERT INTO batch_jobs VALUES (?, ?, ?) ON CONFLICT (name)"
            " DO UPDATE SET job = excluded.job",
            [(job.name, run, written(job.as_row())) for job in jobs],
        )

    def _change(self, connection: sqlite3.Connection, run: str, **changes: bool) -> None:
        query = "SELECT run FROM batch_runs WHERE id = ?"
        for (row,) in connection.execute(query, (run,)).fetchall():
            with self._reading(run):
                made = changed(row, changes)
            connection.execute("UPDATE batch_runs SET run = ? WHERE id = ?", (made, run))

    def _select(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        with self._lent() as connection:
            if connection.execute(_HAS_TABLES).fetchone()[0] < 2:  # noqa: PLR2004 - both of them
                return []
            return connection.execute(query, values).fetchall()

    @contextmanager
    def _held(self, lease: Lease) -> Generator[sqlite3.Connection]:
        with self._writing() as connection:
            cells = connection.execute(_RECORD, (lease.run,)).fetchone()
            found = self._record(lease.run, cells) if cells else None
            if found is None or found.lease != lease.number:
                who = (found and found.holder) or "another process"
                raise BatchLeaseError(
                    f"{who} has taken over batch run {lease.run} while this one was held up; it "
                    "goes on there, and batch_resume waits for it",
                    run=lease.run,
                )
            yield connection

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        """Yield a connection within a transaction that is on the disk when it ends."""
        with self._lent() as connection:
            connection.execute("PRAGMA synchronous = FULL")  # the cache's own writes may be lost
            try:
                with connection:
                    connection.execute("BEGIN IMMEDIATE")
                    for table in _TABLES.split(";"):
                        connection.execute(table)
                    yield connection
            finally:
                connection.execute("PRAGMA synchronous = NORMAL")

    @contextmanager
    def _lent(self) -> Generator[sqlite3.Connection]:
        """Yield a connection that reads what is no UTF-8 as well: it costs no other row."""
        with self._cache.writing() as connection:
            connection.text_factory = _as_text
            try:
                yield connection
            finally:
                connection.text_factory = str


def _as_text(cell: bytes) -> str:
    return cell.decode(errors="replace")
