"""`Quota`: what a user says of a limit, for all embedders that draw on it."""

from __future__ import annotations

import math
import os
import time
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from gemini_embed.errors import ConfigurationError
from gemini_embed.pacing.limiter import Limiter, Limits


class QuotaLeft(NamedTuple):
    """What a quota has room for at one moment, as far as this process knows.

    Attributes:
        texts: In this period; infinite where no limit is known.
        tokens: Likewise.
        texts_today: Until midnight Pacific time; likewise.
        wait: Seconds for which nothing is sent, since the service asked for that; 0 for none.
    """

    texts: float
    tokens: float
    texts_today: float
    wait: float


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

    Raises:
        ConfigurationError: A limit or a period that is not positive, or a path that names nothing.
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
        self.path = None if path is None else _absolute(path)
        self._name = os.urandom(16).hex()
        self._limiter = Limiter(Limits(requests, tokens, period, query_reserve, requests_per_day))
        _in_use[self._name] = self

    def left(self) -> QuotaLeft:
        """Return what there is room for now; of other processes, as far as it was last seen.

        What was learned where no limit is known is a pace, and limits no period. May be called on
        any thread.
        """
        now, limiter = time.monotonic(), self._limiter
        texts, tokens = limiter.window.left(now)
        today = limiter.daily.left(limiter.daily.clock())
        return QuotaLeft(texts, tokens, today, max(0.0, limiter.blocked_until - now))

    def __repr__(self) -> str:
        daily = f", requests_per_day={self.requests_per_day}" if self.requests_per_day else ""
        path = f", path={self.path!r}" if self.path else ""
        limits = f"requests={self.requests}, tokens={self.tokens}, period={self.period}"
        return f"Quota({limits}{daily}{path})"

    def __reduce__(self) -> tuple[Any, ...]:
        return quota_named, (self._name, *self._limiter.limits, self.path)

    def __deepcopy__(self, memo: object) -> Quota:
        return self  # a copied embedder draws on the same quota


def _absolute(path: object) -> str:
    written = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(written, str) or not written:  # an empty one would be the current folder
        raise ConfigurationError(f"path must name a file, not {path!r}")
    return os.path.abspath(written)  # noqa: PTH100 - a string


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


def limiter_of(quota: Quota) -> Limiter:
    """Return what says how much of a quota may be sent, and when."""
    return quota._limiter  # noqa: SLF001 - our own class
