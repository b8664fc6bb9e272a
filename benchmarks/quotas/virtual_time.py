"""An event loop on a clock of its own: hours that pass in milliseconds."""

from __future__ import annotations

import asyncio
import selectors
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class _Clock(selectors.DefaultSelector):
    """A selector that lets time pass instead of sleeping."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("everything waits, and nothing will ever happen")
        self.now += timeout
        return super().select(0)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time."""
    clock = _Clock()
    loop = asyncio.SelectorEventLoop(clock)
    loop.time = lambda: clock.now  # type: ignore[method-assign] # the loop's own seam
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(coroutine)


MIDNIGHT = datetime(2026, 11, 20, tzinfo=ZoneInfo("America/Los_Angeles")).timestamp()
"""What the clock on the wall shows when virtual time begins: Google's days begin then."""


def wall() -> float:
    """Return seconds since the epoch, in the running loop's time."""
    return MIDNIGHT + now()


def now() -> float:
    """Return the running loop's time."""
    return asyncio.get_running_loop().time()
