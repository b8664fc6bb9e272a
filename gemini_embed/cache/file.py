"""A connection to a cache file: creates the file if there is none, and refuses any other file."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from gemini_embed.background import process
from gemini_embed.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Generator

    _File = tuple[int, int] | None

_APPLICATION_ID = 0x47454D45  # "GEME", in the field of SQLite's header that names the program
_FORMAT = 0
"""Of the tables, in `user_version`: a later release that changes what they mean raises it."""

_PAGE_BYTES = 65536
"""Vectors of 3 and 12 KiB fill large pages well: the file is 1.03 and 1.07 times as large as they
are, and with SQLite's usual pages of 4 KiB a third larger. `make bench` measures it, section
Cache."""

_PAGE_CACHE_KIB = 16 * 1024
"""Of memory for pages of the file: enough for the index of keys, which every look-up reads."""

_LOG_PAGES = 4096
"""Pages in the write-ahead log at which SQLite copies it into the file by itself: a safeguard, for
processes that end before `SQLiteCache` does so."""

_PATIENCE = 60.0
"""Seconds to wait for another process that has locked the file."""

BRIEFLY = 1.0
"""Seconds to wait where the work is optional, or where a process has held its lock too long
before."""

_SCHEMA = f"""
PRAGMA application_id = {_APPLICATION_ID};
CREATE TABLE vectors (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL);
CREATE TABLE uses (id INTEGER PRIMARY KEY, day INTEGER NOT NULL);
"""
# Later uses have a table of their own: in the vector's row, each would write the vector's page
# again.

_making = process.new_lock()
"""Lets one thread at a time create a file: to close it, as `_make` does, releases all locks that
this process holds on it (POSIX), and so those of a connection of SQLite that another thread
opened."""


@dataclass
class Past:
    """What is known of a file from before: whether it has been opened as a cache file."""

    was_ours: bool = False


class Handle:
    """A connection that opens at its first use, and the lock that lets one thread at a time use it.

    Args:
        path: The file.
        past: What is known of it from before; shared by all its handles.
        page_bytes: Of a page, where the file is made.
        log_pages: Pages in the write-ahead log at which SQLite copies it into the file.
    """

    def __init__(
        self,
        path: Path,
        past: Past,
        *,
        page_bytes: int = _PAGE_BYTES,
        log_pages: int = _LOG_PAGES,
    ) -> None:
        self.lock = process.new_lock()
        self.connection: sqlite3.Connection | None = None
        self._path = path
        self._log = path
        self._opened: tuple[_File, _File] = None, None
        self._past = past
        self._patience = _PATIENCE
        self._sizes = page_bytes, log_pages

    @contextmanager
    def held(self, patience: float) -> Generator[None]:
        """Hold the lock.

        Raises:
            OSError: Another thread holds it for longer than that.
        """
        if not self.lock.acquire(timeout=patience):
            raise OSError(errno.EBUSY, "in use by another thread", str(self._path))
        try:
            yield
        finally:
            self.lock.release()

    @contextmanager
    def use(self, patience: float = _PATIENCE) -> Generator[sqlite3.Connection]:
        """Yield the connection, to one thread at a time.

        Args:
            patience: Seconds to wait for other threads, and then for other processes.

        Raises:
            ConfigurationError: The file is no cache file.
            OSError: The file cannot be used now; the error names it.
        """
        patience = min(patience, self._patience)
        with self.held(patience):
            try:
                connection = self._connect(patience)
                connection.execute(f"PRAGMA busy_timeout = {round(1000 * patience)}")
                yield connection
            except (sqlite3.Error, OSError) as error:
                if _is_locked(error) and patience == _PATIENCE:
                    self._patience = BRIEFLY  # until it works again
                raise _named(error, self._path) from error
            self._patience = _PATIENCE

    def _connect(self, patience: float) -> sqlite3.Connection:
        if self.connection is None:
            if self._past.was_ours:
                # The file exists, so that nobody locks it for long to set it up. Where it is
                # damaged, the lock may be our other connection's.
                patience = min(patience, BRIEFLY)
            try:
                self.connection = _open(self._path, patience, self._sizes)
            except ConfigurationError as error:
                if not self._past.was_ours:
                    raise
                raise OSError(errno.EIO, str(error), str(self._path)) from error
            self._log = _beside(self._path.resolve(), "-wal")
            self._opened = self._files()
            self._past.was_ours = True
        return self.connection

    def _files(self) -> tuple[_File, _File]:
        return _file_at(self._path), _file_at(self._log)

    def was_replaced(self) -> bool:
        """Tell whether the file or its log was deleted or replaced while it is open.

        What is written now would go to a file that nobody can open any more.
        """
        return self.connection is not None and self._files() != self._opened

    def let_go(self) -> None:
        """Close the connection; the caller holds the lock.

        Where the file was deleted and its log is still there, the log is deleted too: SQLite would
        apply it to the next file of that name.
        """
        was_open = self.connection is not None
        self.close()
        file, log = self._files()
        if was_open and file != self._opened[0] and log is not None and log == self._opened[1]:
            with suppress(OSError):
                self._log.unlink()

    def close(self) -> None:
        """Close the connection, if one is open; the caller holds the lock, or is the last user."""
        connection, self.connection = self.connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()


def _named(error: sqlite3.Error | OSError, path: Path) -> OSError:
    """Return an error that names the cache's file."""
    if isinstance(error, sqlite3.Error):
        return OSError(errno.EIO, str(error), str(path))
    if error.filename in {None, str(path)}:
        return error
    return OSError(error.errno, error.strerror, error.filename, None, str(path))


def _file_at(path: Path) -> _File:
    """Return device and inode of the file at a path; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _beside(path: Path, ending: str) -> Path:
    """Return the name of a file that SQLite keeps beside a database."""
    return Path(f"{path}{ending}")


def _open(path: Path, patience: float, sizes: tuple[int, int]) -> sqlite3.Connection:
    """Open a cache file; create it if there is none.

    Raises:
        ConfigurationError: The file is no cache file, or it is damaged.
    """
    _check_kind(path)
    _make(path)
    connection = sqlite3.connect(
        path, timeout=patience, isolation_level=None, check_same_thread=False
    )
    # SQLite's own timeout does not cover all that can happen when two processes set up a new file.
    patient = Retrying(
        retry=retry_if_exception(_is_locked),
        stop=stop_after_delay(patience),
        wait=wait_random(0.001, 0.05),
        reraise=True,
    )
    try:
        patient(_set_up, connection, path, *sizes)
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


def _check_kind(path: Path) -> None:
    """Refuse what is no regular file: opening a pipe would wait for ever.

    Raises:
        ConfigurationError: The path, or one of SQLite's own beside it, is something else.
    """
    for name in (path, *(_beside(path, ending) for ending in ("-wal", "-shm", "-journal"))):
        with suppress(FileNotFoundError, NotADirectoryError):
            mode = name.stat().st_mode
            if not stat.S_ISREG(mode):
                what = "a folder" if stat.S_ISDIR(mode) else "no file"
                raise ConfigurationError(f"{name} is {what}; name another file")


def _make(path: Path) -> None:
    """Create the file and its folder, where there are none, readable by their owner only.

    SQLite gives the files beside it the same mode.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _making, suppress(FileExistsError):
        os.close(os.open(path.resolve(), os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _is_locked(error: BaseException) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _set_up(connection: sqlite3.Connection, path: Path, page_bytes: int, log_pages: int) -> None:
    connection.execute(f"PRAGMA page_size = {page_bytes}")
    with connection:
        connection.execute("BEGIN")
        is_new = not _count_tables(connection)
        if not is_new:
            _check_ours(connection, path)
    connection.execute(f"PRAGMA cache_size = -{_PAGE_CACHE_KIB}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {log_pages}")
    if is_new:  # to an existing file nothing is written: it may be read-only
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            if not _count_tables(connection):
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    connection.execute(statement)


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file of another program, or of a later release.

    Raises:
        ConfigurationError: It is one.
    """
    if connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
        raise ConfigurationError(f"{path} is a database of something else; name another file")
    if connection.execute("PRAGMA user_version").fetchone()[0] > _FORMAT:
        raise ConfigurationError(
            f"{path} was written by a newer gemini-embed, which keeps it in another way; "
            "update gemini-embed here, or name another file"
        )


def _count_tables(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])
