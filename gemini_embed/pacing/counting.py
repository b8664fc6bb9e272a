"""Counts a day's texts before they are sent: in a file, where several processes share one.

Runs on the I/O thread's loop; a worker thread waits for the file.
"""

from __future__ import annotations

import asyncio
import math
from functools import partial
from typing import TYPE_CHECKING, Protocol

from gemini_embed.background.threads import in_thread
from gemini_embed.notices import warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.errors import QuotaExceededError
    from gemini_embed.pacing.day import DailyLimit, Entry, Taken

    Change = Callable[[Entry], Entry]

_PAUSE = 60.0
"""Seconds for which a file is left alone that could not be used."""


class Book(Protocol):
    """Where entries of days are kept, for all who keep count together. Called on worker threads."""

    def change(self, day: int, change: Change, *, patient: bool) -> tuple[Entry, Entry]:
        """Change the entry of a day, which nobody else changes meanwhile.

        Args:
            day: The number of the day.
            change: Makes the new entry of the old one.
            patient: Whether to wait long for others who use the file.

        Returns:
            The entry before and after.

        Raises:
            OSError: It cannot be done now.
        """
        ...


class DayCount:
    """Counts the texts of a day's quota before they are sent.

    While the file cannot be used, this process counts for itself, and adds that to the file's
    count when it can.

    Attributes:
        limit: What is known of the quota.
        book: Where the count is kept; None for this process alone.
    """

    def __init__(self, limit: DailyLimit) -> None:
        self.limit = limit
        self.book: Book | None = None
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()  # the last to ask is the last to be told what is known
        self._not_before = -math.inf
        self._is_in_trouble = False
        limit.end_all()

    async def take(self, taken: Taken) -> bool:
        """Count a request that is about to leave; tell whether the day has room for it."""
        now, told = self.limit.clock(), self.limit.told
        today = self.limit.today(now)

        def change(entry: Entry) -> Entry:
            has_room = entry.left(told, today, now) >= taken.texts
            return entry.with_sent(taken.texts) if has_room else entry

        if await self._change(today.number, change):
            taken.day = today.number
        return bool(taken.day)

    async def give_back(self, taken: Taken) -> None:
        """Count a request no more: it was not sent, or the service refused it."""
        day, taken.day = taken.day, 0
        if day:
            await self._change(day, lambda entry: entry.with_sent(-taken.texts))

    async def refuse(self, taken: Taken, error: QuotaExceededError) -> None:
        """Learn from a refusal for the day's quota, with its size if that is named in texts."""
        now, told = self.limit.clock(), self.limit.told
        value = None if "Token" in (error.quota_id or "") else error.quota_value
        number, until = self.limit.today(now).number, self.limit.full_until(value, now)
        await self.give_back(taken)
        await self._change(number, lambda entry: entry.with_refusal(value, told, number, until))

    def end(self, taken: Taken, *, answered: bool) -> None:
        """Note that a request has ended; it counts for this day too if it left the day before."""
        now = self.limit.clock()
        if self.limit.end(taken, answered=answered, now=now):
            number = self.limit.today(now).number
            self._change_here(number, lambda entry: entry.with_sent(taken.texts))

    async def _change(self, number: int, change: Change) -> bool:
        """Change the entry of a day; tell whether that changed anything."""
        if self.book is None:
            return self._change_here(number, change)
        async with self._turn:
            if self._loop.time() >= self._not_before:
                try:
                    return await self._change_in(self.book, number, change)
                except OSError as error:
                    self._note_trouble(error)
            return self._change_here(number, change)

    def _change_here(self, number: int, change: Change) -> bool:
        before = self.limit.entry(number)
        after = change(before)
        self.limit.know(number, after)
        for counts in (self.limit.owed, self.limit.own):
            counts[number] += after.sent - before.sent
        return before != after

    async def _change_in(self, book: Book, number: int, change: Change) -> bool:
        in_book = partial(book.change, patient=self.limit.is_known)
        if owed := self.limit.owed.pop(number, 0):
            try:
                await in_thread(in_book, number, lambda entry: entry.with_sent(owed))
            except BaseException:
                self.limit.owed[number] += owed
                raise
        own = self.limit.own[number]
        found, after = await in_thread(
            in_book, number, lambda entry: change(entry.with_at_least(own))
        )
        before = found.with_at_least(own)
        self._is_in_trouble = False
        self.limit.own[number] += after.sent - before.sent
        self.limit.know(number, after)
        return before != after

    def _note_trouble(self, error: OSError) -> None:
        """Leave the file alone for a while, and say so once, if there is anything to count for."""
        self._not_before = self._loop.time() + _PAUSE
        if self.limit.is_known and not self._is_in_trouble:
            warn(f"this process counts the day's texts for itself for now ({error})")
        self._is_in_trouble = self.limit.is_known
