"""How long a quota takes to let something go, for those who ask. Performs no I/O."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gemini_embed.pacing.limiter import Limiter

_SECONDS_OF_A_DAY = 86_400.0


def seconds_for(limiter: Limiter, texts: int, tokens: float, now: float) -> float | None:
    """Return about how long a quota takes to let so much go; None where no limit of it is known."""
    window, pace = limiter.window, limiter.pace
    room = window.room(now)
    waits = [
        _in_window(texts, room[0], window.texts_limit, limiter, now),
        _in_window(tokens, room[1], window.tokens_limit, limiter, now),
        _in_days(texts, limiter),
        None if pace == math.inf else texts / pace,
    ]
    known = [wait for wait in waits if wait is not None]
    return max(0.0, limiter.blocked_until - now, *known) if known else None


def _in_window(
    amount: float, room: float, limit: float, limiter: Limiter, now: float
) -> float | None:
    if limit == math.inf or amount <= room:
        return None if limit == math.inf else 0.0
    first, period = limiter.window.wait(now), limiter.window.period
    return (period if first == math.inf else first) + period * _further(amount, room, limit)


def _in_days(texts: int, limiter: Limiter) -> float | None:
    daily, now = limiter.daily, limiter.daily.clock()
    limit, room = daily.limit(now), daily.room(now)
    if limit == math.inf or texts <= room:
        return None if limit == math.inf else 0.0
    first = daily.resets_at(now).timestamp() - now
    return first + _SECONDS_OF_A_DAY * _further(texts, room, limit)


def _further(amount: float, room: float, limit: float) -> int:
    """Return how many more times it has to wait for all of a limit, after the first."""
    return math.ceil((amount - max(0.0, room)) / max(1.0, limit)) - 1
