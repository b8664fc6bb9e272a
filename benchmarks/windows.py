"""What a service with a limit on texts in any window was sent, by its own log."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gemini_embed.standin import Standin

_OK, _REFUSED = 200, 429

SETTLING = 2
"""Periods at the beginning that are left out of what was used, and of the waits."""


class Limit(NamedTuple):
    """So many texts in any stretch of so many seconds."""

    texts: int = 100
    period: float = 10.0


class Sent(NamedTuple):
    """One request.

    Attributes:
        at: When it arrived, in seconds of the service's clock.
        texts: In it.
        status: Of the answer.
    """

    at: float
    texts: int
    status: int


@dataclass(frozen=True)
class Use:
    """What came of a limit.

    Attributes:
        used: The share of it that was let through, when the first periods were over.
        refused: When requests were refused, in seconds from the first one on.
        most: The most texts in any window, refused ones too.
        queries: How many of them were answered.
        p50: How long half of them took, in seconds; None without any.
        p99: Likewise, for all but one of a hundred.
        longest: Likewise, for all.
    """

    used: float
    refused: Sequence[float]
    most: int
    queries: int = 0
    p50: float | None = None
    p99: float | None = None
    longest: float | None = None


def sent_to(server: Standin) -> list[Sent]:
    """Return all requests for vectors, in the order of their arrival."""
    log = list(server.log)
    return sorted(Sent(one.at, len(one.body["requests"]), one.status) for one in log if one.body)


def use_of(
    sent: Sequence[Sent], limit: Limit, until: float, waits: Iterable[tuple[float, float]] = ()
) -> Use:
    """Return what came of a limit.

    Args:
        sent: All requests.
        limit: It.
        until: The moment at which they were no longer wanted.
        waits: When each query was asked, and how long it took.
    """
    first = sent[0].at
    begins = first + SETTLING * limit.period
    passed = sum(one.texts for one in sent if one.status == _OK and begins <= one.at < until)
    took = sorted(seconds for began, seconds in waits if began >= begins)
    return Use(
        round(passed / limit.texts / ((until - begins) / limit.period), 4),
        [round(at - first, 2) for at in refused(sent)],
        most_in_a_window(sent, limit.period),
        len(took),
        *(_quantile(took, share) for share in (0.5, 0.99, 1.0)),
    )


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return round(ordered[math.ceil(share * len(ordered)) - 1], 2) if ordered else None


def refused(sent: Iterable[Sent]) -> list[float]:
    """Return when requests arrived that were refused for a quota."""
    return [one.at for one in sent if one.status == _REFUSED]


def most_in_a_window(sent: Iterable[Sent], period: float) -> int:
    """Return the most texts of any stretch of `period` seconds, refused ones too."""
    window: deque[Sent] = deque()
    most = 0
    for one in sent:
        window.append(one)
        while window[0].at <= one.at - period:
            window.popleft()
        most = max(most, sum(each.texts for each in window))
    return most
