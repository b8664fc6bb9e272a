"""Counts of the texts sent in a day, in the file of a cache: one row for each account and day."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gemini_embed.cache.file import BRIEFLY
from gemini_embed.pacing.day import Entry

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from contextlib import AbstractContextManager

_TABLE = """
CREATE TABLE IF NOT EXISTS days (
    account TEXT, day INTEGER, sent INTEGER, full_until REAL, named INTEGER, named_on INTEGER,
    told INTEGER, PRIMARY KEY (account, day)
) WITHOUT ROWID
"""
"""Made when something is counted for the first time: a file of an earlier release has no such
table, and an earlier release leaves it alone."""

_READ = """
SELECT day, sent, full_until, named, named_on, told FROM days
WHERE account = ? AND day <= ? ORDER BY day DESC LIMIT 1
"""
_WRITE = "INSERT OR REPLACE INTO days VALUES (?, ?, ?, ?, ?, ?, ?)"
_TIDY = "DELETE FROM days WHERE day < ?"
_MOST = 2**53
"""Texts that nobody sends in a day. To the largest number of SQLite nothing could be added."""

_KEPT = 30
"""Days, which is more than anybody asks for."""


class DayBook:
    """The days of one account.

    Args:
        account: Whose texts are counted together.
        writing: Lends a connection to the file, and waits so many seconds for others who use it.
    """

    def __init__(
        self,
        account: str,
        writing: Callable[[float], AbstractContextManager[sqlite3.Connection]],
    ) -> None:
        self._account = account
        self._writing = writing

    def change(
        self, day: int, change: Callable[[Entry], Entry], *, patient: bool
    ) -> tuple[Entry, Entry]:
        """Change the entry of a day, which no thread or process else changes meanwhile.

        Returns:
            The entry before and after.

        Raises:
            OSError: The file cannot be used now.
        """
        with self._writing(math.inf if patient else BRIEFLY) as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_TABLE)
            found = connection.execute(_READ, (self._account, day)).fetchone()
            before = _entry(found, day)
            after = change(before)
            if after != before:
                connection.execute(_WRITE, (self._account, day, *after))
                connection.execute(_TIDY, (day - _KEPT,))
        return before, after


def _entry(row: tuple[object, ...] | None, day: int) -> Entry:
    """Return what a row says; nothing, where there is none or a damaged file holds anything."""
    match row:
        case (int(at), int(sent), float(until), int(named), int(named_on), int(told)) if (
            0 <= sent < _MOST and named >= 0
        ):
            entry = Entry(sent, until, named, named_on, told)
            return entry if at == day else entry.for_another_day()
        case _:
            return Entry()
