"""Who may send next: the one place where requests wait for a slot and for the quota.

Runs on the I/O thread's loop and performs no I/O. How long to wait is `limiter`'s to say;
here is the queue, woken by a timer or by a request that ends, never by looking again and again.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol
from weakref import WeakValueDictionary

from gemini_embed.pacing.counting import DayCount
from gemini_embed.pacing.quota import limiter_of
from gemini_embed.pacing.sharing import Sharing

if TYPE_CHECKING:
    from gemini_embed.contents import Batch
    from gemini_embed.errors import QuotaExceededError
    from gemini_embed.pacing.backoff import Backoff
    from gemini_embed.pacing.day import Taken
    from gemini_embed.pacing.limiter import Limiter, Room
    from gemini_embed.pacing.quota import Quota
    from gemini_embed.pacing.sharing import Ledger
    from gemini_embed.pacing.window import Sent


_LONGEST_TIMER = 60.0
"""Seconds after which a wait that goes on is reported again."""

_LOOKED = 0.2
"""Seconds after which one who waits looks again what other processes did that share the quota."""


@dataclass(slots=True, eq=False)
class Lane:
    """One embedder's requests: at most `width` under way at once."""

    width: int
    under_way: int = 0
    urgent: deque[_Waiter] = field(default_factory=deque)
    patient: deque[_Waiter] = field(default_factory=deque)


class Source(Protocol):
    """Where a request comes from when its turn has come."""

    def is_empty(self) -> bool:
        """Tell whether nothing is to be sent any more."""
        ...

    def wanted(self) -> int:
        """Return how many texts the next request would like to hold."""
        ...

    def note_wait(self, seconds: float) -> None:
        """Take note of how long its next request waits."""

    def note_spent_day(self, seconds: float) -> None:
        """Be told that nothing is sent for so long: the day's quota is used up."""

    def estimate_next(self) -> int:
        """Return about how many tokens the next text has."""
        ...

    def take(self, room: Room) -> Batch:
        """Return what to send, within the room; the source is not empty."""
        ...

    def estimate(self, batch: Batch) -> int:
        """Return about how many tokens a batch has."""
        ...


@dataclass(slots=True, eq=False)
class Pass:
    """Permission to send one batch. Hand it back, whatever happens: see `Gate`."""

    batch: Batch
    lane: Lane
    sent: Sent
    taken: Taken
    is_query: bool
    handed_back: bool = False


class Admitted(NamedTuple):
    """A batch that may leave now, and what the quota counts for it."""

    batch: Batch
    sent: Sent


def admit(
    source: Source, limiter: Limiter, now: float, *, is_query: bool, most: float = math.inf
) -> Admitted | float:
    """Take the next batch of a source that is not empty, with at most so many texts, and count it.

    Where there is no room, return the seconds until there may be: infinite until an answer.
    """
    wanted, least_tokens = min(source.wanted(), most), source.estimate_next()
    room = limiter.room(now, wanted=wanted, least_tokens=least_tokens, is_query=is_query)
    if room is None:
        return limiter.wait(now, wanted=wanted, least_tokens=least_tokens, is_query=is_query)
    batch = source.take(room)
    tokens = source.estimate(batch)
    return Admitted(batch, limiter.send(len(batch), tokens, now, is_query=is_query))


@dataclass(slots=True, eq=False)
class _Waiter:
    number: int
    source: Source
    urgent: bool
    admitted: asyncio.Future[Pass | None]


class Gate:
    """The queue in front of one quota.

    What `enter` returns goes back through `answered`, `refused`, `failed` or `unsent`. Just before
    it is sent, `take` counts it where others count, too.
    """

    def __init__(self, quota: Quota) -> None:
        self.limiter = limiter_of(quota)
        self.loop = asyncio.get_running_loop()
        self.limiter.adopt(self.loop.time())
        self.day = DayCount(self.limiter.daily)
        self.sharing: Sharing | None = None
        self._lanes: list[Lane] = []
        self._waiting: dict[Source, list[_Waiter]] = {}
        self._entered = 0
        self._timer: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None
        self._held = 0.0
        self._held_since: float | None = None

    def share(self, ledger: Ledger, timeout: float | None) -> None:
        """Share the quota with all processes that have this ledger."""
        if self.sharing is None:
            self.sharing = Sharing(self.limiter, ledger, timeout)

    async def take(self, admitted: Pass) -> bool:
        """Count a request that is about to leave; tell whether others have left room for it."""
        if self.sharing is not None and not await self.sharing.take(
            admitted.sent, is_query=admitted.is_query
        ):
            return False
        return await self.day.take(admitted.taken)

    def held(self) -> float:
        """Return for how many seconds so far the quota let nobody go who waited to."""
        now = self.loop.time()
        return self._held + (0.0 if self._held_since is None else now - self._held_since)

    async def enter(self, source: Source, lane: Lane, *, urgent: bool) -> Pass | None:
        """Wait for permission to send; None when the source has nothing to send any more.

        An urgent request goes before every patient one that still waits.
        """
        self._entered += 1
        waiter = _Waiter(self._entered, source, urgent, self.loop.create_future())
        if lane not in self._lanes:
            self._lanes.append(lane)
        (lane.urgent if urgent else lane.patient).append(waiter)
        self._waiting.setdefault(source, []).append(waiter)
        self.wake()
        try:
            return await waiter.admitted
        except asyncio.CancelledError:
            if not waiter.admitted.cancelled() and (admitted := waiter.admitted.result()):
                self.unsent(admitted)
            else:
                self.wake()
            raise
        finally:
            self._waiting[source].remove(waiter)
            if not self._waiting[source]:
                del self._waiting[source]

    def answered(self, admitted: Pass, *, tokens: int | None) -> None:
        """Hand a pass back: the request was answered."""
        self._part(admitted, answered=True)
        self.limiter.accept(admitted.sent, self.loop.time(), tokens=tokens)
        if self.sharing is not None:
            self.sharing.end("answered", admitted.sent, tokens=tokens)
        self.wake()

    def failed(self, admitted: Pass) -> None:
        """Hand a pass back: the request ended otherwise, and may have been counted."""
        self._part(admitted)
        self.limiter.fail(admitted.sent, self.loop.time())
        if self.sharing is not None:
            self.sharing.end("failed", admitted.sent)
        self.wake()

    def unsent(self, admitted: Pass) -> None:
        """Hand a pass back: nothing was sent."""
        self._part(admitted)
        self.limiter.unsend(admitted.sent, self.loop.time())
        if self.sharing is not None:
            self.sharing.end("unsent", admitted.sent)
        self.wake()

    def refused(self, admitted: Pass, error: QuotaExceededError, *, backoff: Backoff) -> float:
        """Hand a pass back: the quota was exceeded. Return the seconds that all now wait."""
        self._part(admitted)
        sent = admitted.sent
        seconds = backoff.wait(self.limiter.attempts_in_vain(sent))
        wait = self.limiter.refuse(sent, error, self.loop.time(), backoff=seconds)
        if self.sharing is not None:
            self.sharing.refuse(sent, error, backoff=seconds)
        self.wake()
        return wait

    def dismiss(self, source: Source) -> None:
        """Let those go who wait for a source that has nothing to send any more."""
        for waiter in self._waiting.get(source, ()):
            if not waiter.admitted.done():
                waiter.admitted.set_result(None)

    def wake(self) -> None:
        """Admit whoever may go now, and set the timer for the next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._held, self._held_since = self.held(), None
        while (found := self._next()) is not None and not self._is_day_spent():
            lane, waiter = found
            if waiter.source.is_empty():
                self.dismiss(waiter.source)
            elif (admitted := self._admit(waiter, lane)) is None:
                if waiter.source.is_empty():
                    continue  # it would not wait
                self._held_since = self.loop.time()
                return
            else:
                waiter.admitted.set_result(admitted)
                if waiter.source.is_empty():
                    self.dismiss(waiter.source)

    def _is_day_spent(self) -> bool:
        """Tell whether the day has no room now; if that is so until it ends, tell all who wait."""
        wait = self.limiter.daily.wait(self.limiter.daily.clock())
        if wait > 0:
            self._held_since = self.loop.time()
        if 0 < wait < math.inf:
            for source in list(self._waiting):
                if not source.is_empty():
                    source.note_spent_day(wait)
                if source.is_empty():
                    self.dismiss(source)
            if self._waiting:  # not for the whole time at once: machines sleep, and clocks are set
                self._timer = self.loop.call_later(min(wait, _LONGEST_TIMER), self.wake)
        return wait > 0

    def _next(self) -> tuple[Lane, _Waiter] | None:
        """Return who is next: the first urgent waiter, or else the first, of a lane with room."""
        kinds = ("urgent", "patient")
        if self.limiter.is_starved(self.loop.time()):
            kinds = ("patient", "urgent")
        for kind in kinds:
            first: tuple[Lane, _Waiter] | None = None
            for lane in self._lanes:
                queue: deque[_Waiter] = getattr(lane, kind)
                while queue and queue[0].admitted.done():
                    queue.popleft()
                if lane.under_way >= lane.width or not queue:
                    continue
                if first is None or queue[0].number < first[1].number:
                    first = lane, queue[0]
            if first is not None:
                return first
        return None

    def _admit(self, waiter: _Waiter, lane: Lane) -> Pass | None:
        now, daily = self.loop.time(), self.limiter.daily
        most = daily.room(daily.clock())
        admitted = admit(waiter.source, self.limiter, now, is_query=waiter.urgent, most=most)
        if not isinstance(admitted, Admitted):
            if admitted < math.inf:
                waiter.source.note_wait(admitted)
            if self.sharing is not None:
                if waiter.urgent:
                    self.sharing.ask()
                self._look_until(now + admitted)
            elif admitted < math.inf:
                self._timer = self.loop.call_later(min(admitted, _LONGEST_TIMER), self.wake)
            return None
        lane.under_way += 1
        taken = daily.begin(len(admitted.batch))
        return Pass(admitted.batch, lane, admitted.sent, taken, is_query=waiter.urgent)

    def _look_until(self, due: float) -> None:
        """Look again and again what other processes do, until it is time or something changed."""
        seconds = max(0.0, min(due - self.loop.time(), _LOOKED))
        self._timer = self.loop.call_later(seconds, self._look, due)

    def _look(self, due: float) -> None:
        self._looking = self.loop.create_task(self._looked(self._timer, due))

    async def _looked(self, timer: asyncio.TimerHandle | None, due: float) -> None:
        has_news = False
        try:
            has_news = self.sharing is not None and await self.sharing.look()
        finally:  # whatever happens, those who wait are not forgotten
            if has_news or (self._timer is timer and self.loop.time() >= due):
                self.wake()
            elif self._timer is timer:
                self._look_until(due)

    def _part(self, admitted: Pass, *, answered: bool = False) -> None:
        admitted.handed_back = True
        self.day.end(admitted.taken, answered=answered)
        lane = admitted.lane
        lane.under_way -= 1
        if not (lane.under_way or lane.urgent or lane.patient):
            self._lanes.remove(lane)


_gates: WeakValueDictionary[Quota, Gate] = WeakValueDictionary()


def gate_of(quota: Quota) -> Gate:
    """Return the gate of a quota on the running loop: one for all embedders that share it."""
    gate = _gates.get(quota)
    if gate is None or gate.loop is not asyncio.get_running_loop():
        gate = _gates[quota] = Gate(quota)
    return gate
