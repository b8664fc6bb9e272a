"""The cache that comes with the project: one SQLite file. The only module that writes files."""

from __future__ import annotations

import math
import os
import sqlite3
import sys
import threading
import time
import warnings
from collections import deque
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from gemini_embed import loop
from gemini_embed.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

DEFAULT_MAX_BYTES = 4 * 2**30

_APPLICATION_ID = 0x47454D45  # "GEME": SQLite's way to say whose file it is
_PAGE_BYTES = 65536
"""Vectors of 3 and 12 KiB fill large pages well: 1.03 and 1.07 times their size on disk, where
SQLite's usual 4 KiB pages cost a third more."""

_KEPT_KIB = 16 * 1024
"""Of the file, in memory: what the index of keys needs while vectors pass through."""

_PATIENCE = 60.0
"""Seconds that another process may keep the file to itself."""

_VALUES_AT_ONCE = 500
_PLACES = "SELECT id FROM vectors WHERE key IN ({marks})"
_VALUES = "SELECT id, key, value, day FROM vectors JOIN uses USING (id) WHERE id IN ({marks})"
_INSERT = "INSERT OR IGNORE INTO vectors (key, value) VALUES {marks}"
_DAY = 86_400


class Stats(NamedTuple):
    """What a cache file holds.

    Attributes:
        vectors: How many.
        bytes: The file's size, the part that is free for reuse left out.
        oldest_use: Days since the least recently used vector was used; None when empty.
    """

    vectors: int
    bytes: int
    oldest_use: int | None


def default_path() -> Path:
    """Return the per-user cache file, where the platform keeps such things."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "gemini-embed" / "vectors.sqlite3"


class SQLiteCache:
    """A file of vectors, safe for any number of threads and processes at once.

    Opened at the first use. When it cannot be written (disk full, read-only), a warning says
    so once, and embedding goes on without it. It pickles as its options.

    Args:
        path: The file; made if need be, with its folder. Default: a per-user file.
        max_bytes: The size at which the least recently used vectors make room, to the day.

    Raises:
        ConfigurationError: At the first use: the file is something else, or damaged. It is
            left as it is.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, max_bytes: int = DEFAULT_MAX_BYTES
    ) -> None:
        self._connection: sqlite3.Connection | None = None
        if not max_bytes > 0:
            raise ConfigurationError(f"max_bytes must be more than 0, not {max_bytes!r}")
        self.path = default_path() if path is None else Path(path)
        self.max_bytes = max_bytes
        self._today: Callable[[], int] = lambda: int(time.time() // _DAY)
        self._lock = threading.Lock()
        self._process = 0
        self._broken = False
        self._unmeasured = math.inf  # bytes written since the file's size was looked at
        self._waiting: deque[Sequence[tuple[str, bytes]]] = deque()

    def __repr__(self) -> str:
        return f"SQLiteCache({str(self.path)!r}, max_bytes={self.max_bytes})"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.path, self.max_bytes)

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the value of each key, in order, None where there is none."""
        if self._broken:
            return [None] * len(keys)
        found: dict[bytes, bytes] = {}
        stale: list[int] = []
        today = self._today()
        wanted = [bytes.fromhex(key) for key in keys]
        with self._opened() as connection:
            # First where, then what in the order of the file: each page is read once.
            # A place may be another vector's by then: what counts is the key that is there.
            places = sorted(number for (number,) in _select(connection, _PLACES, wanted))
            for number, key, value, day in _select(connection, _VALUES, places):
                found[key] = value
                if day < today:
                    stale.append(number)
            if stale:
                self._note_use(connection, stale, today)
        return [found.get(key) for key in wanted]

    def set_many(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        """Keep values under their keys."""
        if self._broken:
            return
        self._waiting.append(pairs)
        with self._opened() as connection:
            # Whoever comes first writes for all who wait: a commit costs more than a vector.
            some: list[tuple[bytes, bytes]] = []
            while self._waiting:
                some += [(bytes.fromhex(key), value) for key, value in self._waiting.popleft()]
            if some:
                self._write(connection, some)

    def _write(self, connection: sqlite3.Connection, pairs: list[tuple[bytes, bytes]]) -> None:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            for start in range(0, len(pairs), _VALUES_AT_ONCE):
                # One statement: each has to wait for Python, which may be reading an answer.
                some = pairs[start : start + _VALUES_AT_ONCE]
                marks = ",".join(["(?, ?)"] * len(some))
                done = connection.execute(
                    _INSERT.format(marks=marks), list(chain.from_iterable(some))
                )
                if done.rowcount:  # these are numbered one after the other
                    before = (done.lastrowid or 0) - done.rowcount
                    connection.execute(
                        "INSERT INTO uses SELECT id, ? FROM vectors WHERE id > ?",
                        (self._today(), before),
                    )
            self._unmeasured += sum(len(value) for _, value in pairs)
            full = self._is_full(connection)
            if full:
                self._make_room(connection, self.max_bytes)
        if full and _used_bytes(connection) > self.max_bytes:
            connection.execute("VACUUM")  # what went left holes in pages that are in use

    def _is_full(self, connection: sqlite3.Connection) -> bool:
        """Look at the file's size, but not before it can have grown by a hundredth of the most."""
        if self._unmeasured < self.max_bytes / 100:
            return False
        self._unmeasured = 0
        return _used_bytes(connection) > self.max_bytes

    @staticmethod
    def _note_use(connection: sqlite3.Connection, numbers: Sequence[int], today: int) -> None:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "UPDATE uses SET day = ? WHERE id = ?", [(today, number) for number in numbers]
            )

    def stats(self) -> Stats:
        """Return what the file holds."""
        with self._opened(strict=True) as connection:
            count, oldest = connection.execute("SELECT count(*), min(day) FROM uses").fetchone()
            age = None if oldest is None else max(0, self._today() - oldest)
            return Stats(count, _used_bytes(connection), age)

    def prune(self, max_bytes: int) -> None:
        """Drop the least recently used vectors beyond `max_bytes`, and give the space back."""
        with self._opened(strict=True) as connection:
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                self._make_room(connection, max_bytes)
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def clear(self) -> None:
        """Drop all vectors, and give the space back."""
        self.prune(0)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __del__(self) -> None:
        if self._connection is not None and self._process == os.getpid():
            self._connection.close()

    @contextmanager
    def _opened(self, *, strict: bool = False) -> Iterator[sqlite3.Connection]:
        """Yield the connection, one thread at a time.

        What SQLite cannot do is warned about once and ends the use of the file, unless `strict`.
        """
        with self._lock:
            connection = self._connect()
            try:
                yield connection
            except sqlite3.Error as error:
                if strict:
                    raise ConfigurationError(f"the cache {self.path}: {error}") from error
                self._broken = True
                warnings.warn(f"the cache {self.path} is not used any more: {error}", stacklevel=4)

    def _connect(self) -> sqlite3.Connection:
        if self._process != os.getpid():
            # SQLite's connections do not survive a fork; the parent's is not ours to close.
            loop.keep_from_child(self._connection)
            self._connection, self._process = None, os.getpid()
        if self._connection is None:
            self._connection = _open(self.path)
        return self._connection

    @staticmethod
    def _make_room(connection: sqlite3.Connection, max_bytes: int) -> None:
        used = max(_used_bytes(connection), 1)
        count = connection.execute("SELECT count(*) FROM uses").fetchone()[0]
        # A tenth more than needed, so that not every write has to.
        keep = min(count, int(count * max_bytes / used * 0.9))
        going = connection.execute(
            "SELECT id FROM uses ORDER BY day, id LIMIT ?", (count - keep,)
        ).fetchall()
        connection.executemany("DELETE FROM vectors WHERE id = ?", going)
        connection.executemany("DELETE FROM uses WHERE id = ?", going)


def _rebuild(path: Path, max_bytes: int) -> SQLiteCache:
    return SQLiteCache(path, max_bytes=max_bytes)


_SCHEMA = f"""
PRAGMA application_id = {_APPLICATION_ID};
CREATE TABLE vectors (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL);
CREATE TABLE uses (id INTEGER PRIMARY KEY, day INTEGER NOT NULL);
"""
# Uses lie apart: noting one would otherwise write the vector's page again.


def _open(path: Path) -> sqlite3.Connection:
    """Open a cache file, made if it is not there.

    Raises:
        ConfigurationError: It is there, and is something else or damaged.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise sqlite3.OperationalError(str(error)) from error
    connection = sqlite3.connect(
        path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
    )
    # Making a file, two processes may meet in ways that SQLite's own patience does not cover.
    patient = Retrying(
        retry=retry_if_exception(lambda error: "locked" in str(error)),
        stop=stop_after_delay(_PATIENCE),
        wait=wait_random(0.001, 0.05),
        reraise=True,
    )
    try:
        patient(_set_up, connection, path)
    except sqlite3.OperationalError:  # the disk is full, read-only, ...: no fault of the file
        connection.close()
        raise
    except sqlite3.DatabaseError as error:
        connection.close()
        raise ConfigurationError(
            f"{path} is not a cache file, or damaged ({error}); it is left as it is. "
            "Name another file, or delete it"
        ) from error
    except ConfigurationError:
        connection.close()
        raise
    return connection


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
    with connection:
        connection.execute("BEGIN")
        if _is_foreign(connection):
            raise ConfigurationError(
                f"{path} is a database of something else; name another file for the cache"
            )
    connection.execute(f"PRAGMA cache_size = -{_KEPT_KIB}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        if not _count_tables(connection):
            for statement in filter(str.strip, _SCHEMA.split(";")):
                connection.execute(statement)


def _is_foreign(connection: sqlite3.Connection) -> bool:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    return bool(_count_tables(connection)) and application != _APPLICATION_ID


def _count_tables(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])


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
