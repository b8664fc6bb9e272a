"""What a call would take: it is played through, and nothing is sent.

The cache, the outbox and the quota are those of a real call, so what they decide there they decide
here. The clock is a number that jumps to the next thing that happens.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from gemini_embed.calls.outbox import Outbox
from gemini_embed.pacing.gate import Admitted, admit
from gemini_embed.pacing.known import as_known
from gemini_embed.results import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gemini_embed.ask import Ask
    from gemini_embed.cache.guard import GuardedCache
    from gemini_embed.calls.policy import CallPolicy
    from gemini_embed.contents import Content
    from gemini_embed.pacing.quota import Quota
    from gemini_embed.pacing.window import Sent
    from gemini_embed.prices import Price

SECONDS_PER_REQUEST = 0.5
"""A guess at how long one takes, there and back."""


class Beginning(NamedTuple):
    """What is known when a call begins.

    Attributes:
        contents: All contents, repeated ones counted once.
        unknown: Those that the cache does not have, in order.
        quota: What is known of the quota.
        now: The clock.
    """

    contents: Sequence[Content]
    unknown: Sequence[Content]
    quota: Quota
    now: float


async def beginning(
    contents: Sequence[Content], ask: Ask, used: int, quota: Quota, cache: GuardedCache | None
) -> Beginning:
    """Return what is known when a call begins; runs on the I/O thread, where the quota is used.

    No content is there twice. `used` is how many numbers of each vector the caller gets.
    """
    unknown = contents if cache is None else await _unknown(contents, ask, used, cache)
    now = asyncio.get_running_loop().time()
    return Beginning(contents, unknown, as_known(quota, now), now)


async def _unknown(
    contents: Sequence[Content], ask: Ask, used: int, cache: GuardedCache
) -> list[Content]:
    from gemini_embed.cache.lookup import Lookup  # noqa: PLC0415 - loads numpy

    unknown: list[Content] = []
    lookup = Lookup(cache, contents, ask, used=used) if contents else None
    while lookup is not None and not lookup.is_through:
        piece, found, _ = await lookup.find_next()
        known = set(found)
        unknown += [content for i, content in enumerate(piece) if i not in known]
    return unknown


def forecast(
    begin: Beginning, ask: Ask, policy: CallPolicy, price: Price | None, *, texts: int, width: int
) -> Estimate:
    """Return what a call takes for so many texts, with at most `width` requests at once."""
    requests, seconds = _rehearsed(begin, ask, policy, width)
    tokens = sum(content.tokens for content in begin.unknown)
    return Estimate(
        texts=texts,
        unique=len(begin.contents),
        cached=len(begin.contents) - len(begin.unknown),
        to_send=len(begin.unknown),
        requests=requests,
        tokens=tokens,
        tokens_at_most=sum(content.most_tokens for content in begin.unknown),
        cost=price.cost(tokens) if price else None,
        batch_cost=price.cost(tokens, batch=True) if price else None,
        seconds=seconds,
    )


def _rehearsed(begin: Beginning, ask: Ask, policy: CallPolicy, width: int) -> tuple[int, float]:
    """Play the call through, and return its requests and seconds."""
    quota, now, requests = begin.quota, begin.now, 0
    outbox = Outbox(
        ask,
        batch_size=policy.batch_size,
        quota=quota,
        on_wait=lambda _: None,
        on_spent_day=lambda _: None,
    )
    outbox.add(dict.fromkeys(begin.unknown, (0,)), is_last=True)
    under_way: deque[tuple[float, Sent]] = deque()  # when each ends, in the order of their ends
    while under_way or not outbox.is_empty():
        wait = math.inf
        if len(under_way) < width and not outbox.is_empty():
            admitted = admit(outbox, quota, now, is_query=policy.role == "query")
            if isinstance(admitted, Admitted):
                under_way.append((now + SECONDS_PER_REQUEST, admitted.sent))
                requests += 1
                continue
            wait = admitted
        if not under_way or now + wait < under_way[0][0]:
            now += wait
        else:
            now, sent = under_way.popleft()
            quota.fail(sent, now)  # counted, and nothing is learned of it
    return requests, now - begin.now
