"""A steady pace, or as much at once as fits in a period. Performs no I/O."""

from __future__ import annotations

import math
from collections import deque

_ROUNDING = 1e-6


class Pacer:
    """Lets texts pass at a pace, some at once, and the next when the pace has made up for them.

    Attributes:
        pace: Texts a second; infinite for no limit.
        chunk: Texts that go at once.
        limit: Where it is finite, so many may go at once after a pause, and no more in any period.
        first: So many of these go before a request is made of what is beyond.
        period: Seconds, also of what `recent` tells.
    """

    def __init__(self) -> None:
        self.free()

    def free(self) -> None:
        """Limit nothing any more."""
        self.pace = self.chunk = self.limit = self.first = math.inf
        self.period = 0.0
        self._credit = 0.0
        self._credited_at = 0.0
        self._recent: deque[tuple[float, float]] = deque()
        self._recent_texts = 0.0
        self._recorded_from = 0.0

    def set(
        self,
        pace: float,
        now: float,
        *,
        chunk: float,
        limit: float = math.inf,
        first: float = math.inf,
        period: float = 0.0,
    ) -> None:
        """Change the pace; what was saved up at the old one counts."""
        if self.pace < math.inf:
            self._refill(now)
        else:
            self._credited_at = self._recorded_from = now
        self.pace, self.limit, self.first, self.period = pace, limit, min(first, limit), period
        self.chunk = max(1.0, round(chunk))

    def room(self, wanted: float, now: float) -> float:
        """Return how many of the texts wanted may pass now: 0 where it is not worth a request."""
        if self.pace == math.inf:
            return wanted
        self._refill(now)
        if self._credit < -_ROUNDING or self._surplus(wanted) > _ROUNDING:
            return 0.0
        most = self.first if self._recent_texts < self.first else self.limit
        room = min(self.chunk + self._credit, most - self._recent_texts)
        return max(1.0, min(wanted, room))

    def wait(self, wanted: float, now: float) -> float:
        """Return the seconds until some of the texts wanted may pass."""
        if self.pace == math.inf:
            return 0.0
        self._refill(now)
        wait = -self._credit / self.pace if self._credit < -_ROUNDING else 0.0
        surplus = self._surplus(wanted)
        for at, texts in self._recent:
            if surplus <= _ROUNDING:
                break
            surplus -= texts
            wait = max(wait, at + self.period - now)
        return wait

    def spend(self, texts: float, now: float) -> None:
        """Let texts pass."""
        if self.pace < math.inf:
            self._refill(now)
            self._credit -= texts
            if self.period:
                self._recent.append((now, texts))
                self._recent_texts += texts

    def restore(self, texts: float, at: float, now: float) -> None:
        """Take back what was spent `at` some moment: it was not counted."""
        if self.pace < math.inf:
            self._credit += texts
            self._refill(now)
            if (at, texts) in self._recent:
                self._recent.remove((at, texts))
                self._recent_texts -= texts

    def recent(self, now: float) -> float:
        """Return how many texts passed in the last period."""
        self._refill(now)
        return self._recent_texts

    def make_up(self, now: float) -> None:
        """Wait until the pace has made up for what passed at once, and tell of what passes then."""
        self._refill(now)
        self._credit = -self._recent_texts
        self._recorded_from = now + self._recent_texts / self.pace
        self._recent.clear()
        self._recent_texts = 0.0

    def recorded(self, now: float) -> float:
        """Return the seconds that `recent` tells of: fewer than a period at first."""
        self._refill(now)
        return now - self._recorded_from

    def _surplus(self, wanted: float) -> float:
        """Return how many texts too many there would be with the next request."""
        least = min(wanted, self.chunk, self.limit)
        return self._recent_texts + least - self.limit if self.limit < math.inf else 0.0

    def _refill(self, now: float) -> None:
        if self.pace < math.inf:
            most = self.limit - self.chunk if self.limit < math.inf else 0.0
            self._credit += (now - self._credited_at) * self.pace
            self._credit = min(self._credit, max(0.0, most))
        self._credited_at = now
        self._recorded_from = max(self._recorded_from, now - self.period)
        while self._recent and self._recent[0][0] + self.period <= now:
            self._recent_texts -= self._recent.popleft()[1]
