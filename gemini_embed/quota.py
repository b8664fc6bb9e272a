"""How much may be sent, and when: what the user said of the quota, and what refusals taught.

Performs no I/O and no sleeping, and reads no clock: `now`, in seconds of any clock, comes in
with every question. The service counts texts and tokens, not HTTP requests, and does not say
how its windows roll; so a limit holds here for every stretch of `period` seconds.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakValueDictionary
from zoneinfo import ZoneInfo

from gemini_embed.errors import ConfigurationError

if TYPE_CHECKING:
    from datetime import datetime

    from gemini_embed.errors import QuotaExceededError

LONGEST_PERIOD = 60.0
"""Seconds: the service's windows are minutes (and days, which are not waited for)."""

_PACIFIC = "America/Los_Angeles"

_SLACK = 1.01, 0.06
"""A learned period is stretched by this factor and these seconds: two requests may travel
differently fast, and it was measured from here."""

_SHORTEST_WAIT = 0.1
"""Seconds: a refusal that says to come back at once is not taken at its word."""

_GROWTH = 1.1
"""What that is multiplied by each time that nothing was accepted in between."""

_LONGEST_GROWN = 60.0
"""Seconds that such a wait grows to."""

_SURELY = 0.9
"""Requests within this share of a period were surely counted together."""

_EARLY = 0.1
"""A refusal that ends within this share of a period came because the window was measured short."""

_FINE = 0.02
"""How near the true limit learning comes before it rests."""

_REST = 10
"""Periods without a refusal after which a learned limit is tried again: it may have grown."""


@dataclass(slots=True, eq=False)
class Sent:
    """One request that the service may have counted."""

    at: float
    texts: int
    tokens: int
    probe: bool
    ended: float | None = None
    accepted: bool = False


class Room(NamedTuple):
    """What may be sent now, in one request."""

    texts: float
    tokens: float


class Quota:
    """A limit on texts and tokens in any stretch of `period` seconds.

    Give the same object to several embedders that draw on one quota (Google's are per model
    and project). Without `requests` and `tokens` the limits are learned from the service's
    refusals. A copy is the same object, and so is a pickle that is loaded in a process where the
    quota is in use. In another process a pickle begins without what was sent and learned here.

    Args:
        requests: Texts; the service counts each text of a batch as one request.
        tokens: Input tokens; estimated from the texts, and corrected by what is reported.
        period: Seconds.

    Raises:
        ConfigurationError: A limit or a period that is not positive.
    """

    def __init__(
        self, requests: int | None = None, tokens: int | None = None, period: float = 60.0
    ) -> None:
        for name, value in (("requests", requests), ("tokens", tokens)):
            if value is not None and (type(value) is not int or value < 1):
                raise ConfigurationError(f"{name} must be a whole number from 1, not {value!r}")
        if not isinstance(period, int | float) or not 0 < period < math.inf:
            raise ConfigurationError(f"period must be more than 0 seconds, not {period!r}")
        self.requests = requests
        self.tokens = tokens
        self.period = period
        self._name = os.urandom(16).hex()
        _in_use[self._name] = self
        self.tokens_per_estimate = 1.0
        self.concurrency = math.inf
        self._texts_limit: float = math.inf if requests is None else requests
        self._tokens_limit: float = math.inf if tokens is None else tokens
        # Texts that are known not to fit, while the limit is only what is known to fit.
        self._ceiling = math.inf
        self._texts_told = requests is not None
        self._period = period
        self._measured = requests is not None or tokens is not None
        self._sent: dict[Sent, None] = {}  # in the order they left
        self._ended: dict[Sent, None] = {}  # those of them that ended, in the order they did
        self._texts_used = 0
        self._tokens_used = 0
        self._under_way = 0
        self._blocked_until = -math.inf
        self._probed_at = -math.inf
        self._refused_at = -math.inf
        self._slowed_at = -math.inf
        self.in_vain = 0  # refusals since something was accepted

    def __repr__(self) -> str:
        return f"Quota(requests={self.requests}, tokens={self.tokens}, period={self.period})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _named, (self._name, self.requests, self.tokens, self.period)

    def __deepcopy__(self, memo: object) -> Quota:
        return self  # a copied embedder draws on the same quota

    @property
    def told(self) -> str:
        """What is known of the limit, in words."""
        limits = [(self._texts_limit, "texts"), (self._tokens_limit, "tokens")]
        known = [f"{limit:,.0f} {what}" for limit, what in limits if limit < math.inf]
        if not known:
            return "of a size that nobody has told"
        learned = "" if self.requests or self.tokens else ", learned"
        return f"{' and '.join(known)} in {self._period:.0f} s{learned}"

    @property
    def counts_tokens(self) -> bool:
        """Whether tokens are limited, so that they must be estimated."""
        return self._tokens_limit < math.inf

    def adopt(self, now: float) -> None:
        """Give up waiting for requests of another event loop, as after a fork."""
        self._under_way = 0
        for sent in self._sent:
            if sent.ended is None:
                self._end(sent, now)

    def room(self, now: float, *, least_tokens: float = 0) -> Room | None:
        """Return what one request may hold now; None where even a single text must wait.

        Args:
            now: The clock.
            least_tokens: What the next text alone is thought to hold. A text larger than the
                whole limit goes when nothing else is in the window.
        """
        self._forget_expired(now)
        if now < self._blocked_until:
            return None
        texts = self._texts_limit - self._texts_used
        if texts < 1:
            texts = self._probe(now)
        tokens = self._tokens_limit - self._tokens_used
        if texts < 1 or (tokens < least_tokens and self._tokens_used):
            return None
        return Room(texts, tokens)

    def wait(self, now: float) -> float:
        """Return the seconds until `room` may answer otherwise; infinite until a request ends."""
        if now < self._blocked_until:
            return self._blocked_until - now
        first = self._first()
        return math.inf if first is None else max(0.0, self._expiry(first) - now)

    def send(self, texts: int, tokens: int, now: float) -> Sent:
        """Count a request that leaves now."""
        sent = Sent(now, texts, tokens, probe=self._texts_used + texts > self._texts_limit)
        if sent.probe:
            self._probed_at = now
        self._sent[sent] = None
        self._texts_used += texts
        self._tokens_used += tokens
        self._under_way += 1
        return sent

    def unsend(self, sent: Sent) -> None:
        """Count a request no more: it did not leave, or the service refused to count it."""
        self._under_way -= 1
        self._forget(sent)

    def fail(self, sent: Sent, now: float) -> None:
        """Note that a request ended badly; it may have been counted."""
        self._under_way -= 1
        self._end(sent, now)

    def accept(self, sent: Sent, now: float, *, tokens: int | None = None) -> None:
        """Note that a request was answered, with the tokens that the service reported."""
        self.fail(sent, now)
        sent.accepted = True
        self.in_vain = 0
        if tokens is not None and sent.tokens:
            ratio = self.tokens_per_estimate * tokens / sent.tokens
            self.tokens_per_estimate += (ratio - self.tokens_per_estimate) / 4
            if sent in self._sent:
                self._tokens_used += tokens - sent.tokens
            sent.tokens = tokens
        if self.concurrency < math.inf:
            self.concurrency += 1 / self.concurrency
        if not self._texts_told and self._texts_limit < math.inf:
            self._grow(sent.at, now)

    def refuse(self, sent: Sent, error: QuotaExceededError, now: float, *, backoff: float) -> float:
        """Learn from a 429, and return the seconds that every request now waits.

        Args:
            sent: The refused request.
            error: What the service said of it.
            now: The clock.
            backoff: The wait where the service names none.
        """
        self.unsend(sent)
        if not sent.probe and sent.at > self._slowed_at:
            # Additive increase, multiplicative decrease; once for all that left together.
            self.concurrency = max(1.0, min(self.concurrency, self._under_way + 1) / 2)
            self._slowed_at = now
        self.in_vain += sent.at > self._refused_at  # those that left together count once
        grown = min(_LONGEST_GROWN, _SHORTEST_WAIT * _GROWTH ** min(self.in_vain - 1, 100))
        delay = max(grown, backoff if error.retry_after is None else error.retry_after)
        if error.retry_after:
            self._measure(sent, error.retry_after)
        if error.quota_value and "Token" in (error.quota_id or ""):
            self._tokens_limit = min(self.tokens or math.inf, error.quota_value)
        elif error.quota_value:
            self._texts_limit = min(self.requests or math.inf, error.quota_value)
            self._texts_told = True
        elif self.in_vain == 1 and not self._texts_used:
            pass  # little was sent: the service was busy, and that says nothing of a limit
        elif error.retry_after is not None and not self._texts_told:
            self._learn_silent(sent, error.retry_after)
        self._refused_at = now
        self._blocked_until = max(self._blocked_until, now + delay)
        return delay

    @property
    def _strict(self) -> bool:
        """Whether a limit is known from someone who knows, and so must never be exceeded."""
        return self._texts_told or self._tokens_limit < math.inf

    def _learn_silent(self, sent: Sent, delay: float) -> None:
        """Learn from a refusal that names no limit: what is in the window fits, this did not."""
        if self._texts_used and self._texts_limit < math.inf and delay < _EARLY * self._period:
            self._period += delay  # the limit was right, and the window a little longer
            return
        self._texts_limit = min(self._texts_limit, self._texts_used)
        self._ceiling = max(
            self._texts_limit + 1, min(self._ceiling, self._texts_used + sent.texts)
        )

    def _measure(self, sent: Sent, delay: float) -> None:
        """Learn how long the window is, if after `delay` there is room for the refused request.

        Room comes when as many texts fall out of the window as it wants to have in it.
        """
        freed = 0
        for other in self._sent:
            freed += other.texts
            if freed >= sent.texts:
                period = min(LONGEST_PERIOD, sent.at + delay - other.at)
                self._period = max(self._period, period) if self._measured else period
                self._measured = True
                return

    def _grow(self, until: float, now: float) -> None:
        """Learn from an answer: all that was accepted in less than a period fits."""
        since = until - _SURELY * self._period
        fits = sum(sent.texts for sent in self._sent if sent.accepted and since < sent.at <= until)
        self._texts_limit = max(self._texts_limit, fits)
        self._ceiling = max(self._ceiling, self._texts_limit + 1)
        if now - self._refused_at > _REST * self._period:
            self._ceiling = max(self._ceiling, 2 * self._texts_limit)

    def _probe(self, now: float) -> float:
        """Return how many texts more than the learned limit to try, once a window.

        The window is full, so the refusal that this may earn costs no time: half of what is
        between the texts known to fit and the texts known not to.
        """
        if self._texts_told or not math.isfinite(self._ceiling) or self._under_way:
            return 0  # with others on their way, one of them might be refused in its place
        open_range = self._ceiling - 1 - self._texts_limit
        if not self._sent:  # nothing is known to fit, but something must
            return max(1, open_range // 2)
        old = (
            next(iter(self._sent)).at < now - self._period / 2
        )  # it may be forgotten there, and not here
        early = now - self._probed_at < self._period
        if old or early or open_range <= _FINE * self._texts_limit:
            return 0
        return max(1, open_range // 2)

    def _expiry(self, sent: Sent) -> float:
        """Return when the service has surely stopped counting a request."""
        if self._texts_limit == math.inf and self._tokens_limit == math.inf:
            return sent.at + LONGEST_PERIOD  # kept to learn from
        if self._strict:
            # It was counted at some time before its answer came.
            return math.inf if sent.ended is None else sent.ended + self._period
        factor, seconds = _SLACK
        return sent.at + factor * self._period + seconds

    def _first(self) -> Sent | None:
        """Return the request that is forgotten first; None while all are under way."""
        return next(iter(self._ended if self._strict else self._sent), None)

    def _forget_expired(self, now: float) -> None:
        while (first := self._first()) is not None and self._expiry(first) <= now:
            self._forget(first)

    def _end(self, sent: Sent, now: float) -> None:
        sent.ended = now
        if sent in self._sent:
            self._ended[sent] = None

    def _forget(self, sent: Sent) -> None:
        if sent in self._sent:
            del self._sent[sent]
            self._ended.pop(sent, None)
            self._texts_used -= sent.texts
            self._tokens_used -= sent.tokens


_in_use: WeakValueDictionary[str, Quota] = WeakValueDictionary()
"""The quotas of this process, by the names that their pickles hold."""


def _named(name: str, *limits: Any) -> Quota:
    """Return the quota of that name in this process; a new one where there is none yet."""
    quota = _in_use.get(name)
    if quota is None:
        quota = Quota(*limits)
        quota._name = name  # noqa: SLF001 - our own class
        quota = _in_use.setdefault(name, quota)
    return quota


def next_reset(now: datetime) -> datetime:
    """Return when daily quotas reset next: midnight Pacific time, as Google documents it.

    https://ai.google.dev/gemini-api/docs/rate-limits
    """
    midnight = now.astimezone(ZoneInfo(_PACIFIC)).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=1)
