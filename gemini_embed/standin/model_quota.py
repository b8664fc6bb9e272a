"""How many texts and tokens of one model still fit, and how Google refuses the rest.

Performs no I/O and reads no clock: `now` and `today` come in with every question. Every text
counts as one request, whatever the number of HTTP requests, and what is refused does not count.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import NamedTuple, Protocol

MEANINGLESS_DELAY = 18.412144672
"""The delay, in seconds, that Google gives a client whose quota of the day is used up."""

_NO_QUOTA = tuple(
    f"EmbedContentRequests{period}{scope}PerModel-FreeTier"
    for period in ("PerDay", "PerMinute")
    for scope in ("PerProject", "PerUserPerProject")
)
"""The limits that Google names where a model has no quota at all. The order is presumed."""

_METRIC = "generativelanguage.googleapis.com/embed_content_free_tier_"
_EPSILON = 1e-9  # a client that waits exactly the given delay must get in, despite rounding


class Violation(NamedTuple):
    """One limit that a batch breaks, under Google's names."""

    metric: str
    quota_id: str
    limit: int


class OverQuota(NamedTuple):
    """Why a batch does not fit, and the seconds after which it is worth trying again.

    Without a delay the refusal tells nothing, as on Vertex AI.
    """

    violations: list[Violation]
    delay: float | None


class TextQuota(Protocol):
    """What counts the texts of one model, and says which do not fit."""

    @property
    def counts_tokens(self) -> bool:
        """Whether `take` must know the tokens; if not, they are 0."""
        ...

    def take(self, texts: int, tokens: int, now: float, today: int = 0) -> OverQuota | None:
        """Count a batch and return None, or leave it uncounted and return why.

        Args:
            texts: In the batch.
            tokens: Estimated.
            now: Seconds of a steady clock.
            today: The number of the day.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaLimits:
    """The quota of every model; None is no limit, and 0 texts are no quota at all."""

    requests: int | None = None
    tokens: int | None = None
    window: float = 60.0
    requests_per_day: int | None = None


class SlidingWindow:
    """At most `limit` in any stretch of `seconds`."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self._seconds = seconds
        self._spent: deque[tuple[float, int]] = deque()  # (when it falls out, amount)
        self._used = 0

    def delay(self, amount: int, now: float) -> float | None:
        """Return the seconds until `amount` fits; None if it does now.

        What is larger than the limit never fits: its delay ends when the window is empty.
        """
        while self._spent and self._spent[0][0] <= now + _EPSILON:
            self._used -= self._spent.popleft()[1]
        left_over = self._used
        if left_over + amount <= self.limit:
            return None
        wait = 0.0
        for falls_out, spent in self._spent:
            wait = falls_out - now
            left_over -= spent
            if left_over + amount <= self.limit:
                break
        return wait

    def spend(self, amount: int, now: float) -> None:
        """Count `amount` from now on."""
        self._spent.append((now + self._seconds, amount))
        self._used += amount


class Daily:
    """At most `limit` on each day."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._spent: Counter[int] = Counter()

    def has_room(self, amount: int, today: int) -> bool:
        """Tell whether `amount` fits into the day of that number."""
        return self._spent[today] + amount <= self.limit

    def spend(self, amount: int, today: int) -> None:
        """Count `amount` for that day."""
        self._spent = Counter({today: self._spent[today] + amount})


class ModelQuota:
    """All limits of one model."""

    def __init__(self, limits: QuotaLimits) -> None:
        self._requests = _window(limits.requests, limits.window)
        self._tokens = _window(limits.tokens, limits.window)
        self._day = None if limits.requests_per_day is None else Daily(limits.requests_per_day)
        self._nothing = 0 in (limits.requests, limits.requests_per_day)
        self.counts_tokens = limits.tokens is not None

    def take(self, texts: int, tokens: int, now: float, today: int = 0) -> OverQuota | None:
        """Count a batch and return None, or leave it uncounted and return why."""
        if self._nothing:
            none = [Violation(f"{_METRIC}requests", quota_id, 0) for quota_id in _NO_QUOTA]
            return OverQuota(none, MEANINGLESS_DELAY)
        violations: list[Violation] = []
        wait = 0.0
        counted = (
            (self._requests, texts, "requests", "RequestsPerMinute"),
            (self._tokens, tokens, "input_token_count", "TokensPerMinute"),
        )
        for window, amount, metric, name in counted:
            delay = window.delay(amount, now) if window else None
            if window is None or delay is None:
                continue
            violations.append(_violation(metric, name, window.limit))
            wait = max(wait, delay)
        if self._day and not self._day.has_room(texts, today):
            violations.append(_violation("requests", "RequestsPerDay", self._day.limit))
            wait = max(wait, MEANINGLESS_DELAY)
        if violations:
            return OverQuota(violations, wait)
        if self._day:
            self._day.spend(texts, today)
        for window, amount, _, _ in counted:
            if window:
                window.spend(amount, now)
        return None


def _violation(metric: str, name: str, limit: int) -> Violation:
    quota_id = f"EmbedContent{name}PerUserPerProjectPerModel-FreeTier"
    return Violation(_METRIC + metric, quota_id, limit)


def _window(limit: int | None, seconds: float) -> SlidingWindow | None:
    return None if limit is None else SlidingWindow(limit, seconds)
