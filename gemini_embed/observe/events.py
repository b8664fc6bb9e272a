"""What happens in a call, as frozen records: one for each request, wait or answer. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gemini_embed.errors import GeminiEmbedError


@dataclass(frozen=True, slots=True)
class Sent:
    """A request leaves.

    Attributes:
        texts: How many it holds.
        attempt: How often it was tried with this, from 1.
    """

    texts: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Answered:
    """A request was answered; whether with the right vectors is seen later.

    Attributes:
        texts: How many it held.
        attempt: How often it was tried with this, from 1.
        seconds: How long the answer took.
        tokens: What the service counted for all of them; None where it does not say.
    """

    texts: int
    attempt: int
    seconds: float
    tokens: int | None


@dataclass(frozen=True, slots=True)
class Failed:
    """A request came to nothing: refused, lost, unreadable, or given up by the call.

    Attributes:
        texts: How many it held.
        attempt: How often it was tried with this, from 1.
        seconds: How long that took.
        error: What it ended in; `asyncio.CancelledError` where the call did not wait for it.
    """

    texts: int
    attempt: int
    seconds: float
    error: BaseException


@dataclass(frozen=True, slots=True)
class Retry:
    """One thing that went wrong and is tried again; what `on_retry` is called with.

    Attributes:
        error: What the last attempt ended in.
        attempt: The number of that attempt for this batch, from 1; waits for a quota do not count.
        wait: Seconds until the next.
        quota: Whether it is a wait for a quota, which every request of that quota shares.
        indexes: The texts concerned, by position in the caller's list.
    """

    error: GeminiEmbedError
    attempt: int
    wait: float
    quota: bool
    indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A call that sends nothing now.

    Attributes:
        seconds: How much longer, as far as is known.
        reason: What for, in words.
        done: Texts of the call that have their vector.
        total: All texts of the call.
        at: When this was known, in seconds of the loop's clock.
        quota: Whether it is a quota's, of a minute or a day, and no wait before a retry.
    """

    seconds: float
    reason: str
    done: int
    total: int
    at: float
    quota: bool


@dataclass(frozen=True, slots=True)
class Recalled:
    """Vectors were found in the cache.

    Attributes:
        texts: How many different texts they belong to.
    """

    texts: int


@dataclass(frozen=True, slots=True)
class Placed:
    """Vectors, of an answer or from the cache, are where they belong.

    Attributes:
        texts: How many texts of the caller's list have theirs by them.
    """

    texts: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a call is; what `on_progress` is called with.

    Attributes:
        done: Texts that have their vector.
        total: All texts of the call.
        cached: How many different texts the cache had.
        rate: Texts that the service embedded, a second, from the beginning of the call until now;
            None until there is one.
        seconds_left: About how long the quota, as it is told or learned, lets the rest take; None
            where nothing is known of it.
    """

    done: int
    total: int
    cached: int
    rate: float | None
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The call is over, one way or another; nothing follows."""


Event = Sent | Answered | Failed | Retry | Waiting | Recalled | Placed | Progress | Ended
