"""A connection to a cache file: made if need be, and refused where it is something else."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from gemini_embed.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

_APPLICATION_ID = 0x47454D45  # "GEME": SQLite's way to say whose file it is
_PAGE_BYTES = 65536
"""Vectors of 3 and 12 KiB fill large pages well: 1.03 and 1.07 times their size on disk, where
SQLite's usual 4 KiB pages cost a third more."""

_KEPT_KIB = 16 * 1024
"""Of the file, in memory: what the index of keys needs while vectors pass through."""

_LOG_PAGES = 4096
"""The log's length at which SQLite itself copies it: where processes end before they would."""

_PATIENCE = 60.0
"""Seconds that another process may keep the file to itself."""

_SCHEMA = f"""
PRAGMA application_id = {_APPLICATION_ID};
CREATE TABLE vectors (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL);
CREATE TABLE uses (id INTEGER PRIMARY KEY, day INTEGER NOT NULL);
"""
# Later uses lie apart: noting one would otherwise write the vector's page again.


class Handle:
    """A connection, opened at its first use, and the lock that gives it to one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.lock = threading.Lock()
        self.connection: sqlite3.Connection | None = None
        self._path = path

    def connect(self) -> sqlite3.Connection:
        """Return the connection; the lock is held."""
        if self.connection is None:
            self.connection = _open(self._path)
        return self.connection

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


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
    connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
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
