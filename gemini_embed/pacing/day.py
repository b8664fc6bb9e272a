"""The quota of a day: when it resets, how much of it is left, and what a refusal teaches.

Performs no I/O: `now`, in seconds since the epoch, comes in with every question. Google counts
texts, per model and project, and resets the count at midnight Pacific time:
https://ai.google.dev/gemini-api/docs/rate-limits
"""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable

OnDailyQuota = Literal["error", "wait"]
"""What a call does when the day's quota is used up."""

_PACIFIC = "America/Los_Angeles"

_LATE = 1.0
"""Seconds after midnight at which a wait ends: the service's clock may be behind this machine's."""

_BELIEVED = 7
"""Days for which a limit that the service named is believed: people are moved to a higher tier."""

_EARLY = 3600.0
"""Seconds of a new day in which a refusal may still be about the day before."""

_AGAIN = 600.0
"""Seconds after which it is tried again then."""


class PacificDay(NamedTuple):
    """A day as Google counts, with its ends in seconds since the epoch."""

    number: int
    begins: float
    ends: float


def next_reset(now: datetime) -> datetime:
    """Return when daily quotas reset next: midnight Pacific time, as Google documents it."""
    return _midnight(now) + timedelta(days=1)


def day_at(now: float) -> PacificDay:
    """Return the day of a moment."""
    midnight = _midnight(datetime.fromtimestamp(now, ZoneInfo(_PACIFIC)))
    ends = midnight + timedelta(days=1)  # by the clock on the wall, so 23 to 25 hours later
    return PacificDay(midnight.toordinal(), midnight.timestamp(), ends.timestamp())


def _midnight(now: datetime) -> datetime:
    return now.astimezone(ZoneInfo(_PACIFIC)).replace(hour=0, minute=0, second=0, microsecond=0)


class Entry(NamedTuple):
    """What is known of one day, for all who keep count together.

    Attributes:
        sent: Texts that the service may have counted.
        full_until: Nothing more is sent before this moment: the service refused.
        named: The limit that a refusal named, then or earlier; 0 where none did.
        named_on: The number of the day on which it did.
        told: The limit that the user had told when the service refused; 0 for none.
    """

    sent: int = 0
    full_until: float = 0.0
    named: int = 0
    named_on: int = 0
    told: int = 0

    def for_another_day(self) -> Entry:
        """Return what is known of a day of which nothing was sent yet."""
        return self._replace(sent=0, full_until=0.0)

    def limit(self, told: int | None, today: int) -> float:
        """Return the limit of a day: what the user tells of it, or less where a refusal named less.

        After a refusal that named a limit, a user who tells a larger one than before knows better.
        """
        most = math.inf if told is None else told
        is_known = self.named and today - self.named_on < _BELIEVED
        return min(self.named, most) if is_known and self._holds(told) else most

    def left(self, told: int | None, today: PacificDay, now: float) -> float:
        """Return how many texts may be sent."""
        if now < min(self.full_until, today.ends) and self._holds(told):
            return 0
        return max(0, self.limit(told, today.number) - self.sent)

    def with_sent(self, texts: int) -> Entry:
        """Count texts; a number below 0 gives them back."""
        return self._replace(sent=max(0, self.sent + texts))

    def with_at_least(self, texts: int) -> Entry:
        """Count as many at the least."""
        return self._replace(sent=max(texts, self.sent))

    def with_refusal(self, value: int | None, told: int | None, number: int, until: float) -> Entry:
        """Learn from a refusal that named this limit, if any, on the day of that number."""
        news = self._replace(full_until=until, told=told or 0)
        return news._replace(named=value, named_on=number) if value else news

    def _holds(self, told: int | None) -> bool:
        """Tell whether the user has told nothing since that makes the refusal old."""
        return told is None or told == self.told or told <= (self.named or math.inf)


@dataclass(slots=True, eq=False)
class Taken:
    """The texts of one request that is under way.

    Attributes:
        texts: How many.
        day: The number of the day in whose entry they are counted; 0 in none.
    """

    texts: int
    day: int = 0


class DailyLimit:
    """The quota of a day, as one process knows it.

    Attributes:
        told: What the user said of it, in texts.
        clock: What gives `now`.
        owed: Texts that were counted here alone, by the number of their day: a file that others
            count in has yet to get them.
        own: All texts that were counted here, likewise: a file that says less was replaced.
    """

    def __init__(self, told: int | None) -> None:
        self.told = told
        self.clock: Callable[[], float] = time.time
        self.owed: Counter[int] = Counter()
        self.own: Counter[int] = Counter()
        self._today = PacificDay(0, 0.0, 0.0)
        self._known: dict[int, Entry] = {}
        self._under_way: dict[Taken, None] = {}
        self._answered_on = 0

    def today(self, now: float) -> PacificDay:
        """Return the day of a moment."""
        if not self._today.begins <= now < self._today.ends:
            self._today = day_at(now)
        return self._today

    def entry(self, number: int) -> Entry:
        """Return what is known of the day of that number."""
        if number not in self._known:
            before, entry = _of_day(number, self._known, self.own)
            self._known = {day: one for day, one in self._known.items() if day == before}
            self._known[number] = entry
        return self._known[number]

    def left(self, now: float) -> float:
        """Return how many texts are left of a day; changes nothing, on any thread."""
        today = day_at(now)
        _, entry = _of_day(today.number, self._known, self.own)
        return entry.left(self.told, today, now)

    def know(self, number: int, entry: Entry) -> None:
        """Take what is known of a day now."""
        self.entry(number)
        self._known[number] = entry

    def limit(self, now: float) -> float:
        """Return the limit that holds on the day of a moment; infinite where none is known."""
        today = self.today(now)
        return self.entry(today.number).limit(self.told, today.number)

    @property
    def is_known(self) -> bool:
        """Whether a limit is told, or was named on a day that this process has seen."""
        return self.told is not None or any(entry.named for entry in self._known.values())

    def room(self, now: float) -> float:
        """Return how many texts a request may have that leaves now."""
        today = self.today(now)
        left = self.entry(today.number).left(self.told, today, now)
        if left == math.inf:
            return left
        # The service may count for this day what left on the day before.
        return left - sum(one.texts for one in self._under_way if one.day != today.number)

    def wait(self, now: float) -> float:
        """Return the seconds until there may be room: 0 if there is, infinite until an answer."""
        if self.room(now) >= 1:
            return 0.0
        today = self.today(now)
        entry = self.entry(today.number)
        if now < entry.full_until:
            return min(entry.full_until, today.ends) + _LATE - now
        return math.inf if self._under_way else today.ends + _LATE - now

    def begin(self, texts: int) -> Taken:
        """Note a request that is about to leave; it is in no entry yet."""
        taken = Taken(texts)
        self._under_way[taken] = None
        return taken

    def end(self, taken: Taken, *, answered: bool, now: float) -> bool:
        """Note that a request has ended; tell whether it may be counted for a later day, too."""
        self._under_way.pop(taken, None)
        if answered and taken.day:
            self._answered_on = taken.day
        return bool(taken.day) and taken.day < self.today(now).number

    def end_all(self) -> None:
        """Give up waiting for requests of another event loop, as after a fork."""
        self._under_way.clear()

    def full_until(self, value: int | None, now: float) -> float:
        """Return until when nothing is sent after a refusal that named this limit, if any.

        Early in a day it may be about the day before: clocks differ. Then it is tried again soon.
        """
        today = self.today(now)
        is_early = now - today.begins < _EARLY
        has_room = self._answered_on != today.number or self.entry(today.number).sent < (value or 0)
        return min(now + _AGAIN, today.ends) if is_early and has_room else today.ends

    def resets_at(self, now: float) -> datetime:
        """Return when it resets, in Pacific time."""
        return datetime.fromtimestamp(self.today(now).ends, ZoneInfo(_PACIFIC))

    def described(self, now: float) -> str:
        """Return what is known of it, in words."""
        limit, sent = self.limit(now), self.entry(self.today(now).number).sent
        size = f"{limit:,.0f} texts a day" if limit < math.inf else "a limit nobody has named"
        return f"{size}, {sent:,} sent today"


def _of_day(number: int, known: dict[int, Entry], own: Counter[int]) -> tuple[int | None, Entry]:
    """Return what is known of a day, and the last day before of which anything is known."""
    before = max((day for day in list(known) if day < number), default=None)
    if number in known:
        return before, known[number]
    entry = Entry() if before is None else known[before].for_another_day()
    return before, entry.with_at_least(own[number])
