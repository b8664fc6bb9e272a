"""Who may send next: the one place where requests wait for a slot and for the quota.

Runs on the I/O thread's loop and performs no I/O. How long to wait is `quota`'s to say;
here is the queue, woken by a timer or by a request that ends, never by looking again and again.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from gemini_embed.errors import QuotaExceededError
    from gemini_embed.plan import Batch
    from gemini_embed.quota import Quota, Room, Sent


@dataclass(slots=True, eq=False)
class Lane:
    """One embedder's requests: at most `width` under way at once."""

    width: int
    under_way: int = 0


class Source(Protocol):
    """Where a request comes from when its turn has come."""

    def is_empty(self) -> bool:
        """Tell whether nothing is to be sent any more."""

    def estimate_next(self) -> int:
        """Return about how many tokens the next text has."""

    def take(self, room: Room) -> Batch:
        """Return what to send, within the room; the source is not empty."""

    def estimate(self, batch: Batch) -> int:
        """Return about how many tokens a batch has."""


@dataclass(slots=True, eq=False)
class Pass:
    """Leave to send one batch. Hand it back with `Gate.leave`, whatever happens."""

    batch: Batch
    lane: Lane
    sent: Sent


@dataclass(slots=True, eq=False)
class _Waiter:
    source: Source
    lane: Lane
    admitted: asyncio.Future[Pass | None]


class Gate:
    """The queue in front of one quota."""

    def __init__(self, quota: Quota) -> None:
        self.quota = quota
        self.loop = asyncio.get_running_loop()
        quota.adopt(self.loop.time())
        self._under_way = 0
        self._urgent: deque[_Waiter] = deque()
        self._patient: deque[_Waiter] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self, source: Source, lane: Lane, *, urgent: bool) -> Pass | None:
        """Wait for leave to send; None when the source has nothing to send any more.

        An urgent request goes before every patient one that still waits.
        """
        waiter = _Waiter(source, lane, self.loop.create_future())
        queue = self._urgent if urgent else self._patient
        queue.append(waiter)
        self.wake()
        try:
            return await waiter.admitted
        except asyncio.CancelledError:
            if not waiter.admitted.cancelled() and (admitted := waiter.admitted.result()):
                self._part(admitted)
                self.quota.unsend(admitted.sent)
            with suppress(ValueError):
                queue.remove(waiter)
            self.wake()
            raise

    def answered(self, admitted: Pass, *, tokens: int | None) -> None:
        """Hand a pass back: the request was answered."""
        self._part(admitted)
        self.quota.accept(admitted.sent, self.loop.time(), tokens=tokens)
        self.wake()

    def failed(self, admitted: Pass) -> None:
        """Hand a pass back: the request ended otherwise, and may have been counted."""
        self._part(admitted)
        self.quota.fail(admitted.sent, self.loop.time())
        self.wake()

    def refused(self, admitted: Pass, error: QuotaExceededError, *, backoff: float) -> float:
        """Hand a pass back: the quota was exceeded. Return the seconds that all now wait."""
        self._part(admitted)
        wait = self.quota.refuse(admitted.sent, error, self.loop.time(), backoff=backoff)
        self.wake()
        return wait

    def wake(self) -> None:
        """Admit whoever may go now, and set the timer for the next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        blocked = False
        for queue in (self._urgent, self._patient):
            for waiter in list(queue):
                if waiter.admitted.done():  # cancelled; it takes itself off
                    continue
                if waiter.source.is_empty():
                    waiter.admitted.set_result(None)
                elif blocked or waiter.lane.under_way >= waiter.lane.width:
                    continue
                elif (admitted := self._admit(waiter)) is None:
                    blocked = True
                    continue
                else:
                    waiter.admitted.set_result(admitted)
                queue.remove(waiter)

    def _admit(self, waiter: _Waiter) -> Pass | None:
        if self._under_way + 1 > max(1.0, self.quota.concurrency):
            return None
        now = self.loop.time()
        room = self.quota.room(now, least_tokens=waiter.source.estimate_next())
        if room is None:
            wait = self.quota.wait(now)
            if wait < math.inf:
                self._timer = self.loop.call_later(wait, self.wake)
            return None
        batch = waiter.source.take(room)
        sent = self.quota.send(len(batch.texts), waiter.source.estimate(batch), now)
        waiter.lane.under_way += 1
        self._under_way += 1
        return Pass(batch, waiter.lane, sent)

    def _part(self, admitted: Pass) -> None:
        admitted.lane.under_way -= 1
        self._under_way -= 1


_gates: WeakValueDictionary[Quota, Gate] = WeakValueDictionary()


def gate_of(quota: Quota) -> Gate:
    """Return the gate of a quota on the running loop: one for all embedders that share it."""
    gate = _gates.get(quota)
    if gate is None or gate.loop is not asyncio.get_running_loop():
        gate = _gates[quota] = Gate(quota)
    return gate
