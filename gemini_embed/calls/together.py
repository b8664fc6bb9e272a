"""Calls that belong together, as the blocks of a stream do. Runs on the I/O thread; no I/O."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


class Together:
    """Calls of which an earlier one sends all that it has before a later one sends anything.

    So the first is finished first, and its results need not wait in memory for those of others.

    Args:
        width: Requests of all of them that are under way at once.

    Attributes:
        turn: What a sender holds as long as its call has something to send.
    """

    def __init__(self, width: int) -> None:
        self.turn = asyncio.Semaphore(width)  # who asks first gets it first
        self._stops: list[Callable[[BaseException], None]] = []
        self._error: BaseException | None = None

    @contextmanager
    def joined(self, stop: Callable[[BaseException], None]) -> Generator[None]:
        """Count a call among them while it runs; `stop` lets it send nothing more."""
        self._stops.append(stop)
        if self._error is not None:
            stop(self._error)
        try:
            yield
        finally:
            self._stops.remove(stop)

    async def stop(self, error: BaseException) -> None:
        """End all of them with an error. What is under way may finish: it is paid for."""
        self._error = error
        for stop in list(self._stops):
            stop(error)
