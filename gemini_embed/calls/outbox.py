"""What one call still has to send, as the gate asks for it. Runs on the I/O thread; no I/O."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from gemini_embed.background.threads import in_thread
from gemini_embed.calls.diagnosis import Diagnosis
from gemini_embed.calls.plan import Bounds, Plan
from gemini_embed.counting import counted
from gemini_embed.media.contents import MediaTally

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from gemini_embed.ask import Ask
    from gemini_embed.calls.inquiry import Blame
    from gemini_embed.contents import Batch, Content, Tally
    from gemini_embed.counting import Count
    from gemini_embed.errors import RequestError
    from gemini_embed.pacing.limiter import Limiter, Room

_COUNTED_AT_ONCE = 1000
"""Texts that a caller's own function counts before the first of them are sent."""


class Outbox:
    """What one call still has to send: a source for `gate.Gate`.

    Args:
        ask: What the service is asked for.
        batch_size: Contents in one request, at most.
        limiter: What the gate asks, for how tokens are counted.
        on_wait: Called with the seconds that the next request waits for the quota; tells whether
            the call goes on.
        on_spent_day: Called with the seconds until the day's quota resets, when it is used up;
            tells likewise.
        tally: Counts tokens, where they are limited; of contents with media, a `MediaTally`.
        alone: Contents that travel alone.
    """

    def __init__(
        self,
        ask: Ask,
        *,
        batch_size: int,
        limiter: Limiter,
        on_wait: Callable[[float], bool],
        on_spent_day: Callable[[float], bool],
        tally: Tally,
        alone: AbstractSet[Content] = frozenset(),
    ) -> None:
        self._route = ask.route
        self._limiter = limiter
        self._on_wait = on_wait
        self._on_spent_day = on_spent_day
        self._tally = tally
        media = ask.media_per_request if isinstance(tally, MediaTally) else None
        self._plan = Plan(tally, alone=alone, media=media)
        self._diagnosis = Diagnosis(ask, self._plan, batch_size=batch_size)
        self._is_whole = False
        self._is_closed = False
        self._news = asyncio.Event()  # of the plan, or of the end

    # What the gate asks.

    def is_empty(self) -> bool:
        """Tell whether nothing is to be sent now.

        While more may come, no request leaves that is not full: the next content may belong in it.
        """
        if self._is_closed:
            return True
        is_urgent = self._is_whole or self._plan.has_parts
        return len(self._plan) < (1 if is_urgent else self._diagnosis.most_texts)

    def wanted(self) -> int:
        """Return how many contents the next request would like to hold."""
        return min(self._diagnosis.most_texts, max(1, self._plan.next_size))

    def note_wait(self, seconds: float) -> None:
        """Pass on that the next request waits for the quota."""
        if not self._on_wait(seconds):
            self.close()

    def note_spent_day(self, seconds: float) -> None:
        """Tell that nothing is sent before the day's quota resets."""
        if not self._on_spent_day(seconds):
            self.close()

    def estimate_next(self) -> int:
        """Return about how many tokens the next content has; 0 where tokens are not limited."""
        if not self._limiter.counts_tokens:
            return 0
        content = self._plan.next_content()
        tokens = 0 if content is None else self._tally(content)
        return round(tokens * self._limiter.tokens_per_estimate)

    def estimate(self, batch: Batch) -> int:
        """Return about how many tokens a batch has; 0 where tokens are not limited."""
        if not self._limiter.counts_tokens:
            return 0
        return max(1, round(batch.tokens * self._limiter.tokens_per_estimate))

    def take(self, room: Room) -> Batch:
        """Return the next batch that fits; there is one unless `is_empty`."""
        texts = min(room.texts, self._diagnosis.most_texts)
        tokens = min(room.tokens, self._route.tokens) / self._limiter.tokens_per_estimate
        batch = self._plan.take(Bounds(texts, tokens, self._diagnosis.most_bytes))
        assert batch is not None  # noqa: S101 - the gate asks a source that is not empty
        return batch

    # What the call puts in.

    def add(self, places: Mapping[Content, Sequence[int]], *, is_last: bool) -> None:
        """Let contents wait; `is_last` says that no others will come."""
        self._plan.add(places)
        self._is_whole = is_last
        self._tell_senders()

    async def add_counted(
        self, places: Mapping[Content, Sequence[int]], count: Count | None, *, is_last: bool
    ) -> None:
        """Let contents wait; a caller's own function counts them before, where that matters.

        Raises:
            HookError: The function failed.
        """
        if count is not None and (self._limiter.counts_tokens or self._route.tokens < math.inf):
            contents = list(places)
            for start in range(0, len(contents), _COUNTED_AT_ONCE):
                some = contents[start : start + _COUNTED_AT_ONCE]
                texts = [content.read for content in some]
                self._tally.note(some, await in_thread(counted, texts, count))
                self.add({content: places[content] for content in some}, is_last=False)
                if self._is_closed:
                    return
            places = {}
        self.add(places, is_last=is_last)

    def put_back(self, batch: Batch) -> None:
        """Let a batch wait again, before what was never sent."""
        self._plan.put_back(batch)
        self._tell_senders()

    def close(self) -> None:
        """Send nothing more."""
        self._is_closed = True
        self._tell_senders()

    # What its senders see.

    @property
    def unsent(self) -> int:
        """How many contents wait to be sent, now or later."""
        return self._plan.waiting

    async def has_more(self) -> bool:
        """Wait for what is to be sent next; tell whether there is anything."""
        while self.is_empty() and self._may_have_more():
            await self._news.wait()
        return not self.is_empty()

    @property
    def passed(self) -> int:
        """How many requests went well so far; what is sent remembers it for `refuse`."""
        return self._diagnosis.passed

    def accept(self, batch: Batch) -> None:
        """Note that a request went well, and what this shows of others that were refused."""
        self._diagnosis.accept(batch)
        self._tell_senders()

    def refuse(self, batch: Batch, error: RequestError, *, passed: int) -> Blame:
        """Find out what of a refused request is to blame; `passed` is from when it was sent."""
        blame = self._diagnosis.refuse(batch, error, passed=passed)
        self._tell_senders()
        return blame

    def _may_have_more(self) -> bool:
        return not self._is_closed and (self._diagnosis.is_open or not self._is_whole)

    def _tell_senders(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
