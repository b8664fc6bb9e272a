"""What to do about an error, and when to try again. Performs no I/O and no sleeping."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from gemini_embed.errors import (
    AuthenticationError,
    BadResponseError,
    DailyQuotaError,
    GeminiEmbedError,
    QuotaExceededError,
    RequestError,
    ServiceUnavailableError,
)

if TYPE_CHECKING:
    from gemini_embed.tasks import Role

MAX_RETRIES: dict[Role, int] = {"document": 6, "query": 2}
"""Further attempts where the caller does not say: somebody waits for the answer to a query."""


class Verdict(Enum):
    """What an error means for the batch that met it."""

    RETRY = "it may go well another time, and `max_retries` times is enough"
    WAIT = "a quota is full and will empty; that is not the batch's fault, nor a retry"
    ASK = "one of its texts may be to blame, or their number, or none of them"
    STOP = "it will not go well, for this batch or any other"


VERDICTS: tuple[tuple[type[GeminiEmbedError], Verdict], ...] = (
    (DailyQuotaError, Verdict.STOP),
    (QuotaExceededError, Verdict.WAIT),
    (ServiceUnavailableError, Verdict.RETRY),
    (BadResponseError, Verdict.RETRY),
    (AuthenticationError, Verdict.STOP),
)
"""The first class that fits decides; what fits none stops."""

_OF_WHAT_IT_HOLDS = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE})
"""Refusals that another request, with other texts or fewer, may not meet."""

_OF_THE_SERVICE = "FAILED_PRECONDITION"
"""The one reason of a 400 that says that no request would pass: billing, a place, a model."""


def verdict(error: GeminiEmbedError) -> Verdict:
    """Return what to do about an error."""
    found = next((v for error_class, v in VERDICTS if isinstance(error, error_class)), None)
    if found is Verdict.WAIT:
        return Verdict.WAIT if cast("QuotaExceededError", error).can_pass else Verdict.STOP
    if found is None and isinstance(error, RequestError) and error.reason != _OF_THE_SERVICE:
        return Verdict.ASK if error.status in _OF_WHAT_IT_HOLDS else Verdict.STOP
    return found or Verdict.STOP


LONGEST_IDLE = 600.0
"""Seconds for which a call waits for a quota though nothing of it is accepted."""


def is_hopeless(
    error: QuotaExceededError, *, attempts: int, max_retries: int, role: Role, idle: float
) -> bool:
    """Tell whether a call waits for a quota no longer.

    Args:
        error: The refusal.
        attempts: How often the batch was refused without a word of when to come back.
        max_retries: How often that may be.
        role: Somebody waits for the answer to a query.
        idle: Seconds since something of the call was accepted.
    """
    if error.retry_after is not None:
        return idle > LONGEST_IDLE
    must_answer = role == "query" or not max_retries
    return attempts > max_retries and (must_answer or idle > LONGEST_IDLE)


def is_too_long(told: float | None, max_wait: float | None) -> bool:
    """Tell whether the service asks for a longer wait than the caller allows."""
    return told is not None and max_wait is not None and told > max_wait


@dataclass(frozen=True, slots=True)
class Backoff:
    """Random waits from 0 to a bound that grows (full jitter).

    Attributes:
        min_seconds: The first bound.
        max_seconds: The largest.
        exponential_base: What it is multiplied by each time.
    """

    min_seconds: float = 1.0
    max_seconds: float = 60.0
    exponential_base: float = 2.0

    def wait(self, attempt: int) -> float:
        """Return the seconds to wait after attempt number `attempt`, counted from 1."""
        # Imported late: it takes a while, and most calls need no retry.
        from tenacity import RetryCallState, wait_random_exponential  # noqa: PLC0415 - see above

        state = RetryCallState(cast("Any", None), None, (), {})  # only the number is read
        state.attempt_number = attempt
        return wait_random_exponential(
            multiplier=self.min_seconds, max=self.max_seconds, exp_base=self.exponential_base
        )(state)
