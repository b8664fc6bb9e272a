"""What a service with a limit on texts in any window was sent: by its own log."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gemini_embed.standin import Standin

_OK, _REFUSED = 200, 429


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


def sent_to(server: Standin) -> list[Sent]:
    """Return all requests of texts, in the order of their arrival."""
    log = list(server.log)
    return sorted(Sent(one.at, len(one.body["requests"]), one.status) for one in log if one.body)


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


def used(sent: Sequence[Sent], begins: float, ends: float) -> int:
    """Return how many texts were let through from one moment to another."""
    return sum(one.texts for one in sent if one.status == _OK and begins <= one.at < ends)
