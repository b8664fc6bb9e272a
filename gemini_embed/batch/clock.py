"""The clock of batch jobs: the one on the wall, since several processes and runs share its time."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

_SINCE = 1_795_000_000.0
"""From when on a fast clock is fast: a day of 2026, so that dates can say what it shows."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Tells the time, and sleeps.

    Attributes:
        speed: How many of its seconds pass in a second: tests let hours pass in moments. All
            processes with the same speed have the same time.
    """

    speed: float = 1.0

    def now(self) -> float:
        """Return seconds since the epoch."""
        return _SINCE + (time.time() - _SINCE) * self.speed

    async def sleep(self, seconds: float) -> None:
        """Let so many of its seconds pass."""
        await asyncio.sleep(seconds / self.speed)

    def lasting(self, seconds: float) -> float:
        """Return how many of its seconds pass in so many real ones: a request takes real ones."""
        return seconds * self.speed
