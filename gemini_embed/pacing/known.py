"""A quota for a forecast: what is known of another one, taken as told. Performs no I/O."""

from __future__ import annotations

import math
from copy import copy, deepcopy

from gemini_embed.pacing.quota import Quota


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
