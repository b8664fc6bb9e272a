"""What answers and refusals teach about a limit that nobody named. Performs no I/O.

A refusal proves little: that some request was too much just then. So what is learned is a pace,
which every kind of limit takes if it is low enough, and a higher one is tried again and again.
The constants were found with the bench of services (`python -m benchmarks.quotas`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from gemini_embed.pacing.bursts import Bursts
from gemini_embed.pacing.pacer import Pacer
from gemini_embed.pacing.size import Size

PERIOD = 60.0
"""Seconds: the service's windows are minutes (and days, which are not waited for)."""

_SHORTEST = 1.0
"""Seconds: a shorter period cannot be told from the way there and back."""

_LONGEST_FULL = 1.5 * PERIOD
"""Seconds: a service that had no room for longer was busy; no window is so long."""

_LONGER = 2.0
"""A service that was full for so many times the period has a longer one: learn anew."""

_MEASURED = 0.95
"""Periods between two refusals that show a pace."""

_BURST_PERIODS = 10.0
"""Periods for which what was too much at once is believed."""

_BURSTS_FOR = 600.0
"""Seconds after which it goes steadily anyway: only a steady pace finds what others leave."""

_TURN = 36.0
"""Requests that show whether a pace is right, where a period has fewer."""

_CALM = 0.5
"""Turns without a refusal before the pace grows."""

_EAGER = 0.5
_FEW = 8.0
"""The share of itself by which a steady pace grows until it is refused for the first time: in a
period, or in so many requests where a period has fewer."""

_USED = 0.5
"""The share of a pace that is used where it grows: what is not tried shows nothing."""

_GROWTH = 0.1
_MOST_GROWTH = 1.0
"""The share of itself by which the pace grows in a turn: twice as much in each that goes well."""

_STEP = 0.2
"""Texts a second by which it grows in a turn anyway: who has little of a shared limit gains on
others, and refusals that have nothing to do with the pace do not bring it down to nothing."""

_BACK = 0.985
_FURTHER_BACK = 0.97
"""What a pace becomes, of what passed in the last turn: less where it was refused twice in one."""

_TOLD = 0.94
"""The same, of what a told delay allows."""

_LEAST_LEFT = 0.7
"""What is left of a pace at least, whatever a refusal shows."""

_SLOWEST = 1 / PERIOD
"""Texts a second, at least."""

_LEAST_IN_TURNS = 0.4
_FEW_TURNS = 2.0
"""What is left of it after so many turns: a refusal need not be for the pace."""

_REFUSED_COUNTS = 0.8
"""How much of a refused request counts as passed: it did not fit, but a part of it may have."""

_SETTLING = 0.1
"""Turns after which a lower pace shows whether it is low enough."""

_SPREAD = 1 / 12
_LEAST_SPREAD, _MOST_SPREAD = 0.3, 2.5
"""Periods between two requests, and the least and the most seconds."""

_SMALLER = 0.8
_LARGER = 0.05
"""What a refused request becomes at least, since small ones fit where large ones do not; and by
what share requests grow again in a turn."""

_FEWEST = 2.0
"""Texts in a request, at least: refused ones are requests, too, and cost time."""

_SLACK = 1.01, 0.05
"""A period is stretched by this factor and these seconds: two requests may travel differently
fast, and it was measured from here."""


@dataclass(slots=True)
class _Mark:
    """A moment without room, and the texts that were accepted until then.

    What was under way by then counts, too, when its answer comes.
    """

    at: float
    accepted: int
    texts: int = 0


class Learning:
    """A pace and a largest request, as far as refusals have shown them.

    Attributes:
        pacer: The pace; without limit until something was learned.
        size: How many texts a request may have.
        period: Seconds, as long as the service's window if it has one.
    """

    def __init__(self) -> None:
        self.pacer = Pacer()
        self.size = Size()
        self.period = PERIOD
        self._has_period = False
        self._way = 0.0  # seconds there and back
        self._at_once = 1  # the most requests that were under way
        self._accepted = 0
        self._passed_at = -math.inf  # when the last of those that passed left
        self._first: _Mark | None = None  # a pace is measured from here
        self._last: _Mark | None = None
        self._new: _Mark | None = None  # while requests that left before it are under way
        self._full_at: float | None = None  # the first refusal of those since there was room
        self._full_since = 0.0
        self._burst_at: float | None = None  # what was accepted since then began to leave here
        self._bursts = Bursts()
        self._is_eager = False  # until a steady pace is refused for the first time
        self._chunk = math.inf
        self._paced_at = self._slowed_at = 0.0
        self._turns = 0.0  # since the last refusal
        self._before = 0.0  # the pace some turns ago
        self._before_at = -math.inf

    def note_sent(self, texts: int, now: float, *, at_once: int = 1) -> None:
        """Note that a request leaves, and how many are under way with it."""
        self._at_once = max(self._at_once, at_once)
        self.pacer.spend(texts, now)

    def note_refused(self, texts: int, sent_at: float, now: float) -> None:
        """Note that a request was not counted."""
        self.pacer.restore(texts, sent_at, now)

    # What the outcome teaches.

    def accept(self, texts: int, sent_at: float, now: float) -> None:
        """Learn from an answer to a request that left at `sent_at`."""
        self._way += (now - sent_at - self._way) / 8
        for mark in (self._first, self._last, self._new):
            if mark is not None and sent_at <= mark.at:
                mark.accepted += texts
        self._accepted += texts
        self._passed_at = max(self._passed_at, sent_at)
        if self._new is not None and sent_at > self._new.at:
            self.conclude(now)
        self._note_room(sent_at)
        self.size.accept(texts, now)
        if self.pacer.pace < math.inf:
            self._speed_up(texts, sent_at, now)

    def refuse(self, texts: int, told: float | None, now: float) -> None:
        """Learn from a refusal that names no limit, once for those that left together.

        Args:
            texts: In the request.
            told: The seconds that the service asks to wait.
            now: The clock.
        """
        self.conclude(now)
        if self._full_at is None:
            self._note_full(now)
        self._new = _Mark(now, self._accepted, texts)
        if self.pacer.pace < math.inf and self.conclude(now):
            self._slow_down(texts, told, now)

    def conclude(self, now: float) -> bool:
        """Learn from the last refusal, when all that left before it has ended.

        Tell whether it is the pace that was refused.
        """
        new, last = self._new, self._last
        if new is None:
            return False
        self._new, self._last = None, _Mark(new.at, new.accepted)
        in_vain = last is not None and new.accepted <= last.accepted
        if self.size.refuse(new.texts, now, in_vain=in_vain):
            if not self.size.is_suspected or (self._first and not self._first.accepted):
                self._first = None  # it had room for fewer, or was busy, and not full
            if not self.size.is_suspected and not self._bursts.best:
                self._full_at = None  # nor had it been full for as long as it seemed
                self.period, self._has_period = PERIOD, False
            return False
        if self.pacer.pace == math.inf and not in_vain:
            self._measure(new, now)
        if self._first is None:
            self._first = _Mark(new.at, new.accepted)
        return not in_vain

    # How long the service is full.

    def _note_full(self, now: float) -> None:
        is_burst = self.pacer.pace == math.inf and self._burst_at is not None
        self._full_at = now
        self._full_since = self._burst_at if is_burst and self._burst_at is not None else now
        self._burst_at = None

    def _note_room(self, at: float) -> None:
        """Note that a request passed which left at a moment: until then it was full, if it was."""
        if self._full_at is not None and at > self._full_at:
            full_for = at - self._full_since
            self._full_at = None
            self._learn_period(full_for)
            self._burst_at = at
            refused = self._new or self._last
            if refused is not None and refused.at > at:
                self._note_full(refused.at)
        elif self._burst_at is None and self._full_at is None:
            self._burst_at = at

    def _learn_period(self, full_for: float) -> None:
        if full_for > _LONGEST_FULL:
            self._first = self._last and replace(self._last)
            return
        full_for = min(PERIOD, max(_SHORTEST, full_for))
        if not self._has_period:
            self.period, self._has_period = full_for, True
        elif full_for > _LONGER * self.period:
            self.period = full_for
            self.pacer.free()
            self._first = self._last and replace(self._last)
        elif self.pacer.pace == math.inf:
            self.period = max(self.period, full_for)

    # The pace.

    @property
    def _turn(self) -> float:
        """Seconds that show whether a pace is right."""
        pacer = self.pacer
        return max(self.period, 0.0 if self._bursts.size else _TURN * pacer.chunk / pacer.pace)

    def _measure(self, new: _Mark, now: float) -> None:
        """Learn a pace from one moment without room to another."""
        first = self._first
        if first is None or not self._has_period:
            return
        seconds, accepted = new.at - first.at, new.accepted - first.accepted
        if seconds < _MEASURED * self.period or accepted <= 0:
            return
        if seconds > _BURSTS_FOR:
            self._first = None  # it had room in between: this one was for something else
            return
        seconds = seconds if seconds > 1.1 * self.period else self.period
        pace = max(_SLOWEST, accepted / seconds)
        self._bursts.begin(pace * self.period, new.texts)  # as much as went at once
        self._turns = 0.0
        self._paced_at = self._slowed_at = now
        self._set(pace, now)

    def _speed_up(self, texts: int, sent_at: float, now: float) -> None:
        """Raise the pace for texts that were accepted: ever faster while nothing is refused."""
        pace = self.pacer.pace
        turns = texts / pace / self._turn
        self._turns += turns
        if self._bursts.size:
            self._bursts.accept(texts, sent_at, self.period)
            if self._turns >= 1:
                self._try_more_at_once(now)
            return
        self._chunk *= 1 + _LARGER * turns
        is_used = self.pacer.recent(now) > _USED * pace * self.pacer.recorded(now)
        growth = self._growth(texts, turns) if is_used else 0.0
        self._set(pace * (1 + growth), now)  # requests grow with the way in any case

    def _growth(self, texts: int, turns: float) -> float:
        """Return the share of itself by which the pace grows for texts that were accepted."""
        pacer = self.pacer
        if self._is_eager:
            return _EAGER * texts / max(pacer.pace * self.period, _FEW * pacer.chunk)
        growth = _STEP / pacer.pace
        if self._turns > _CALM:
            growth += _GROWTH * 2 ** int(self._turns - _CALM)
        return min(_MOST_GROWTH, growth) * turns

    def _try_more_at_once(self, now: float) -> None:
        """Do so after a burst that passed; after some minutes go steadily."""
        self._turns = 0.0
        bursts = self._bursts
        if now - self._paced_at > _BURSTS_FOR:
            bursts.end()
            self._set(bursts.best / self.period, now)
            self.pacer.make_up(now)
            return
        if now - self._slowed_at > _BURST_PERIODS * self.period:
            bursts.forget_refusals()
        self._set(bursts.trial / self.period, now)

    def _slow_down(self, texts: int, told: float | None, now: float) -> None:
        """Learn from a refusal that the pace was too high: what passed lately did fit."""
        bursts = self._bursts
        if bursts.size and told and self._is_too_short(now):
            self.period = min(PERIOD, self.period + told)
            pace = bursts.size / self.period
        elif bursts.size:
            bursts.refuse(self.pacer.recent(now), texts)
            self._is_eager = not bursts.size
            pace = (bursts.size or bursts.best) / self.period
        elif now - self._slowed_at < _SETTLING * self._turn:
            return  # what was sent before the pace came down is still counted
        else:
            self._is_eager = False
            self._chunk = self._smaller(told)
            pace = self._lower(texts, told, now)
        self._turns = 0.0
        self._slowed_at = now
        self._set(pace, now)

    def _lower(self, texts: int, told: float | None, now: float) -> float:
        """Return the pace after a refusal."""
        pace = self.pacer.pace
        passed = self.pacer.recent(now) + _REFUSED_COUNTS * texts
        passed /= max(self.pacer.recorded(now), texts / pace)
        if told is not None:
            passed = max(passed, _TOLD * texts / (texts / pace + told))
        if now - self._before_at > _FEW_TURNS * self._turn:
            self._before, self._before_at = pace, now
        back = _BACK if self._turns >= 1 else _FURTHER_BACK
        least = max(_LEAST_LEFT * pace, _LEAST_IN_TURNS * self._before, _SLOWEST)
        return max(back * min(pace, passed), least)

    def _smaller(self, told: float | None) -> float:
        """Return what a refused request may hold: a short delay tells what was too much of it."""
        pacer = self.pacer
        chunk = min(self._chunk, pacer.chunk + 0.5)  # which is rounded
        too_much = math.inf if told is None else told * pacer.pace
        if too_much < chunk:
            return max(_FEWEST, _SMALLER * chunk, chunk - too_much)
        return max(_FEWEST, _SMALLER * chunk, _LEAST_SPREAD * pacer.pace)

    def _is_too_short(self, now: float) -> bool:
        """Tell whether the window still holds what left longer than a period ago."""
        return self.period < min(now - self._passed_at, PERIOD)

    def _set(self, pace: float, now: float) -> None:
        least = self._way / min(self._at_once, 6)  # so that some are always on their way
        spread = max(least, _LEAST_SPREAD, min(_MOST_SPREAD, _SPREAD * self.period))
        chunk = min(pace * spread, max(self._chunk, pace * least))
        if not (size := self._bursts.size):
            self.pacer.set(pace, now, chunk=chunk, period=max(self.period, _TURN * chunk / pace))
            return
        factor, seconds = _SLACK
        period = factor * self.period + seconds
        limit = pace * self.period
        self.pacer.set(pace, now, chunk=chunk, limit=limit, first=size, period=period)
