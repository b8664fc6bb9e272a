"""How one call goes about its work. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gemini_embed.calls.together import Together
    from gemini_embed.counting import Count
    from gemini_embed.pacing.day import OnDailyQuota
    from gemini_embed.tasks import Role

MAX_RETRIES: dict[Role, int] = {"document": 6, "query": 2}
"""Further attempts where the caller does not say: somebody waits for the answer to a query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPolicy:
    """How one call goes about its work; nothing here shapes a vector.

    Attributes:
        role: Whether the texts are queries, which go before documents that wait, or documents.
        batch_size: Texts in one request, at most.
        max_retries: Further attempts at a request that failed in a way that may pass.
        max_wait: Seconds that the service may ask to wait; None for any.
        on_daily_quota: Whether it ends where the day's quota is used up, or waits for the next.
        deadline: Seconds that the call may take from `started_at` on; None for no limit.
        started_at: When it began, by the clock of the I/O thread.
        rate_limiter: Awaited before each request.
        show_progress: Whether a progress bar is drawn.
        count: Counts the tokens of a text where they are limited; they are estimated without.
        batch: Whether it goes through the Batch API.
        together: The calls that it belongs together with, if any.
    """

    role: Role
    batch_size: int
    max_retries: int
    max_wait: float | None = 300.0
    on_daily_quota: OnDailyQuota = "error"
    deadline: float | None = None
    started_at: float = 0.0
    rate_limiter: Callable[[], Awaitable[None]] | None = None
    show_progress: bool = False
    count: Count | None = None
    batch: bool = False
    together: Together | None = None

    def begun(self, now: float) -> CallPolicy:
        """Return what is left of it: the deadline counts from when the call was made."""
        return self if self.deadline is None else replace(self, deadline=self.seconds_left(now))

    def seconds_left(self, now: float) -> float | None:
        """Return how many seconds the call may still take; None for no limit."""
        return None if self.deadline is None else max(0.0, self.deadline - (now - self.started_at))
