"""What is believed of a quota's limits: what the user said, and what refusals named.

Performs no I/O. A limit that a refusal named is believed for a while; then a little more is tried.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gemini_embed.pacing.learning import PERIOD
from gemini_embed.pacing.window import Window

if TYPE_CHECKING:
    from gemini_embed.errors import QuotaExceededError
    from gemini_embed.pacing.window import Sent

_FULL = 0.9
"""A window that is fuller than this was refused for its limit, and not for what else there is."""

_SLIGHTLY_LATE = 0.1
"""Periods: a delay that is shorter may be two clocks that differ."""

_BELIEVED = 12.0
"""Periods for which a limit that a refusal named is believed: people are moved to a higher tier."""

_PROBE = 0.05
"""The share of such a limit that is tried at once, beyond it."""

_SURELY_MORE = 1.25
"""So much of a limit that was named, accepted, shows that it holds no longer."""


class Belief:
    """The window of a quota, and how far its limits are believed.

    Args:
        texts: What the user said: texts in any stretch of a period.
        tokens: Likewise.
        period: Seconds.

    Attributes:
        window: What was sent, and the limits as they are believed now.
        is_probing: Whether more is sent than was named.
    """

    def __init__(self, texts: int | None, tokens: int | None, period: float) -> None:
        self.window = Window(texts or math.inf, tokens or math.inf, period)
        self.is_probing = False
        self._texts, self._tokens, self._period = texts, tokens, period
        self._named_at = math.inf
        self._fits_at = math.inf  # when the service said that there is room, whatever it named
        self._probe: Sent | None = None  # the last request that went beyond the limits

    def is_old(self, now: float) -> bool:
        """Tell whether a limit was named so long ago that it may not hold any more."""
        return now - self._named_at > _BELIEVED * PERIOD

    def room(
        self, now: float, *, wanted: float, reserve: float, is_idle: bool
    ) -> tuple[float, float]:
        """Return the room for texts and tokens, now and then for more than a refusal has named.

        Args:
            now: The clock.
            wanted: How many texts a request would like to hold.
            reserve: How many are left to others.
            is_idle: Whether nothing is under way: only then is more tried for the first time.
                Once a little more has passed, whole requests go, one after another.
        """
        window = self.window
        texts, tokens = window.room(now, reserve=reserve)
        has_passed = self.is_probing and self._probe is not None and self._probe.ended is not None
        if (texts >= 1 and tokens >= 1) or not (is_idle or has_passed):
            return texts, tokens
        fits = now >= self._fits_at and window.wait(now) > _SLIGHTLY_LATE * self._period
        if not (self.is_probing or self.is_old(now) or fits):
            return texts, tokens
        own_texts = texts + self._texts - window.texts_limit if self._texts else math.inf
        own_tokens = tokens + self._tokens - window.tokens_limit if self._tokens else math.inf
        if own_texts < 1 or own_tokens < 1:
            return texts, tokens
        self.is_probing = True
        probe = wanted if has_passed else max(1.0, min(wanted / 4, _PROBE * window.texts_limit))
        return min(probe, own_texts), own_tokens

    def note_sent(self, sent: Sent) -> None:
        """Note that a request leaves, which the window has counted."""
        if not self.is_probing:
            self._fits_at = math.inf  # there was room without it
        elif min(self.window.room(sent.at)) < 0:
            self._probe = sent

    def accept(self, sent: Sent) -> None:
        """Learn from more than was named, if it passed: a shorter period, or a larger limit."""
        if not self.is_probing or self.used(sent) <= _SURELY_MORE:
            return
        if self._fits_at < math.inf:
            self.window.shorten(self._fits_at)
        else:
            self.window.raise_limits(texts=self._texts, tokens=self._tokens)
        self.is_probing, self._probe, self._fits_at = False, None, math.inf

    def refuse(self, error: QuotaExceededError, now: float, *, used: float) -> bool:
        """Learn from a refusal; tell whether it taught anything of a limit, or of its period.

        Args:
            error: What the service said.
            now: The clock.
            used: How full the window was.
        """
        told = error.retry_after
        if self._believe(error, now):
            self._fits_at = math.inf if told is None else now + told
            return True
        soon = told is not None and told <= _SLIGHTLY_LATE * self._period
        is_short = self.window.period < self._period
        return used >= _FULL and (soon or is_short) and self.window.stretch(told or 0.0)

    def end_probe(self, error: QuotaExceededError, now: float) -> None:
        """Take it that the limits hold, or those that are named now, if more was tried in vain."""
        if self.is_probing:
            self.is_probing, self._probe = False, None
            self._named_at, self._fits_at = now, math.inf
            self._believe(error, now)

    def used(self, sent: Sent) -> float:
        """Return how full the window was with a request, of what it may hold."""
        window = self.window
        texts, tokens = window.room(sent.at)
        shares = [0.0]
        if window.texts_limit < math.inf:
            shares.append(1 - texts / window.texts_limit)
        if window.tokens_limit < math.inf:
            shares.append(1 - tokens / window.tokens_limit)
        return max(shares)

    def _believe(self, error: QuotaExceededError, now: float) -> bool:
        """Take the limit that a refusal names, if any; tell whether it is news."""
        value, window = error.quota_value, self.window
        if not value:
            return False
        is_of_tokens = "Token" in (error.quota_id or "")
        known = (self._tokens if is_of_tokens else self._texts) or math.inf
        before = window.tokens_limit if is_of_tokens else window.texts_limit
        if value < known:
            self._named_at = now
            known = value
        if is_of_tokens:
            window.tokens_limit = known
        else:
            window.texts_limit = known
        return known != before
