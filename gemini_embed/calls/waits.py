"""What one call waits for: another attempt, its quota, the next day. Observers see each wait.

Runs on the I/O thread only.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from gemini_embed.calls.failures import ours, spent_day
from gemini_embed.observe.events import Waiting
from gemini_embed.observe.logs import kind_of

if TYPE_CHECKING:
    from gemini_embed.ask import Ask
    from gemini_embed.calls.policy import CallPolicy
    from gemini_embed.calls.sink import Sink
    from gemini_embed.contents import Batch
    from gemini_embed.errors import GeminiEmbedError
    from gemini_embed.observe.watch import Watch
    from gemini_embed.pacing.limiter import Limiter


class Waits:
    """What one call waits for, and why it must stop.

    Attributes:
        last_failure: What was tried again last.
        error: Why it must stop.
    """

    def __init__(
        self,
        ask: Ask,
        policy: CallPolicy,
        *,
        sink: Sink[object],
        watch: Watch,
        limiter: Limiter,
    ) -> None:
        self._ask = ask
        self._policy = policy
        self._sink = sink
        self._watch = watch
        self._limiter = limiter
        self._over = asyncio.Event()
        self.last_failure: GeminiEmbedError | None = None
        self.error: BaseException | None = None
        self._since = asyncio.get_running_loop().time()  # it began, or another day

    def idle(self) -> float:
        """Return for how many seconds nothing was accepted under the quota, whoever sent it."""
        now = asyncio.get_running_loop().time()
        return now - max(self._since, self._limiter.accepted_at)

    def note_retry(
        self, batch: Batch, error: GeminiEmbedError, wait: float, *, quota: bool
    ) -> None:
        """Note that a batch is tried again after a wait."""
        self.last_failure = error
        self._watch.retried(batch, error, wait, quota=quota)

    async def pause(self, seconds: float) -> None:
        """Wait before a request is tried again, but not longer than the call goes on."""
        kind = "" if self.last_failure is None else f" ({kind_of(self.last_failure)})"
        reason = f"to try again what failed{kind}"
        self._show(seconds, reason, quota=False)
        clock = asyncio.get_running_loop().time
        with self._watch.waiting("waited_for_retries", clock), suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()

    def stop(self, error: BaseException) -> None:
        """Wait no longer; the first error is the one that counts."""
        self.error = self.error or error
        self._over.set()

    def for_quota(self, seconds: float) -> bool:
        """Wait for room in the quota; the gate does the waiting. Tell whether the call goes on."""
        reason = f"for the quota of {self._ask.model.name}: {self._limiter.description}"
        return self._show(seconds, reason, quota=True)

    def for_day(self, seconds: float) -> bool:
        """Wait until the day's quota resets, or end: as the caller chose. Tell which."""
        daily, model = self._limiter.daily, self._ask.model
        now = daily.clock()
        known, resets_at = daily.described(now), daily.resets_at(now)
        error = spent_day(model, known, resets_at)
        if self._policy.on_daily_quota == "error":
            self.stop(error)
            return False
        self.last_failure = error
        self._since = asyncio.get_running_loop().time()  # until then it waited for others
        when = f"which resets at {resets_at:%Y-%m-%d %H:%M %Z}"
        reason = f"for the daily quota of {model.name}, {when}: {known}"
        return self._show(seconds, reason, quota=True)

    def _show(self, seconds: float, reason: str, *, quota: bool) -> bool:
        now = asyncio.get_running_loop().time()
        done, total = self._sink.done, len(self._sink)
        try:
            self._watch.tell(Waiting, seconds, reason, done, total, now, quota)
        except Exception as error:  # noqa: BLE001 - it ends this call, not who woke the gate
            self.stop(ours(error))
        return self.error is None
