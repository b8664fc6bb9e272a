"""Options that say how requests are sent, and sent again. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_args

from gemini_embed.options import checks
from gemini_embed.options.checks import checked, optional, whole
from gemini_embed.pacing.day import OnDailyQuota

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.observe.events import Progress, Retry


@dataclass(kw_only=True, eq=False, repr=False)
class SendingOptions:
    """How requests are sent, and sent again, and who is told."""

    batch_size: int | None = field(default=None, metadata=checked(optional(whole(1))))
    """Texts per request, at most (and by default) 100, the service's limit."""

    max_concurrency: int = field(default=8, metadata=checked(whole(1)))
    """Requests under way at once, over all callers of this embedder."""

    media_in_flight: int = field(default=32 * 2**20, metadata=checked(whole(1)))
    """Bytes of media on their way at once, as they are in their files, over all requests of this
    embedder: so much memory they take. What is larger goes alone."""

    timeout: float | None = field(default=60.0, metadata=checked(optional(checks.seconds)))
    """Seconds one attempt may take as a whole; None for no limit."""

    deadline: float | None = field(default=None, metadata=checked(optional(checks.seconds)))
    """Seconds a whole call may take, waits for a quota included; None for no limit."""

    max_retries: int | None = field(default=None, metadata=checked(optional(whole(0))))
    """Further attempts at a request after the first failed in a way that may pass: 5xx, broken
    connections, timeouts, unreadable or incomplete answers. Default: 6, and 2 for queries. Waiting
    for a quota is not a retry."""

    max_wait: float | None = field(default=300.0, metadata=checked(optional(checks.seconds)))
    """Seconds the service may ask to wait: more is an error that says how long. None for any."""

    on_daily_quota: OnDailyQuota = field(
        default="error", metadata=checked(checks.one_of(*get_args(OnDailyQuota)))
    )
    """What a call does when the day's quota is used up: `"error"`, with what was finished, or
    `"wait"` for midnight Pacific time, when it resets, whatever `max_wait` says."""

    retry_min_seconds: float = field(default=1.0, metadata=checked(checks.number(0)))
    """Bound of the first random wait, where the service names none."""

    retry_max_seconds: float = field(default=60.0, metadata=checked(checks.number(0)))
    """The largest such bound."""

    retry_exponential_base: float = field(default=2.0, metadata=checked(checks.number(1)))
    """What the bound is multiplied by each time."""

    on_retry: Callable[[Retry], None] | None = field(
        default=None, metadata=checked(optional(checks.a_callable))
    )
    """Called with a `Retry` for everything that is tried again, on the I/O thread; it must be
    quick, and what it raises ends the call."""

    on_progress: Callable[[Progress], None] | None = field(
        default=None, metadata=checked(optional(checks.a_callable))
    )
    """Called with a `Progress` whenever vectors of documents have come, on the I/O thread; it must
    be quick, and what it raises ends the call."""
