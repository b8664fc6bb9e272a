"""What a load leaves to queries, and to others who draw on the same limit. Performs no I/O."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gemini_embed.pacing.pacer import Pacer

if TYPE_CHECKING:
    from gemini_embed.pacing.window import Window

_QUERIES_REMEMBERED = 2.0
"""Periods for which a load leaves room for queries that came."""

_CROWDED = 10.0
"""Periods for which a load leaves room for others, where somebody else took some of a limit."""

_STARVED = 1.5
"""Periods that a load's text waits for tokens which queries take, until it goes before them."""

_SPREAD_SECONDS = 2.5
"""Between two requests of a load that leaves room."""


class Fairness:
    """When a load holds back, and when queries do.

    Args:
        query_reserve: The share of a limit that a load leaves to queries, while they come.

    Attributes:
        spread: The pace of such a load; without limit where there is nobody to leave room to.
    """

    def __init__(self, query_reserve: float) -> None:
        self.spread = Pacer()
        self._query_reserve = query_reserve
        self._queried_at = -math.inf
        self._crowded_at = -math.inf  # somebody else took what was left of the limit
        self._hungry_since = math.inf  # a load's text finds too few tokens

    def note_query(self, at: float) -> None:
        """Note that a query came."""
        self._queried_at = max(self._queried_at, at)

    def note_others(self, at: float) -> None:
        """Note that somebody else drew on the limit."""
        self._crowded_at = at

    def note_hungry(self, now: float) -> None:
        """Note that a load's text finds too few tokens."""
        self._hungry_since = min(self._hungry_since, now)

    def note_load(self, texts: int, now: float) -> None:
        """Note that a request of a load leaves."""
        self._hungry_since = math.inf
        self.spread.spend(texts, now)

    def is_starved(self, now: float, period: float) -> bool:
        """Tell whether queries should wait until a load's text, which needs much, has gone."""
        return now - self._hungry_since > _STARVED * period

    def reserve(self, now: float, window: Window) -> float:
        """Return how many texts of the window a load leaves to queries."""
        limit = window.texts_limit
        if limit == math.inf or not self._is_asked(now, window.period):
            return 0.0
        return min(limit - 1, max(1.0, math.ceil(self._query_reserve * limit)))

    def keep_spread(self, now: float, window: Window, *, is_sure: bool, is_paced: bool) -> None:
        """Spread a load over the window, so that queries find some room, and other processes.

        Args:
            now: The clock.
            window: What was sent, and the limits.
            is_sure: Whether the limits are believed.
            is_paced: Whether a pace was learned, which others are left room by.
        """
        limit, period = window.texts_limit, window.period
        is_crowded = not is_paced and now - self._crowded_at < _CROWDED * period
        if limit == math.inf or not is_sure or not (is_crowded or self._is_asked(now, period)):
            if self.spread.pace < math.inf:
                self.spread.free()
            return
        pace = (limit - self.reserve(now, window)) / period
        if pace != self.spread.pace:
            self.spread.set(pace, now, chunk=pace * _SPREAD_SECONDS)

    def _is_asked(self, now: float, period: float) -> bool:
        """Tell whether queries came lately."""
        return now - self._queried_at <= _QUERIES_REMEMBERED * period
