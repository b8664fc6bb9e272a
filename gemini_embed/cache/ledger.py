"""The file behind a quota that processes share: what each sent, and what came of it, in order."""

from __future__ import annotations

import math
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from gemini_embed.cache.file import Handle
from gemini_embed.cache.sqlite import SQLiteCache
from gemini_embed.pacing.sharing import Event, News

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from gemini_embed.cache.days import DayBook
    from gemini_embed.pacing.sharing import Clock

_PAGE_BYTES = 4096
_LOG_PAGES = 256
"""Small ones: an event has a hundred bytes, and each is written as soon as it happens."""

_TIDIED = 5.0
"""Seconds after which old events are looked for again."""

_BOOT = Path("/proc/sys/kernel/random/boot_id")

_MOST = 2**31
"""Texts that nobody sends in one request."""

_AHEAD = 1.0
"""Seconds: an event that is later than this is of a time before the machine was started again."""

_ELSEWHERE = "SELECT 1 FROM quota_events WHERE id > ? AND boot <> ? LIMIT 1"

_FIELDS = ", ".join(Event._fields)
_TABLE = f"""
CREATE TABLE IF NOT EXISTS quota_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, scope TEXT, boot TEXT, {_FIELDS}
)
"""
_NAMES = "CREATE TABLE IF NOT EXISTS quota_file (id INTEGER PRIMARY KEY, name TEXT)"
"""A name that no other file has: one may be deleted, and another made in its place."""

_LAST = "SELECT seq FROM sqlite_sequence WHERE name = 'quota_events'"
_READ = f"""
SELECT {_FIELDS} FROM quota_events
WHERE id > ? AND scope = ? AND boot = ? AND process <> ? AND at <= ? ORDER BY id
"""  # noqa: S608 - constants
_WRITE = (
    f"INSERT INTO quota_events (scope, boot, {_FIELDS}) "  # noqa: S608 - constants
    f"VALUES ({', '.join('?' * (2 + len(Event._fields)))})"
)
_TIDY = "DELETE FROM quota_events WHERE kept_until < ? OR at > ? OR boot <> ?"


class _File(SQLiteCache):
    def _handle(self) -> Handle:
        return Handle(self.path, self._past, page_bytes=_PAGE_BYTES, log_pages=_LOG_PAGES)


class QuotaFile:
    """The events of one quota: a `Ledger`.

    Args:
        path: The file; made where there is none, readable by its owner only.
        scope: Whose quota it is, where a file holds several.
    """

    def __init__(self, path: str, scope: str = "") -> None:
        self._file = _File(path)
        self._scope = scope
        self._tidied_at = -math.inf
        self._name = ""
        self._is_used_elsewhere = False

    def exchange(
        self, process: str, after: int, events: Sequence[Event], wanted: Event | None, clock: Clock
    ) -> News:
        """See `gemini_embed.pacing.sharing.Ledger`."""
        with self._file.writing() as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            now = clock()
            news = self._news(connection, process, after, now)
            granted = not news.takes_room
            put_in = [*events, wanted.moved(now)] if wanted is not None and granted else events
            rows = [(self._scope, boot(), *event) for event in put_in]
            connection.executemany(_WRITE, rows)
            if now - self._tidied_at > _TIDIED:
                connection.execute(_TIDY, (now, now + _AHEAD, boot()))
                self._tidied_at = now
            return news._replace(last=_last(connection), granted=granted)

    def look(self, process: str, after: int, clock: Clock) -> News:
        """See `gemini_embed.pacing.sharing.Ledger`."""
        with self._file.writing() as connection, connection:
            connection.execute("BEGIN")  # the events and the last place, of one moment
            return self._news(connection, process, after, clock())

    def day_book(self, account: str) -> DayBook:
        """Return where the texts that an account sends in a day are counted, in the same file."""
        return self._file.day_book(account)

    def _news(self, connection: sqlite3.Connection, process: str, after: int, now: float) -> News:
        connection.execute(_TABLE)
        before, self._name = self._name, _name(connection)
        if self._name != before:
            after = 0
        last = _last(connection)
        where = after, self._scope, boot(), process, now + _AHEAD
        rows = connection.execute(_READ, where).fetchall()
        events = [Event(*row) for row in rows if _is_sound(row)]
        notice = self._notice(connection, after, before)
        return News(events, last, granted=False, at=now, notice=notice)

    def _notice(self, connection: sqlite3.Connection, after: int, before: str) -> str | None:
        """Return why the limit may be exceeded, if it may, and that was not told before."""
        path = self._file.path
        if before and self._name != before:
            return (
                f"{path}, which holds a quota, was deleted or replaced while it was in use: "
                "processes that start now do not know what was sent before"
            )
        # What is put in now has this boot's name, or the file is on a drive of several machines.
        if after and not self._is_used_elsewhere:
            row = connection.execute(_ELSEWHERE, (after, boot())).fetchone()
            self._is_used_elsewhere = row is not None
            if row is not None:
                return (
                    f"another machine uses {path}, too, and what it sends is not counted here: "
                    "give each machine a file on a drive of its own, and its part of the quota"
                )
        return None


def _is_sound(row: tuple[object, ...]) -> bool:
    """Tell whether a row is an event: a damaged file may hold anything."""
    match row:
        case (
            str(),
            str(),
            int(),
            float(),
            float(),
            int(texts),
            int() | None,
            0 | 1,
            float(),
            float(backoff),
            int() | float() | None,
            str() | None,
            int() | None,
        ):
            return 0 <= texts < _MOST and 0 <= backoff < math.inf
    return False


def _name(connection: sqlite3.Connection) -> str:
    connection.execute(_NAMES)
    row = connection.execute("SELECT name FROM quota_file").fetchone()
    if row is None:
        row = (os.urandom(16).hex(),)
        connection.execute("INSERT INTO quota_file VALUES (1, ?)", row)
    return str(row[0])


def _last(connection: sqlite3.Connection) -> int:
    row = connection.execute(_LAST).fetchone()
    return 0 if row is None else int(row[0])


@cache
def boot() -> str:
    """Return what tells this run of the machine from the ones before: its clock began anew."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""  # not Linux; then only events that are later than now are known to be older
