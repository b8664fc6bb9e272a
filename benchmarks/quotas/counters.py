"""The ways in which services count: state machines on a clock that comes in.

Nobody says how Google counts. Each of these is in use somewhere, so none may be counted on.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Protocol

_EPSILON = 1e-9
"""Who waits exactly the told delay must get in, whatever floats round."""


class Counter(Protocol):
    """One limit.

    Attributes:
        rate: What it lets through in a second, in the long run.
    """

    rate: float

    def room(self, now: float) -> float:
        """Return the most that fits now, in one request."""

    def delay(self, amount: float, now: float) -> float:
        """Return the seconds until `amount` fits; where it never does, until as much as can."""

    def take(self, amount: float, now: float) -> None:
        """Count what fits."""

    def scale(self, factor: float, now: float) -> None:
        """Let so many times as much through from now on."""


class Sliding:
    """At most `limit` in any stretch of `period` seconds."""

    def __init__(self, limit: float, period: float) -> None:
        self.rate = limit / period
        self._limit, self._period = limit, period
        self._taken: deque[tuple[float, float]] = deque()  # (when it falls out, amount)
        self._used = 0.0

    def room(self, now: float) -> float:
        """Return what is left of the last period."""
        while self._taken and self._taken[0][0] <= now + _EPSILON:
            self._used -= self._taken.popleft()[1]
        return max(0.0, self._limit - self._used)

    def delay(self, amount: float, now: float) -> float:
        """Return the seconds until enough has fallen out."""
        free, wait = self.room(now), 0.0
        for falls_out, taken in self._taken:
            if free >= amount:
                break
            free, wait = free + taken, falls_out - now
        return wait

    def take(self, amount: float, now: float) -> None:
        """Count it for a period."""
        self._taken.append((now + self._period, amount))
        self._used += amount

    def scale(self, factor: float, now: float) -> None:  # noqa: ARG002 - the protocol's
        """Change the limit; what was taken stays taken."""
        self._limit *= factor
        self.rate *= factor


class Fixed:
    """At most `limit` from one stroke of the service's clock to the next."""

    def __init__(self, limit: float, period: float, *, phase: float = 0.0) -> None:
        self.rate = limit / period
        self._limit, self._period, self._phase = limit, period, phase
        self._window, self._used = -1, 0.0

    def room(self, now: float) -> float:
        """Return what is left until the next stroke."""
        window = math.floor((now + self._phase + _EPSILON) / self._period)
        if window != self._window:
            self._window, self._used = window, 0.0
        return max(0.0, self._limit - self._used)

    def delay(self, amount: float, now: float) -> float:
        """Return the seconds until the next stroke."""
        if self.room(now) >= amount:
            return 0.0
        return (self._window + 1) * self._period - self._phase - now

    def take(self, amount: float, now: float) -> None:
        """Count it until the next stroke."""
        self.room(now)
        self._used += amount

    def scale(self, factor: float, now: float) -> None:  # noqa: ARG002 - the protocol's
        """Change the limit, of the present window too."""
        self._limit *= factor
        self.rate *= factor


class Bucket:
    """A bucket of `burst` that fills at `rate`. What is larger than the bucket never fits."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self._burst = self._level = burst
        self._seen = 0.0

    def room(self, now: float) -> float:
        """Return what is in the bucket."""
        self._level = min(self._burst, self._level + (now - self._seen) * self.rate)
        self._seen = now
        return self._level + _EPSILON

    def delay(self, amount: float, now: float) -> float:
        """Return the seconds in which as much flows in as is missing."""
        self.room(now)
        return max(0.0, amount - self._level) / self.rate

    def take(self, amount: float, now: float) -> None:
        """Take it out."""
        self.room(now)
        self._level -= amount

    def scale(self, factor: float, now: float) -> None:
        """Change the bucket and what flows in."""
        self.room(now)
        self._burst *= factor
        self.rate *= factor


class Gcra:
    """One request at a time, of any size: the next when what it counts for has passed.

    GCRA keeps the time at which all that was let through is paid off, and lets through what
    comes at most `tolerance` seconds before it.
    """

    def __init__(self, rate: float, tolerance: float) -> None:
        self.rate = rate
        self._tolerance = tolerance
        self._paid = 0.0

    def room(self, now: float) -> float:
        """Return anything, or nothing."""
        return math.inf if now + self._tolerance + _EPSILON >= self._paid else 0.0

    def delay(self, amount: float, now: float) -> float:  # noqa: ARG002 - the protocol's
        """Return the seconds until enough is paid off."""
        return max(0.0, self._paid - self._tolerance - now)

    def take(self, amount: float, now: float) -> None:
        """Let it through, to be paid off."""
        self._paid = max(self._paid, now) + amount / self.rate

    def scale(self, factor: float, now: float) -> None:
        """Change how fast it is paid off; what is owed too."""
        self._paid = now + max(0.0, self._paid - now) / factor
        self.rate *= factor
