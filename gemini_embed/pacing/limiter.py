"""How much may be sent, and when: what the user said of a quota, and what refusals taught.

Performs no I/O and no sleeping, and reads no clock: `now`, in seconds of any clock, comes in
with every question. The service counts texts and tokens, not HTTP requests, and does not say
how its windows roll; so a limit holds here for every stretch of `period` seconds.
"""

from __future__ import annotations

import math
from copy import copy, deepcopy
from typing import TYPE_CHECKING, NamedTuple

from gemini_embed.pacing.belief import Belief
from gemini_embed.pacing.day import DailyLimit
from gemini_embed.pacing.fairness import Fairness
from gemini_embed.pacing.learning import PERIOD, Learning
from gemini_embed.pacing.tokens import TokenRatio
from gemini_embed.pacing.window import Window

if TYPE_CHECKING:
    from gemini_embed.errors import QuotaExceededError
    from gemini_embed.pacing.window import Sent

_SHORTEST_WAIT = 0.1
"""Seconds: a refusal that says to come back at once is not taken at its word."""

_GROWTH = 1.1
"""What that is multiplied by each time that nothing was accepted in between."""

_LONGEST_GROWN = 60.0
"""Seconds that such a wait grows to."""

_AT_ONCE = 6
"""Requests at once after a wait that the service asked for; after one of ours it is one."""


class Room(NamedTuple):
    """What may be sent now, in one request."""

    texts: float
    tokens: float


class Limits(NamedTuple):
    """What the user said of a quota: see `Quota`."""

    requests: int | None = None
    tokens: int | None = None
    period: float = 60.0
    query_reserve: float = 0.02
    requests_per_day: int | None = None


class Limiter:
    """A limit on texts and tokens in any stretch of a period, known or learned.

    Args:
        limits: What the user said.

    Attributes:
        limits: Likewise.
        daily: What is known of the day's limit.
        blocked_until: When the service takes requests again, by the clock.
        accepted_at: When a request was last accepted, by the clock.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.daily = DailyLimit(limits.requests_per_day)
        self.blocked_until = -math.inf
        self.accepted_at = -math.inf
        self._belief = Belief(limits.requests, limits.tokens, limits.period)
        self._learning = Learning()
        self._fairness = Fairness(limits.query_reserve)
        self._ratio = TokenRatio()
        self._under_way = 0
        self._refused_at = -math.inf
        self._in_vain = 0  # refusals since something was accepted
        self._at_once = _AT_ONCE

    # What is known.

    @property
    def window(self) -> Window:
        """What was sent, and the limits as they are believed now."""
        return self._belief.window

    @property
    def pace(self) -> float:
        """Texts a second, learned where no limit is known; infinite until then."""
        return self._learning.pacer.pace

    @property
    def tokens_per_estimate(self) -> float:
        """How many tokens a text has for one that it is estimated to have."""
        return self._ratio.value

    @property
    def counts_tokens(self) -> bool:
        """Whether tokens are limited, so that they must be estimated."""
        return self._belief.window.tokens_limit < math.inf

    @property
    def description(self) -> str:
        """What is known of the limit, in words."""
        window = self.window
        limits = [(window.texts_limit, "texts"), (window.tokens_limit, "tokens")]
        known = [f"{limit:,.0f} {what}" for limit, what in limits if limit < math.inf]
        said = f"{' and '.join(known)} in {window.period:.0f} s" if known else ""
        learned = (
            f"{PERIOD * self.pace:,.0f} texts in 60 s, learned" if self.pace < math.inf else ""
        )
        return "; ".join(filter(None, (said, learned))) or "of unknown size"

    def as_known(self, now: float) -> Limiter:
        """Return another one that knows what this one does, as if it had been told.

        It begins with what was sent within the period. What happens to either changes nothing in
        the other.
        """
        window = deepcopy(self.window)
        window.end_all(now)
        texts, tokens = map(_told, (window.texts_limit, window.tokens_limit))
        known = Limiter(Limits(texts, tokens, window.period, self.limits.query_reserve))
        known._belief.window = window
        known._ratio, learned = copy(self._ratio), self._learning
        known._learning.pacer, known._learning.size = deepcopy(learned.pacer), copy(learned.size)
        known.blocked_until = self.blocked_until
        return known

    # Who may send.

    def is_starved(self, now: float) -> bool:
        """Tell whether queries should wait until a load's text, which needs much, has gone."""
        return self._fairness.is_starved(now, self.window.period)

    def room(
        self,
        now: float,
        *,
        wanted: float = math.inf,
        least_tokens: float = 0,
        is_query: bool = False,
    ) -> Room | None:
        """Return what one request may hold now; None where even a single text must wait.

        Args:
            now: The clock.
            wanted: How many texts the request would like to hold.
            least_tokens: What the next text alone is thought to hold. A text larger than the
                whole limit goes when nothing else is in the window.
            is_query: Whether it is a query, which is not held back for others.
        """
        found = self._look(now, wanted, least_tokens, is_query=is_query)
        if not isinstance(found, Room):
            return None
        texts = self._learning.pacer.room(
            min(found.texts, wanted, self._learning.size.largest), now
        )
        return Room(texts if is_query else self._fairness.spread.room(texts, now), found.tokens)

    def wait(
        self,
        now: float,
        *,
        wanted: float = math.inf,
        least_tokens: float = 0,
        is_query: bool = False,
    ) -> float:
        """Return the seconds until `room` has some, if asked the same; infinite until an answer."""
        found = self._look(now, wanted, least_tokens, is_query=is_query)
        return 0.0 if isinstance(found, Room) else found

    def _look(
        self, now: float, wanted: float, least_tokens: float, *, is_query: bool
    ) -> Room | float:
        """Return the room in the window, if there is some now; else the seconds until then."""
        if now < self.blocked_until:
            return self.blocked_until - now
        if self._in_vain and self._under_way >= self._at_once:
            return math.inf  # few at a time, until something is accepted
        belief, fairness, pacer = self._belief, self._fairness, self._learning.pacer
        window = belief.window
        is_sure, is_paced = not belief.is_old(now), pacer.pace < math.inf
        fairness.keep_spread(now, window, is_sure=is_sure, is_paced=is_paced)
        reserve = 0.0 if is_query else fairness.reserve(now, window)
        is_idle = not self._under_way
        texts, tokens = belief.room(now, wanted=wanted, reserve=reserve, is_idle=is_idle)
        lacks_tokens = tokens < least_tokens and len(window) > 0
        if lacks_tokens and not is_query:
            fairness.note_hungry(now)
        if texts < 1 or lacks_tokens:
            return window.wait(now)
        most = min(texts, wanted, self._learning.size.largest)
        wait = pacer.wait(most, now)
        if not is_query:
            wait = max(wait, fairness.spread.wait(most, now))
        return wait if wait > 0 else Room(texts, tokens)

    # What becomes of a request.

    def send(self, texts: int, tokens: int, now: float, *, is_query: bool = False) -> Sent:
        """Count a request that leaves now."""
        self._under_way += 1
        self._learning.note_sent(texts, now, at_once=self._under_way)
        if is_query:
            self._fairness.note_query(now)
        else:
            self._fairness.note_load(texts, now)
        sent = self.window.take(
            texts, tokens, now, tokens_per_estimate=self._ratio.value, is_query=is_query
        )
        self._belief.note_sent(sent)
        return sent

    def unsend(self, sent: Sent, now: float) -> None:
        """Count a request no more: it did not leave."""
        self._drop(sent, now)
        if not sent.is_query:
            self._fairness.spread.restore(sent.texts, sent.at, now)
        self._end(now)

    def fail(self, sent: Sent, now: float) -> None:
        """Note that a request ended badly; it may have been counted."""
        self.window.settle(sent, now)
        self._end(now)

    def accept(self, sent: Sent, now: float, *, tokens: int | None = None) -> None:
        """Note that a request was answered, with the tokens that the service reported."""
        self.accepted_at = now
        self._in_vain = 0
        self._belief.accept(sent)
        self._learning.accept(sent.texts, sent.at, now)
        if tokens is not None and sent.tokens:
            self._ratio.report(sent.tokens / sent.tokens_per_estimate, tokens)
        self._belief.window.settle(sent, now, tokens=tokens if sent.tokens else None)
        self._end(now)

    def refuse(self, sent: Sent, error: QuotaExceededError, now: float, *, backoff: float) -> float:
        """Learn from a 429, and return the seconds that every request now waits.

        Args:
            sent: The refused request.
            error: What the service said of it.
            now: The clock.
            backoff: The wait where the service names none.
        """
        used = self._belief.used(sent)
        self._drop(sent, now)
        told = error.retry_after
        if sent.at > self._refused_at:  # those that left together are refused together
            self._in_vain += 1
            if not self._belief.is_probing:
                self._learn(sent, error, now, used=used)
            self._refused_at = now
        self._belief.end_probe(error, now)
        grown = min(_LONGEST_GROWN, _SHORTEST_WAIT * _GROWTH ** min(self._in_vain - 1, 100))
        delay = max(grown, backoff if told is None else told)
        self._at_once = 1 if told is None else _AT_ONCE
        self.blocked_until = max(self.blocked_until, now + delay)
        self._end(now)
        return delay

    def attempts_in_vain(self, sent: Sent) -> int:
        """Return how often in a row requests were refused, if this one was, too.

        Those that left together are refused together, and count once.
        """
        return max(1, self._in_vain + (sent.at > self._refused_at))

    def adopt(self, now: float) -> None:
        """Give up waiting for requests of another event loop, as after a fork."""
        self._under_way = 0
        self.window.end_all(now)

    def _learn(self, sent: Sent, error: QuotaExceededError, now: float, *, used: float) -> None:
        if self.pace < math.inf:
            used = 0.0  # where a pace is kept, that was refused
        if self._belief.refuse(error, now, used=used):
            return
        if self._in_vain == 1 and self.accepted_at > -math.inf:
            self._fairness.note_others(now)
        self._learning.refuse(sent.texts, error.retry_after, now)

    def _drop(self, sent: Sent, now: float) -> None:
        self.window.drop(sent)
        self._learning.note_refused(sent.texts, sent.at, now)

    def _end(self, now: float) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._learning.conclude(now)

    # What other processes do that share the quota: see `sharing`.

    def forget(self) -> None:
        """Begin with an empty window: what was sent stands where all processes look."""
        window = self.window
        self._belief.window = Window(window.texts_limit, window.tokens_limit, window.period)

    def note_query(self, at: float) -> None:
        """Note that a query came to some process."""
        self._fairness.note_query(at)

    def holds(self, now: float, *, is_query: bool) -> bool:
        """Tell whether a request that is in the window already has its room there."""
        window = self.window
        reserve = 0.0 if is_query else self._fairness.reserve(now, window)
        texts, tokens = window.room(now, reserve=reserve)
        return texts >= 0 and (tokens >= 0 or len(window) == 1) and now >= self.blocked_until


def _told(limit: float) -> int | None:
    return None if limit == math.inf else int(limit)
