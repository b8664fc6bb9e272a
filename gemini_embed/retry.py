"""Whether to try again after an error, and when. Performs no I/O and no sleeping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from tenacity import RetryCallState, wait_random_exponential

from gemini_embed.errors import (
    BadResponseError,
    DailyQuotaError,
    QuotaExceededError,
    ServiceUnavailableError,
)

if TYPE_CHECKING:
    from gemini_embed.errors import GeminiEmbedError

RETRIED = (QuotaExceededError, ServiceUnavailableError, BadResponseError)
"""What may go well another time."""

FINAL = (DailyQuotaError,)
"""What will not, though it is a kind of the above: its delay is meaningless."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often one request is tried, and how long to wait in between.

    Attributes:
        max_retries: Further attempts after the first.
        min_seconds: Upper bound of the first wait where the service names none; waits are
            random from 0 to a bound that grows (full jitter).
        max_seconds: The largest such bound.
        exponential_base: What the bound is multiplied by each time.
    """

    max_retries: int = 6
    min_seconds: float = 1.0
    max_seconds: float = 60.0
    exponential_base: float = 2.0

    def wait(self, error: GeminiEmbedError, *, attempt: int) -> float | None:
        """Return the seconds to wait before the next attempt, or None to give up.

        Args:
            error: What attempt number `attempt`, counted from 1, ended in.
            attempt: See above.
        """
        if not isinstance(error, RETRIED) or isinstance(error, FINAL):
            return None
        if attempt > self.max_retries:
            return None
        told = getattr(error, "retry_after", None)
        return self.backoff(attempt) if told is None else float(told)

    def backoff(self, attempt: int) -> float:
        """Return a random wait after attempt number `attempt`, counted from 1."""
        state = RetryCallState(cast("Any", None), None, (), {})  # tenacity reads only the number
        state.attempt_number = attempt
        return wait_random_exponential(
            multiplier=self.min_seconds, max=self.max_seconds, exp_base=self.exponential_base
        )(state)
