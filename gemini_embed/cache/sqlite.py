"""The cache that comes with the project: one SQLite file, opened by `handle`."""

from __future__ import annotations

import math
import os
import time
from collections import deque
from concurrent.futures import Future, wait
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakSet

from gemini_embed.background import process
from gemini_embed.background.threads import begin
from gemini_embed.cache.days import DayBook
from gemini_embed.cache.file import BRIEFLY, Handle, Past
from gemini_embed.cache.paths import absolute, default_path
from gemini_embed.errors import ConfigurationError

if TYPE_CHECKING:
    import sqlite3
    import threading
    from collections.abc import Callable, Generator, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

DEFAULT_MAX_BYTES = 4 * 2**30

_SETTLED_AT_ONCE = 64 * 2**20
"""Bytes of vectors written before the log, then about three times as large, is copied into the
file. Copying waits for the disk, and most jobs end before it is due: filling the cache is measured
by `make bench`, section Cache."""

_LONGEST_WRITE = 10.0
"""The most seconds that a fork waits for a write to end."""

_DAY_BITS = 32
"""The lower bits of a row's id count the vectors of a day; the bits above them are the day itself.

SQLite gives a new row the largest id plus one. So `_mark` inserts one row a day whose lower bits
are zero, and all that follow are numbered within that day. Those rows are no vectors; `_ALL` skips
them.

This way counting the vectors, and finding those of the oldest days, reads only the index of keys,
which holds the ids, and not the rows, of 3 to 12 KiB each. A column for the day would lie in those
rows, and an index on it would be one more thing to write for each vector. `make bench` measures
what filling the cache costs, section Cache."""

_VALUES_AT_ONCE = 500
_PLACES = "SELECT id FROM vectors WHERE key IN ({marks})"
_USED = f"ifnull(day, id >> {_DAY_BITS})"
_ALL = f"vectors LEFT JOIN uses USING (id) WHERE id & {2**_DAY_BITS - 1}"
_VALUES = (
    f"SELECT id, key, value, {_USED} FROM vectors LEFT JOIN uses USING (id)"  # noqa: S608 - constants
    " WHERE id IN ({marks})"
)
_INSERT = (  # the same value again writes nothing; a damaged one is replaced
    "INSERT INTO vectors (key, value) VALUES {marks} ON CONFLICT (key) DO UPDATE"
    " SET value = excluded.value WHERE value IS NOT excluded.value"
)
_DAY = 86_400


class _Write(NamedTuple):
    """What one thread wants to store, and the outcome."""

    pairs: Sequence[tuple[bytes, bytes]]
    outcome: Future[None]


class Stats(NamedTuple):
    """What a cache file holds.

    Attributes:
        vectors: How many.
        bytes: The file's size, without the pages that are free for reuse.
        oldest_use: Days since the least recently used vector was used; None when empty.
    """

    vectors: int
    bytes: int
    oldest_use: int | None


class SQLiteCache:
    """A file of vectors, safe for any number of threads and processes at once.

    The file is opened at the first use, and again where it was deleted or replaced. Where it
    cannot be used (disk full, read-only), the embedder warns once and goes on without it. A pickle
    holds only the options.

    Args:
        path: The file. It is created if there is none, with its folder, readable by the owner
            only. Default: the user's own file (`default_path`).
        max_bytes: The size at which the vectors that were not used for the most days are deleted.

    Raises:
        ConfigurationError: At the first use: the file is no cache file, or damaged. It is left
            unchanged.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, max_bytes: int = DEFAULT_MAX_BYTES
    ) -> None:
        self._handles: tuple[Handle, ...] = ()
        if not max_bytes > 0:
            raise ConfigurationError(f"max_bytes must be more than 0, not {max_bytes!r}")
        self.path = default_path() if path is None else absolute(path)
        self.max_bytes = max_bytes
        self._today: Callable[[], int] = lambda: int(time.time() // _DAY)
        self._leave_to_parent()
        _caches.add(self)
        self._settling: Future[None] | None = None
        self._unmeasured = math.inf  # bytes written since the file's size was looked at
        self._unsettled = 0  # bytes written since the log was copied into the file
        self._marked: tuple[sqlite3.Connection, int] | None = None  # what `_mark` was last done for

    def _leave_to_parent(self) -> None:
        """Start with new locks and connections; in a forked child the old are the parent's."""
        process.leave_to_parent(*self._handles)
        # Two connections: with a write-ahead log, who reads does not wait for who writes.
        self._past = Past()
        self._reader, self._writer = self._handles = self._handle(), self._handle()
        self._waiting: deque[_Write] = deque()
        self._turn = process.new_lock()

    def _handle(self) -> Handle:
        return Handle(self.path, self._past)

    def _prepare_for_fork(self) -> list[threading.Lock]:
        """Close the connections, which SQLite lets no child inherit; return the locks held."""
        if (settling := self._settling) is not None:
            wait([settling], _LONGEST_WRITE)
        held = []
        for handle in self._handles:
            if handle.lock.acquire(timeout=_LONGEST_WRITE):
                handle.close()
                held.append(handle.lock)
        return held

    def __repr__(self) -> str:
        return f"SQLiteCache({str(self.path)!r}, max_bytes={self.max_bytes})"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.path, self.max_bytes)

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the value of each key, in order, None where there is none.

        Raises:
            OSError: The file cannot be read now; the next use tries again.
        """
        found: dict[bytes, bytes] = {}
        stale: list[int] = []
        today = self._today()
        wanted = [bytes.fromhex(key) for key in keys]
        with self._used(self._reader) as connection:
            # First look up the ids, then read the rows in the order of the file: each page once.
            # Another process may have given an id to another vector meanwhile, so what counts is
            # the key that is read with the value.
            places = sorted(number for (number,) in _select(connection, _PLACES, wanted))
            for number, key, value, day in _select(connection, _VALUES, places):
                found[key] = value
                if day != today:  # an earlier day, or a later one where a clock was wrong
                    stale.append(number)
        if stale:
            with suppress(OSError):  # a read-only file can be used as well
                self._note_use(stale, today)
        return [found.get(key) for key in wanted]

    def set_many(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        """Store values under their keys.

        Raises:
            OSError: The file cannot be written now; the next use tries again.
        """
        mine = _Write([(bytes.fromhex(key), value) for key, value in pairs], Future())
        self._waiting.append(mine)
        with self._turn:
            # The first thread writes for all that wait: a commit costs more than a vector.
            if not mine.outcome.done():
                self._write_all([self._waiting.popleft() for _ in range(len(self._waiting))])
        mine.outcome.result()

    def drop_many(self, keys: Sequence[str]) -> None:
        """Delete the values of some keys; OSError where the file cannot be written now."""
        named = [(bytes.fromhex(key),) for key in keys]
        with self._used(self._writer) as connection:
            connection.executemany("DELETE FROM vectors WHERE key = ?", named)

    def _write_all(self, writes: Sequence[_Write]) -> None:
        try:
            with self._used(self._writer) as connection:
                self._write(connection, list(chain.from_iterable(one.pairs for one in writes)))
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            for one in writes:
                one.outcome.set_exception(error)
        else:
            for one in writes:
                one.outcome.set_result(None)
        if self._unsettled >= _SETTLED_AT_ONCE and (
            self._settling is None or self._settling.done()
        ):
            self._unsettled = 0
            self._settling = begin(self._settle)

    def _settle(self) -> None:
        """Copy the log into the file, so that the log is written from its beginning again.

        First a connection of its own copies nearly all of it while others go on writing: on the
        writer's connection this would hold a call up for a tenth of a second. Then the writer's
        connection copies the rest, which it can only while nobody writes.
        """
        with suppress(OSError):  # the next write fails likewise, and that is reported
            with closing(self._handle()) as other, other.use() as connection:
                connection.execute("PRAGMA wal_checkpoint")
            with self._used(self._writer) as connection:
                connection.execute("PRAGMA wal_checkpoint")

    def _write(self, connection: sqlite3.Connection, pairs: list[tuple[bytes, bytes]]) -> None:
        self._mark(connection, self._today())
        for start in range(0, len(pairs), _VALUES_AT_ONCE):
            # One statement is one transaction: between two statements this thread may have to wait
            # for the interpreter, and other processes would wait for the lock.
            some = pairs[start : start + _VALUES_AT_ONCE]
            marks = ",".join(["(?, ?)"] * len(some))
            connection.execute(_INSERT.format(marks=marks), list(chain.from_iterable(some)))
        written = sum(len(value) for _, value in pairs)
        self._unmeasured += written
        self._unsettled += written
        if self._is_full(connection):
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                self._make_room(connection, self.max_bytes)
            if _used_bytes(connection) > self.max_bytes:
                connection.execute("VACUUM")  # deleted vectors left holes in pages still in use

    def _mark(self, connection: sqlite3.Connection, today: int) -> None:
        """Let SQLite number what is written from now on within today."""
        if (connection, today) != self._marked:
            day = today << _DAY_BITS, b"%d" % today, b""
            connection.execute("INSERT OR IGNORE INTO vectors VALUES (?, ?, ?)", day)
            self._marked = connection, today

    def _is_full(self, connection: sqlite3.Connection) -> bool:
        """Tell whether the file is too large; look after each hundredth of the limit."""
        if self._unmeasured < self.max_bytes / 100:
            return False
        self._unmeasured = 0
        return _used_bytes(connection) > self.max_bytes

    def _note_use(self, numbers: Sequence[int], today: int) -> None:
        with self._used(self._writer, BRIEFLY) as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT OR REPLACE INTO uses SELECT id, ? FROM vectors WHERE id = ?",
                [(today, number) for number in numbers],
            )

    def day_book(self, account: str) -> DayBook:
        """Return where the texts that an account sends in a day are counted, in the same file."""
        return DayBook(account, self.writing)

    def writing(self, patience: float = math.inf) -> AbstractContextManager[sqlite3.Connection]:
        """Lend a connection that writes, for other tables of ours in the same file.

        Args:
            patience: Seconds to wait for others who use it.

        Raises:
            OSError: The file cannot be used now.
        """
        return self._used(self._writer, patience)

    def stats(self) -> Stats:
        """Return what the file holds.

        Raises:
            OSError: The file cannot be read.
        """
        with self._used(self._reader) as connection:
            vectors, oldest = connection.execute(
                f"SELECT count(*), min({_USED}) FROM {_ALL}"  # noqa: S608 - constants
            ).fetchone()
            # A damaged file may hold anything in the place of a day.
            age = max(0, self._today() - oldest) if isinstance(oldest, int) else None
            return Stats(vectors, _used_bytes(connection), age)

    def prune(self, max_bytes: int) -> None:
        """Delete the least recently used vectors beyond `max_bytes`, and shrink the file."""
        with self._used(self._writer) as connection:
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                self._make_room(connection, max_bytes)
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def clear(self) -> None:
        """Delete all vectors, and shrink the file."""
        self.prune(0)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if (settling := self._settling) is not None:
            wait([settling], _LONGEST_WRITE)
        for handle in self._handles:
            with handle.lock:
                handle.close()
        self._marked = None

    def __del__(self) -> None:
        for handle in self._handles:
            handle.close()

    @contextmanager
    def _used(self, handle: Handle, patience: float = math.inf) -> Generator[sqlite3.Connection]:
        """Yield a connection, opened again after an error, or where the file was replaced."""
        if any(one.was_replaced() for one in self._handles):
            self._begin_anew()
        try:
            with handle.use(patience) as connection:
                yield connection
        except OSError:
            with suppress(OSError):
                self._begin_anew()
            raise

    def _begin_anew(self) -> None:
        """Close both connections before either opens again.

        Within a process, SQLite's connections to a file share what they know of its log.
        """
        with ExitStack() as held:
            for handle in self._handles:
                held.enter_context(handle.held(BRIEFLY))
            for handle in self._handles:
                handle.let_go()

    @staticmethod
    def _make_room(connection: sqlite3.Connection, max_bytes: int) -> None:
        used = max(_used_bytes(connection), 1)
        vectors = connection.execute(f"SELECT count(*) FROM {_ALL}").fetchone()[0]  # noqa: S608 - likewise
        # A tenth more than needed, so that not every write has to delete.
        keep = min(vectors, int(vectors * max_bytes / used * 0.9))
        going = connection.execute(
            f"SELECT id FROM {_ALL} ORDER BY {_USED}, id LIMIT ?",  # noqa: S608 - likewise
            (vectors - keep,),
        ).fetchall()
        connection.executemany("DELETE FROM vectors WHERE id = ?", going)
        connection.executemany("DELETE FROM uses WHERE id = ?", going)


def _rebuild(path: Path, max_bytes: int) -> SQLiteCache:
    return SQLiteCache(path, max_bytes=max_bytes)


_caches: WeakSet[SQLiteCache] = WeakSet()
_held: list[threading.Lock] = []


def _before_fork() -> None:
    for cache in list(_caches):
        _held.extend(cache._prepare_for_fork())  # noqa: SLF001 - ours


def _after_fork_in_parent() -> None:
    while _held:
        _held.pop().release()


def _after_fork() -> None:
    _held.clear()
    for cache in list(_caches):
        cache._leave_to_parent()  # noqa: SLF001 - ours


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent)
process.after_fork(_after_fork)


def _used_bytes(connection: sqlite3.Connection) -> int:
    return int(
        connection.execute(
            "SELECT (page_count - freelist_count) * page_size"
            " FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
        ).fetchone()[0]
    )


def _select(
    connection: sqlite3.Connection, query: str, values: Sequence[Any]
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a query for any number of values."""
    for start in range(0, len(values), _VALUES_AT_ONCE):
        some = values[start : start + _VALUES_AT_ONCE]
        yield from connection.execute(query.format(marks=",".join("?" * len(some))), some)
