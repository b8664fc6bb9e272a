"""How much may be sent, and when: what the user said of the quota, and what refusals taught.

Performs no I/O and no sleeping, and reads no clock: `now`, in seconds of any clock, comes in
with every question. The service counts texts and tokens, not HTTP requests, and does not say
how its windows roll; so a limit holds here for every stretch of `period` seconds.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakValueDictionary

from gemini_embed.errors import ConfigurationError
from gemini_embed.pacing.day import DailyLimit
from gemini_embed.pacing.learning import PERIOD, Learning
from gemini_embed.pacing.pacer import Pacer
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

_FULL = 0.9
"""A window that is fuller than this was refused for its limit, and not for what else there is."""

_SLIGHTLY_LATE = 0.1
"""Periods: a delay that is shorter may be two clocks that differ."""

_QUERIES_REMEMBERED = 2.0
"""Periods for which a load leaves room for queries that came."""

_CROWDED = 10.0
"""Periods for which a load leaves room for others, where somebody else took some of a limit."""

_STARVED = 1.5
"""Periods that a load's text waits for tokens which queries take, until it goes before them."""

_SPREAD_SECONDS = 2.5
"""Between two requests of such a load."""

_BELIEVED = 12.0
"""Periods for which a limit that a refusal named is believed: people are moved to a higher tier."""

_PROBE = 0.05
"""The share of such a limit that is tried at once, beyond it."""

_SURELY_MORE = 1.25
"""So much of a limit that was named, accepted, shows that it holds no longer."""


class Room(NamedTuple):
    """What may be sent now, in one request."""

    texts: float
    tokens: float


class Quota:
    """A limit on texts and tokens in any stretch of `period` seconds.

    Give the same object to several embedders that draw on one quota (Google's are per model
    and project). Without `requests` and `tokens` the limits are learned from the service's
    refusals. A copy is the same object, and so is a pickle that is loaded in a process where the
    quota is in use. In another process a pickle begins without what was sent and learned here,
    unless it has a file.

    Args:
        requests: Texts; the service counts each text of a batch as one request.
        tokens: Input tokens; estimated from the texts, and corrected by what is reported.
        period: Seconds.
        query_reserve: The share of `requests` that a load leaves to queries, at least one text,
            while queries come: from 0 to 1.
        requests_per_day: Texts in a day, which ends at midnight Pacific time. Nothing of them is
            left to queries.
        path: A file, for all processes of this machine that share the quota: one for each quota.

    Attributes:
        daily: What is known of the day's limit.

    Raises:
        ConfigurationError: A limit or a period that is not positive.
    """

    def __init__(
        self,
        requests: int | None = None,
        tokens: int | None = None,
        period: float = 60.0,
        query_reserve: float = 0.02,
        requests_per_day: int | None = None,
        *,
        path: str | os.PathLike[str] | None = None,
    ) -> None:
        counts = {"requests": requests, "tokens": tokens, "requests_per_day": requests_per_day}
        for name, value in counts.items():
            if value is not None and (type(value) is not int or value < 1):
                raise ConfigurationError(f"{name} must be a whole number from 1, not {value!r}")
        if not isinstance(period, int | float) or not 0 < period < math.inf:
            raise ConfigurationError(f"period must be more than 0 seconds, not {period!r}")
        if not isinstance(query_reserve, int | float) or not 0 <= query_reserve < 1:
            raise ConfigurationError(f"query_reserve must be from 0 to 1, not {query_reserve!r}")
        self.requests = requests
        self.tokens = tokens
        self.period = period
        self.query_reserve = query_reserve
        self.requests_per_day = requests_per_day
        self.path = None if path is None else os.path.abspath(path)  # noqa: PTH100 - a string
        self.daily = DailyLimit(requests_per_day)
        self._name = os.urandom(16).hex()
        _in_use[self._name] = self
        self._ratio = TokenRatio()
        self._window = Window(requests or math.inf, tokens or math.inf, period)
        self._learning = Learning()
        self._spread = Pacer()  # of a load beside queries
        self._under_way = 0
        self._blocked_until = -math.inf
        self._refused_at = -math.inf
        self._in_vain = 0  # refusals since something was accepted
        self._has_passed = False  # anything, ever
        self._at_once = _AT_ONCE
        self._queried_at = -math.inf
        self._crowded_at = -math.inf  # somebody else took what was left of the limit
        self._hungry_since = math.inf  # a load's text finds too few tokens
        self._named_at = math.inf
        self._is_probing = False  # whether more is sent than was named
        self._fits_at = math.inf  # when the service said that there is room, whatever it named

    def __repr__(self) -> str:
        daily = f", requests_per_day={self.requests_per_day}" if self.requests_per_day else ""
        return f"Quota(requests={self.requests}, tokens={self.tokens}, period={self.period}{daily})"

    def __reduce__(self) -> tuple[Any, ...]:
        limits = self.requests, self.tokens, self.period, self.query_reserve, self.requests_per_day
        return quota_named, (self._name, *limits, self.path)

    def __deepcopy__(self, memo: object) -> Quota:
        return self  # a copied embedder draws on the same quota

    @property
    def description(self) -> str:
        """What is known of the limit, in words."""
        limits = [(self._window.texts_limit, "texts"), (self._window.tokens_limit, "tokens")]
        known = [f"{limit:,.0f} {what}" for limit, what in limits if limit < math.inf]
        said = f"{' and '.join(known)} in {self._window.period:.0f} s" if known else ""
        pace = self._learning.pacer.pace
        learned = f"{PERIOD * pace:,.0f} texts in 60 s, learned" if pace < math.inf else ""
        return "; ".join(filter(None, (said, learned))) or "of unknown size"

    @property
    def tokens_per_estimate(self) -> float:
        """How many tokens a text has for one that it is estimated to have."""
        return self._ratio.value

    @property
    def counts_tokens(self) -> bool:
        """Whether tokens are limited, so that they must be estimated."""
        return self._window.tokens_limit < math.inf

    def is_starved(self, now: float) -> bool:
        """Tell whether queries should wait until a load's text, which needs much, has gone."""
        return now - self._hungry_since > _STARVED * self._window.period

    def adopt(self, now: float) -> None:
        """Give up waiting for requests of another event loop, as after a fork."""
        self._under_way = 0
        self._window.end_all(now)

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
        if self.wait(now, wanted=wanted, least_tokens=least_tokens, is_query=is_query) > 0:
            return None
        texts, tokens = self._room(now, wanted, self._reserve(now, is_query=is_query))
        texts = self._learning.pacer.room(min(texts, wanted, self._learning.size.largest), now)
        return Room(texts if is_query else self._spread.room(texts, now), tokens)

    def wait(
        self,
        now: float,
        *,
        wanted: float = math.inf,
        least_tokens: float = 0,
        is_query: bool = False,
    ) -> float:
        """Return the seconds until `room` has some, if asked the same; infinite until an answer."""
        if now < self._blocked_until:
            return self._blocked_until - now
        if self._in_vain and self._under_way >= self._at_once:
            return math.inf  # few at a time, until something is accepted
        reserve = self._reserve(now, is_query=is_query)
        self._keep_spread(now)
        texts, tokens = self._room(now, wanted, reserve)
        lacks_tokens = tokens < least_tokens and not self._window.is_empty
        if lacks_tokens and not is_query:
            self._hungry_since = min(self._hungry_since, now)
        if texts < 1 or lacks_tokens:
            return self._window.wait(now)
        texts = min(texts, wanted, self._learning.size.largest)
        wait = self._learning.pacer.wait(texts, now)
        return wait if is_query else max(wait, self._spread.wait(texts, now))

    def send(self, texts: int, tokens: int, now: float, *, is_query: bool = False) -> Sent:
        """Count a request that leaves now."""
        self._under_way += 1
        self._learning.note_sent(texts, now)
        if not self._is_probing:
            self._fits_at = math.inf  # there was room without it
        if is_query:
            self._queried_at = now
        else:
            self._hungry_since = math.inf
            self._spread.spend(texts, now)
        ratio = self._ratio.value
        return self._window.take(texts, tokens, now, tokens_per_estimate=ratio, is_query=is_query)

    def unsend(self, sent: Sent, now: float) -> None:
        """Count a request no more: it did not leave."""
        self._window.drop(sent)
        self._learning.note_refused(sent.texts, sent.at, now)
        if not sent.is_query:
            self._spread.restore(sent.texts, sent.at, now)
        self._end(now)

    def fail(self, sent: Sent, now: float) -> None:
        """Note that a request ended badly; it may have been counted."""
        self._window.settle(sent, now)
        self._end(now)

    def accept(self, sent: Sent, now: float, *, tokens: int | None = None) -> None:
        """Note that a request was answered, with the tokens that the service reported."""
        self._in_vain, self._has_passed = 0, True
        if self._is_probing:
            self._note_probe(sent)
        self._learning.accept(sent.texts, sent.at, now)
        if tokens is not None and sent.tokens:
            self._ratio.report(sent.tokens / sent.tokens_per_estimate, tokens)
        self._window.settle(sent, now, tokens=tokens if sent.tokens else None)
        self._end(now)

    def refuse(self, sent: Sent, error: QuotaExceededError, now: float, *, backoff: float) -> float:
        """Learn from a 429, and return the seconds that every request now waits.

        Args:
            sent: The refused request.
            error: What the service said of it.
            now: The clock.
            backoff: The wait where the service names none.
        """
        used = self._used(sent)
        self._window.drop(sent)
        self._learning.note_refused(sent.texts, sent.at, now)
        told = error.retry_after
        if sent.at > self._refused_at:  # those that left together are refused together
            self._in_vain += 1
            if not self._is_probing:
                self._learn(sent, error, now, used=used)
            self._refused_at = now
        if self._is_probing:
            self._is_probing, self._named_at, self._fits_at = False, now, math.inf
        grown = min(_LONGEST_GROWN, _SHORTEST_WAIT * _GROWTH ** min(self._in_vain - 1, 100))
        delay = max(grown, backoff if told is None else told)
        self._at_once = 1 if told is None else _AT_ONCE
        self._blocked_until = max(self._blocked_until, now + delay)
        self._end(now)
        return delay

    def _end(self, now: float) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._learning.conclude(now)

    def _learn(self, sent: Sent, error: QuotaExceededError, now: float, *, used: float) -> None:
        value, told = error.quota_value, error.retry_after
        is_of_tokens = "Token" in (error.quota_id or "")
        if value and self._believe(value, is_of_tokens=is_of_tokens, now=now):
            self._fits_at = math.inf if told is None else now + told
            return
        soon = told is not None and told <= _SLIGHTLY_LATE * self.period
        is_short = self._window.period < self.period
        if used >= _FULL and (soon or is_short) and self._window.stretch(told or 0.0):
            return
        if self._in_vain == 1 and self._has_passed:
            self._crowded_at = now
        self._learning.refuse(sent.texts, told, now)

    def _believe(self, value: int, *, is_of_tokens: bool, now: float) -> bool:
        """Take a limit that a refusal names; tell whether it is news."""
        window = self._window
        known = (self.tokens if is_of_tokens else self.requests) or math.inf
        before = window.tokens_limit if is_of_tokens else window.texts_limit
        if value < known:
            self._named_at = now
            known = value
        if is_of_tokens:
            window.tokens_limit = known
        else:
            window.texts_limit = known
        return known != before

    def _note_probe(self, sent: Sent) -> None:
        """Learn from more than was named, which passed: a shorter period, or a larger limit."""
        if self._used(sent) <= _SURELY_MORE:
            return
        if self._fits_at < math.inf:
            self._window.shorten(self._fits_at)
        else:
            self._window.raise_limits(texts=self.requests, tokens=self.tokens)
        self._is_probing, self._fits_at = False, math.inf

    def _room(self, now: float, wanted: float, reserve: float) -> tuple[float, float]:
        """Return the room in the window, and now and then more than a refusal has named."""
        texts, tokens = self._window.room(now, reserve=reserve)
        is_old = now - self._named_at > _BELIEVED * PERIOD
        fits = now >= self._fits_at and self._window.wait(now) > _SLIGHTLY_LATE * self.period
        due = self._is_probing or is_old or fits
        own_texts = texts + self.requests - self._window.texts_limit if self.requests else math.inf
        own_tokens = tokens + self.tokens - self._window.tokens_limit if self.tokens else math.inf
        is_full = (texts < 1 or tokens < 1) and own_texts >= 1 and own_tokens >= 1
        if due and is_full and not self._under_way:
            self._is_probing = True
            probe = max(1.0, min(wanted / 4, _PROBE * self._window.texts_limit))
            return min(probe, own_texts), own_tokens
        return texts, tokens

    def _used(self, sent: Sent) -> float:
        """Return how full the window was with a request, of what it may hold."""
        texts, tokens = self._window.room(sent.at)
        shares = [0.0]
        if self._window.texts_limit < math.inf:
            shares.append(1 - texts / self._window.texts_limit)
        if self.counts_tokens:
            shares.append(1 - tokens / self._window.tokens_limit)
        return max(shares)

    def _reserve(self, now: float, *, is_query: bool) -> float:
        limit = self._window.texts_limit
        if is_query or limit == math.inf or not self._is_asked(now):
            return 0.0
        return min(limit - 1, max(1.0, math.ceil(self.query_reserve * limit)))

    def _keep_spread(self, now: float) -> None:
        """Spread a load over the window, so that queries find some room, and other processes."""
        limit, is_old = self._window.texts_limit, now - self._named_at > _BELIEVED * PERIOD
        pace = (limit - self._reserve(now, is_query=False)) / self._window.period
        if limit == math.inf or is_old or not (self._is_asked(now) or self._is_crowded(now)):
            self._spread.free()
        elif pace != self._spread.pace:
            self._spread.set(pace, now, chunk=pace * _SPREAD_SECONDS)

    def _is_asked(self, now: float) -> bool:
        """Tell whether queries came lately."""
        return now - self._queried_at <= _QUERIES_REMEMBERED * self._window.period

    def _is_crowded(self, now: float) -> bool:
        """Tell whether somebody else drew on the limit lately, and how much is not learned yet."""
        lately = now - self._crowded_at < _CROWDED * self._window.period
        return lately and self._learning.pacer.pace == math.inf


_in_use: WeakValueDictionary[str, Quota] = WeakValueDictionary()
"""The quotas of this process, by the names that their pickles hold."""


def quota_named(name: str, *limits: Any) -> Quota:
    """Return the quota of that name in this process; a new one where there is none yet."""
    quota = _in_use.get(name)
    if quota is None:
        quota = Quota(*limits[:5], path=(*limits[5:], None)[0])
        quota._name = name  # noqa: SLF001 - our own class
        quota = _in_use.setdefault(name, quota)
    return quota
