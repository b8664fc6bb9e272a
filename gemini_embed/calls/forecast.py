"""What a call would take: it is played through, and nothing is sent.

The cache, the outbox and the quota are those of a real call, so what they decide there they decide
here. The clock is a number that jumps to the next thing that happens.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from gemini_embed.background.threads import in_thread
from gemini_embed.calls.outbox import Outbox
from gemini_embed.calls.plan import places_of
from gemini_embed.contents import Tally
from gemini_embed.counting import counted
from gemini_embed.media.contents import MediaTally, by_kind, unmeasured
from gemini_embed.pacing.gate import Admitted, admit
from gemini_embed.pacing.quota import limiter_of
from gemini_embed.prices import cost_of
from gemini_embed.results import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from gemini_embed.ask import Ask
    from gemini_embed.cache.guard import GuardedCache
    from gemini_embed.cache.lookup import Lookup
    from gemini_embed.calls.policy import CallPolicy
    from gemini_embed.contents import Content, Inputs
    from gemini_embed.pacing.counting import Book
    from gemini_embed.pacing.day import DailyLimit
    from gemini_embed.pacing.limiter import Limiter
    from gemini_embed.pacing.quota import Quota
    from gemini_embed.pacing.window import Sent
    from gemini_embed.prices import Price

SECONDS_PER_REQUEST = 0.5
"""A guess at how long one takes, there and back."""


_NIGHT = 86_400.0
"""Seconds after which no minute holds anything of the day before."""


class Beginning(NamedTuple):
    """What is known when a call begins.

    Attributes:
        contents: All contents, repeated ones counted once.
        alone: Those that travel alone.
        have_media: Whether any of them has media.
        unknown: Those that the cache does not have, in order.
        limiter: What is known of the quota.
        now: The clock.
        today: How many texts the day's quota has left.
        a_day: How many it has in all.
    """

    contents: Sequence[Content]
    alone: AbstractSet[Content]
    have_media: bool
    unknown: Sequence[Content]
    limiter: Limiter
    now: float
    today: float
    a_day: float


async def beginning(
    inputs: Inputs,
    ask: Ask,
    *,
    used: int,
    quota: Quota,
    cache: GuardedCache | None,
    account: str,
) -> Beginning:
    """Return what is known when a call begins; runs on the I/O thread, where the quota is used.

    Args:
        inputs: What it embeds.
        ask: What the service is asked for.
        used: How many numbers of each vector the caller gets.
        quota: The embedder's.
        cache: Likewise.
        account: Whose texts of a day are counted together in the cache's file.
    """
    contents, alone = list(places_of(inputs)), inputs.suspects
    unknown = contents
    if cache is not None and contents:
        from gemini_embed.cache.lookup import lookup_of  # noqa: PLC0415 - loads numpy

        unknown = await _unknown(lookup_of(inputs, cache, contents, ask, used))
    limiter = limiter_of(quota)
    today, a_day = await _day_of(limiter.daily, None if cache is None else cache.day_book(account))
    now = asyncio.get_running_loop().time()
    known = limiter.as_known(now)
    return Beginning(contents, alone, inputs.have_media, unknown, known, now, today, a_day)


async def _day_of(daily: DailyLimit, book: Book | None) -> tuple[float, float]:
    """Return how many texts are left of the day's quota, and how many a whole day has."""
    now = daily.clock()
    today = daily.today(now)
    entry = daily.entry(today.number)
    if book is not None:
        look = partial(book.change, today.number, lambda entry: entry, patient=False)
        with suppress(OSError):  # what this process knows has to do
            found, _ = await in_thread(look)
            entry = found.with_at_least(daily.own[today.number])
    return entry.left(daily.told, today, now), entry.limit(daily.told, today.number)


async def _unknown(lookup: Lookup | None) -> list[Content]:
    unknown: list[Content] = []
    while lookup is not None and not lookup.is_through:
        piece, found, _ = await lookup.find_next()
        known = set(found)
        unknown += [content for i, content in enumerate(piece) if i not in known]
    return unknown


def forecast(
    begin: Beginning, ask: Ask, policy: CallPolicy, price: Price | None, *, texts: int, width: int
) -> Estimate:
    """Return what a call takes for so many texts, with at most `width` requests at once."""
    tally = MediaTally() if begin.have_media else Tally()
    if policy.count is not None:
        texts_read = [content.read for content in begin.unknown]
        tally.note(begin.unknown, counted(texts_read, policy.count))
    rehearsal = _Rehearsal(begin, ask, policy, tally, width)
    tokens = tally.sum(begin.unknown)
    kinds = by_kind(begin.unknown, tokens) if begin.have_media else {"TEXT": tokens}
    return Estimate(
        texts=texts,
        unique=len(begin.contents),
        cached=len(begin.contents) - len(begin.unknown),
        to_send=len(begin.unknown),
        requests=rehearsal.requests,
        tokens=tokens,
        tokens_at_most=_at_most(begin.unknown, tokens, policy),
        unmeasured=unmeasured(begin.unknown) if begin.have_media else 0,
        cost=cost_of(price, kinds),
        batch_cost=cost_of(price, kinds, batch=True),
        seconds=rehearsal.seconds,
        days=None if begin.a_day == math.inf else rehearsal.days,
    )


def _at_most(contents: Sequence[Content], tokens: int, policy: CallPolicy) -> int:
    """Return how many tokens there are at most: those that were counted, or a bound."""
    of_media = sum(content.most_of_media for content in contents)
    if policy.count is not None:
        return max(tokens, of_media)
    from gemini_embed.token_counts import count_most  # noqa: PLC0415 - loads numpy

    return of_media + sum(count_most([content.read for content in contents]))


class _Rehearsal:
    """A call that is played through, at most `width` requests at once; all of them go well.

    Attributes:
        requests: How many left.
        seconds: How long it took, without the nights in which a daily quota was waited for.
        days: On which day it was over.
    """

    def __init__(
        self, begin: Beginning, ask: Ask, policy: CallPolicy, tally: Tally, width: int
    ) -> None:
        self.requests = 0
        self.seconds = 0.0
        self.days = 1
        self._now = begin.now
        self._today, self._a_day = begin.today, begin.a_day
        self._limiter = begin.limiter
        self._width = width
        self._is_query = policy.role == "query"
        self._outbox = Outbox(
            ask,
            batch_size=policy.batch_size,
            limiter=begin.limiter,
            on_wait=lambda _: True,
            on_spent_day=lambda _: True,
            tally=tally,
            alone=begin.alone,
        )
        self._outbox.add(dict.fromkeys(begin.unknown, (0,)), is_last=True)
        self._under_way: deque[tuple[float, Sent]] = deque()  # with its end, in that order
        while self._under_way or not self._outbox.is_empty():
            if (wait := self._send()) > 0:
                self._go_on(wait)

    def _send(self) -> float:
        """Let a request leave, and return 0; or return the seconds until there may be room."""
        if self._outbox.is_empty() or len(self._under_way) == self._width:
            return math.inf
        if self._today < 1:
            return math.inf if self._under_way else self._sleep()
        admitted = admit(
            self._outbox, self._limiter, self._now, is_query=self._is_query, most=self._today
        )
        if not isinstance(admitted, Admitted):
            return admitted
        self.requests += 1
        self._today -= len(admitted.batch)
        self._under_way.append((self._now + SECONDS_PER_REQUEST, admitted.sent))
        return 0

    def _sleep(self) -> float:
        """Go on the next day, at which the minutes of this one are long over."""
        self._now += _NIGHT
        self.days += 1
        self._today = self._a_day
        return 0

    def _go_on(self, wait: float) -> None:
        """Let time pass: so long, or until the first request ends."""
        end = self._under_way[0][0] if self._under_way else math.inf
        later = min(self._now + wait, end)
        self.seconds += later - self._now
        self._now = later
        if later == end:
            _, sent = self._under_way.popleft()
            self._limiter.fail(sent, later)  # counted, and nothing is learned of it
