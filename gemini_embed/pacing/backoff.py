"""How long to wait before another attempt where the service does not say. No sleeping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast


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
