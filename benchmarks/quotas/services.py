"""Services that refuse, as state machines on a clock that comes in; and their words for it.

Every text counts, whatever the number of requests, and what is refused does not count.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.quotas.counters import Bucket, Counter, Fixed, Gcra, Sliding
from benchmarks.quotas.scenarios import BOTH_TOKENS, OUTAGE, PERIOD, Scenario, ServiceKind
from gemini_embed.service.refusals import refusal
from gemini_embed.standin import gemini_errors, google_errors, vertex_errors
from gemini_embed.standin.model_quota import MEANINGLESS_DELAY, Violation

if TYPE_CHECKING:
    from gemini_embed.errors import RequestError

_FOREIGN_TEXTS = 10
"""Texts in a request of somebody else's; the middle."""

_DAY = 86_400.0
_DAYS_SHARE = 0.5
"""Of the load, that the day's quota is enough for."""

_METRIC = "generativelanguage.googleapis.com/embed_content_free_tier_"
_TINY, _HUGE = 0.001, 1e9


class Refused(NamedTuple):
    """Why a request does not pass.

    Attributes:
        delay: Seconds after which it would, as the service's clock counts them; None for a 503.
        violations: The limits that it breaks; none where the service is only said to be busy.
    """

    delay: float | None
    violations: tuple[Violation, ...] = ()


class _Limit(NamedTuple):
    counter: Counter
    kind: str
    of_tokens: bool
    value: float


class Service:
    """One service, of one key.

    Args:
        scenario: What it is like.
        load: Seconds of the ideal load: things happen in the middle of it.
        seed: Of somebody else's requests.
    """

    def __init__(self, scenario: Scenario, load: float, *, seed: int = 0) -> None:
        self._scenario = scenario
        self._middle = load / 2
        self._speed = 1 / (1 + scenario.clock)
        self._limits = _limits(scenario, load)
        self._factor = 1.0
        self._foreign = _Foreign(scenario, seed) if scenario.foreign else None
        self._refusals = {"one": [0.3], "forty": [5.0] * 40}.get(scenario.trouble, [])
        self.taken_by_others: list[tuple[float, int]] = []

    def offer(self, now: float, texts: int, tokens: float) -> Refused | None:
        """Count a request and return None, or leave it uncounted and return why."""
        self._advance(now)
        if self._refusals:
            return Refused(self._refusals.pop())
        if self._is_out(now):
            return Refused(None)
        return self._count(now, texts, tokens)

    def room(self, now: float) -> float:
        """Return how many texts of the usual size fit in one request now."""
        self._advance(now)
        amounts = (one.counter.room(self._own(now)) / self._each(one) for one in self._limits)
        return min(amounts, default=math.inf)

    def until(self, now: float, texts: int) -> float:
        """Return the seconds until so many texts of the usual size fit."""
        own = self._own(now)
        waits = (one.counter.delay(texts * self._each(one), own) for one in self._limits)
        wait = max(waits, default=0.0) / self._speed
        return min(wait, self._middle - now) if now < self._middle else wait

    @property
    def tokens_limit(self) -> float:
        """The limit on tokens in a period, before any change."""
        return next(one.value for one in self._limits if one.of_tokens)

    def _own(self, now: float) -> float:
        """Return the time by the service's own clock."""
        return now * self._speed

    def _each(self, limit: _Limit) -> float:
        return self._scenario.tokens_per_text if limit.of_tokens else 1.0

    def _is_out(self, now: float) -> bool:
        is_hour = self._middle <= now < self._middle + OUTAGE
        return self._scenario.trouble == "outage" and is_hour

    def _advance(self, now: float) -> None:
        """Let happen what has happened since."""
        while self._foreign is not None and self._foreign.at <= now:
            self._change(self._foreign.at)
            at, texts = self._foreign.next(self._factor)
            self._take(at, texts, texts * self._scenario.tokens_per_text)
            self.taken_by_others.append((at, texts))
        self._change(now)

    def _change(self, now: float) -> None:
        if self._factor != self._scenario.change and now >= self._middle:
            self._factor = self._scenario.change
            for one in self._limits:
                one.counter.scale(self._factor, self._own(self._middle))

    def _count(self, now: float, texts: int, tokens: float) -> Refused | None:
        own = self._own(now)
        amounts = [(one, tokens if one.of_tokens else texts) for one in self._limits]
        full = [(one, amount) for one, amount in amounts if one.counter.room(own) < amount]
        if not full:
            self._take(now, texts, tokens)
            return None
        delay = max(
            MEANINGLESS_DELAY if "PerDay" in one.kind else one.counter.delay(amount, own)
            for one, amount in full
        )
        return Refused(delay, tuple(self._violation(one) for one, _ in full))

    def _take(self, now: float, texts: int, tokens: float) -> None:
        for one in self._limits:
            one.counter.take(tokens if one.of_tokens else texts, self._own(now))

    def _violation(self, limit: _Limit) -> Violation:
        return violation(limit.kind, limit.value * self._factor, of_tokens=limit.of_tokens)


class _Foreign:
    """Somebody else's requests: Poisson, of any size, and counted even where they do not fit.

    So they take their share, whatever others do, and what is left over is plain.
    """

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self._rng = random.Random(f"foreign {seed}")  # noqa: S311 - repeatable on purpose
        self._rate = scenario.foreign * scenario.passing / PERIOD / _FOREIGN_TEXTS
        self.at = self._rng.expovariate(self._rate)

    def next(self, factor: float) -> tuple[float, int]:
        """Return when the next one comes and how many texts it has, and draw one more.

        `factor` is what the limit has become.
        """
        drawn = self.at, self._rng.randint(1, 2 * _FOREIGN_TEXTS - 1)
        self.at += self._rng.expovariate(self._rate * factor)
        return drawn


def _limits(scenario: Scenario, load: float) -> list[_Limit]:
    if scenario.service == "none":
        return []
    limit = scenario.limit
    limits = []
    if scenario.counts != "tokens":
        counter = counter_of(scenario.service, limit)
        limits.append(_Limit(counter, "RequestsPerMinute", False, limit))
    if scenario.counts_tokens:
        tokens = limit * scenario.tokens_per_text
        tokens *= BOTH_TOKENS if scenario.counts == "both" else 1.0
        counter = counter_of(scenario.service, tokens)
        limits.append(_Limit(counter, "TokensPerMinute", True, tokens))
    if scenario.counts == "day":
        days = round(limit * load / PERIOD * _DAYS_SHARE)
        limits.append(_Limit(Fixed(days, _DAY), "RequestsPerDay", False, days))
    return limits


def counter_of(service: ServiceKind, limit: float, period: float = PERIOD) -> Counter:
    """Return what counts up to `limit` in a period."""
    match service:
        case "sliding":
            return Sliding(limit, period)
        case "fixed":
            return Fixed(limit, period, phase=period / 3)
        case "gcra-one":
            return Gcra(limit / period, 0.0)
        case "gcra-small":
            return Gcra(limit / period, period / 10)
        case kind:
            burst = {"bucket-tenth": 1 / 10, "bucket-small": 1 / 60}.get(kind, 1.0)
            return Bucket(limit / period, burst * limit)


def violation(kind: str, limit: float, *, of_tokens: bool = False) -> Violation:
    """Return how Google names a limit, for instance of the kind `"RequestsPerMinute"`."""
    metric = _METRIC + ("input_token_count" if of_tokens else "requests")
    quota_id = f"EmbedContent{kind}PerUserPerProjectPerModel-FreeTier"
    return Violation(metric, quota_id, round(limit))


def error_of(refused: Refused, scenario: Scenario) -> RequestError:
    """Return the error that the service's words for a refusal become."""
    written = _written(refused, scenario)
    return refusal(written.status, written.body)


def told_delay(refused: Refused, scenario: Scenario) -> float | None:
    """Return the delay that a refusal tells, if it tells one."""
    return error_of(refused, scenario).retry_after


def _written(refused: Refused, scenario: Scenario) -> google_errors.GoogleError:
    if refused.delay is None:
        return google_errors.overloaded()
    if not refused.violations:  # it was busy, and names no limit
        return _silent(refused.delay)
    delays = {"delay": refused.delay, "tiny": _TINY, "huge": _HUGE}
    if scenario.told in delays:
        return _silent(delays[scenario.told])
    if scenario.told == "named":
        return gemini_errors.quota_exceeded(
            refused.violations, refused.delay, "gemini-embedding-2", silent=False
        )
    if scenario.told == "per-minute":
        return google_errors.GoogleError(
            429, "RESOURCE_EXHAUSTED", "Quota exceeded: requests per minute."
        )
    return vertex_errors.resource_exhausted()


def _silent(delay: float) -> google_errors.GoogleError:
    return gemini_errors.quota_exceeded([], delay, "gemini-embedding-2", silent=True)
