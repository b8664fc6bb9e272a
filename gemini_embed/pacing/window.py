"""What was sent within a period: exact, for limits that are known. Performs no I/O."""

from __future__ import annotations

import math
from dataclasses import dataclass

_LONGER = 1.002
"""What a period is stretched by beyond what a refusal shows of it."""

_SHORTEST = 0.1
"""Seconds: a shorter period cannot be told from the way there and back."""

_LONGEST = 1.1
"""More than this is no clock that runs otherwise: there is less room than was said."""


@dataclass(slots=True, eq=False)
class Sent:
    """One request that the service may have counted."""

    at: float
    texts: int
    tokens: int
    tokens_per_estimate: float = 1.0
    ended: float | None = None
    is_query: bool = False


class Window:
    """Texts and tokens of the last `period` seconds, at most as many as the limits say.

    The service counted a request at some time before its answer came, so it counts here until
    a period after its end.

    Attributes:
        texts_limit: Texts in any stretch of a period; infinite where it is not known.
        tokens_limit: Tokens, likewise.
        period: Seconds, by the service's clock as far as it is known.
    """

    def __init__(self, texts_limit: float, tokens_limit: float, period: float) -> None:
        self.texts_limit = texts_limit
        self.tokens_limit = tokens_limit
        self.period = period
        self._told = period
        self._sent: dict[Sent, None] = {}  # in the order they left
        self._ended: dict[Sent, None] = {}  # in the order they ended
        self._texts = 0
        self._tokens = 0

    def __len__(self) -> int:
        """Return how many requests are counted."""
        return len(self._sent)

    def left(self, now: float) -> tuple[float, float]:
        """Return how many texts and tokens there is room for; changes nothing, on any thread."""
        counted = [
            sent
            for sent in list(self._sent)
            if sent.ended is None or sent.ended + self.period - now > 0
        ]
        texts = self.texts_limit - sum(sent.texts for sent in counted)
        tokens = self.tokens_limit - sum(sent.tokens for sent in counted)
        return max(0, texts), max(0, tokens)

    def take(
        self,
        texts: int,
        tokens: int,
        now: float,
        *,
        tokens_per_estimate: float = 1.0,
        is_query: bool = False,
    ) -> Sent:
        """Count a request that leaves now."""
        sent = Sent(now, texts, tokens, tokens_per_estimate, is_query=is_query)
        self._sent[sent] = None
        self._texts += texts
        self._tokens += tokens
        return sent

    def settle(self, sent: Sent, now: float, *, tokens: int | None = None) -> None:
        """Note that a request ended, with its tokens where the service told them."""
        if sent not in self._sent:
            return
        sent.ended = now
        self._ended[sent] = None
        if tokens is not None:
            self._tokens += tokens - sent.tokens
            sent.tokens = tokens

    def drop(self, sent: Sent) -> None:
        """Count a request no more: it was not counted by the service."""
        if sent in self._sent:
            del self._sent[sent]
            self._ended.pop(sent, None)
            self._texts -= sent.texts
            self._tokens -= sent.tokens

    def end_all(self, now: float) -> None:
        """Give up waiting for requests that are under way, as after a fork."""
        for sent in self._sent:
            if sent.ended is None:
                self.settle(sent, now)

    def room(self, now: float, *, reserve: float = 0) -> tuple[float, float]:
        """Return how many texts and tokens there is room for."""
        self._forget(now)
        return self.texts_limit - reserve - self._texts, self.tokens_limit - self._tokens

    def wait(self, now: float) -> float:
        """Return the seconds until there is more room; infinite until a request ends."""
        first = next(iter(self._ended), None)
        if first is None or first.ended is None:
            return math.inf
        return max(0.0, first.ended + self.period - now)

    def raise_limits(self, *, texts: float | None, tokens: float | None) -> None:
        """Take it that twice as much fits, but not more than this."""
        self.texts_limit = min(2 * self.texts_limit, texts or math.inf)
        self.tokens_limit = min(2 * self.tokens_limit, tokens or math.inf)

    def shorten(self, at: float) -> None:
        """Take it that what was counted first did not count any more at a moment."""
        first = next(iter(self._ended), None)
        if first is not None and first.ended is not None:
            self.period = min(self.period, max(_SHORTEST, at - first.ended))

    def stretch(self, early: float) -> bool:
        """Take a refusal that came `early` seconds too soon for a period that is longer than ours.

        Tell whether it may be that: the service's is hardly longer than what was said of it.
        """
        period = (self.period + early) * _LONGER
        if self.period < self._told:
            period = min(period, self._told * _LONGER)
        if period > self._told * _LONGEST:
            return False
        self.period = period
        return True

    def _forget(self, now: float) -> None:
        # As `wait` reckons: otherwise one would wait for nothing, again and again.
        while (first := next(iter(self._ended), None)) is not None and (
            first.ended is not None and first.ended + self.period - now <= 0
        ):
            self.drop(first)
