"""What is known of a quota, for those who ask how long something will take. Performs no I/O."""

from __future__ import annotations

import math
from copy import copy, deepcopy

from gemini_embed.pacing.quota import Quota

_SECONDS_OF_A_DAY = 86_400.0


def as_known(quota: Quota, now: float) -> Quota:
    """Return a quota with what is known of another one, as if it had been told.

    It begins with what was sent within the period. What happens to either changes nothing in the
    other.
    """
    window, learned = deepcopy(quota._window), quota._learning
    window.end_all(now)
    texts, tokens = map(_told, (window.texts_limit, window.tokens_limit))
    known = Quota(texts, tokens, window.period, quota.query_reserve)
    known._window, known._ratio = window, copy(quota._ratio)
    known._learning.pacer, known._learning.size = deepcopy(learned.pacer), copy(learned.size)
    known._blocked_until = quota._blocked_until
    return known


def _told(limit: float) -> int | None:
    return None if limit == math.inf else int(limit)


def seconds_for(quota: Quota, texts: int, tokens: float, now: float) -> float | None:
    """Return about how long a quota takes to let so much go; None where no limit of it is known."""
    window, pace = quota._window, quota._learning.pacer.pace
    room = window.room(now)
    waits = [
        _in_window(texts, room[0], window.texts_limit, quota, now),
        _in_window(tokens, room[1], window.tokens_limit, quota, now),
        _in_days(texts, quota),
        None if pace == math.inf else texts / pace,
    ]
    known = [wait for wait in waits if wait is not None]
    return max(0.0, quota._blocked_until - now, *known) if known else None


def _in_window(amount: float, room: float, limit: float, quota: Quota, now: float) -> float | None:
    if limit == math.inf or amount <= room:
        return None if limit == math.inf else 0.0
    first, period = quota._window.wait(now), quota._window.period
    return (period if first == math.inf else first) + period * _further(amount, room, limit)


def _in_days(texts: int, quota: Quota) -> float | None:
    daily, now = quota.daily, quota.daily.clock()
    limit, room = daily.limit(now), daily.room(now)
    if limit == math.inf or texts <= room:
        return None if limit == math.inf else 0.0
    first = daily.resets_at(now).timestamp() - now
    return first + _SECONDS_OF_A_DAY * _further(texts, room, limit)


def _further(amount: float, room: float, limit: float) -> int:
    """Return how many more times it has to wait for all of a limit, after the first."""
    return math.ceil((amount - max(0.0, room)) / max(1.0, limit)) - 1
