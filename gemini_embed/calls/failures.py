"""What to do about an error, and what ends a call: an error with all that is known of its texts.

Performs no I/O.
"""

from __future__ import annotations

from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from gemini_embed.durations import duration
from gemini_embed.errors import (
    AuthenticationError,
    BadResponseError,
    DailyQuotaError,
    GeminiEmbedError,
    InternalError,
    ModelNotFoundError,
    QuotaExceededError,
    RequestError,
    ServiceUnavailableError,
    described,
)
from gemini_embed.media_facts import WITH_FILES_API
from gemini_embed.service.refusals import is_too_large, model_not_served

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gemini_embed.ask import Ask
    from gemini_embed.calls.sink import Sink
    from gemini_embed.contents import Batch
    from gemini_embed.models import Model
    from gemini_embed.tasks import Role


class Verdict(Enum):
    """What an error means for the batch that met it."""

    RETRY = "it may go well another time, and `max_retries` times is enough"
    WAIT = "a quota is full and will empty; that is not the batch's fault, nor a retry"
    ASK = "one of its texts may be to blame, or their number, or none of them"
    NEXT_DAY = "the day's quota is used up; what happens then is the caller's choice"
    STOP = "it will not go well, for this batch or any other"


VERDICTS: tuple[tuple[type[GeminiEmbedError], Verdict], ...] = (
    (DailyQuotaError, Verdict.NEXT_DAY),
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
    if found in {Verdict.WAIT, Verdict.NEXT_DAY}:
        return found if _can_pass(cast("QuotaExceededError", error)) else Verdict.STOP
    if found is None and isinstance(error, RequestError) and error.reason != _OF_THE_SERVICE:
        return Verdict.ASK if error.status in _OF_WHAT_IT_HOLDS else Verdict.STOP
    return found or Verdict.STOP


def is_too_large_within(batch: Batch, ask: Ask, error: GeminiEmbedError) -> bool:
    """Tell whether an item's media may go well by way of the Files API: they were too large."""
    may_be_stored = batch.has_media and not batch.is_stored and ask.backend.name in WITH_FILES_API
    is_alone = may_be_stored and len(batch) == 1 and batch.most_of_media > 0
    return is_alone and isinstance(error, RequestError) and is_too_large(error)


def _can_pass(error: QuotaExceededError) -> bool:
    is_none_at_all = isinstance(error, DailyQuotaError) and error.resets_at is None
    return error.can_pass and not is_none_at_all


LONGEST_IDLE = 600.0
"""Seconds for which a call waits for a quota under which nothing is accepted."""


def is_hopeless(
    error: QuotaExceededError, *, attempts: int, max_retries: int, role: Role, idle: float
) -> bool:
    """Tell whether a call waits for a quota no longer.

    Args:
        error: The refusal.
        attempts: How often the batch was refused without a word of when to come back.
        max_retries: How often that may be.
        role: Somebody waits for the answer to a query.
        idle: Seconds since anything was accepted under the quota.
    """
    if error.retry_after is not None:
        return idle > LONGEST_IDLE
    must_answer = role == "query" or not max_retries
    return attempts > max_retries and (must_answer or idle > LONGEST_IDLE)


def spent_day(model: Model, known: str, resets_at: datetime) -> DailyQuotaError:
    """Return the error of a day's quota that is known to be used up; nobody was asked."""
    summary = f"the daily quota of {model.name} is used up: {known}"
    return DailyQuotaError(summary, resets_at=resets_at)


def out_of_patience(error: GeminiEmbedError, max_wait: float | None) -> GeminiEmbedError | None:
    """Return what ends a call whose service asks for a longer wait than the caller allows."""
    asked = getattr(error, "retry_after", None)
    if asked is None or max_wait is None or asked <= max_wait:
        return None
    why = f"it asks to wait {duration(asked)}, longer than max_wait, {duration(max_wait)}"
    return error.with_context(summary=f"{error.summary}; {why}")


def all_rejected(rejected: Sequence[GeminiEmbedError]) -> GeminiEmbedError | None:
    """Return one error for all texts that were rejected."""
    if not rejected:
        return None
    first = min(rejected, key=lambda error: error.indexes)
    indexes = sorted({index for error in rejected for index in error.indexes})
    return first.with_context(indexes=tuple(indexes), one_by_one=True)


def with_batch(error: GeminiEmbedError, batch: Batch, *, ask: Ask, total: int) -> GeminiEmbedError:
    """Return the error, saying which texts it is about and how often they were tried."""
    if isinstance(error, ModelNotFoundError):
        error = model_not_served(error, ask.model, ask.backend)
    return error.with_context(indexes=batch.indexes, attempts=batch.attempts + 1, total=total)


def with_outcome(error: BaseException, sink: Sink[object]) -> BaseException:
    """Return the error, if it is one of ours, with what was finished and what was not."""
    if not isinstance(error, GeminiEmbedError):
        return error
    return error.with_context(
        indexes=error.indexes or sink.missing, partial=sink.partial(), total=len(sink)
    )


def ours(error: BaseException) -> BaseException:
    """Return what ends a call: an error of ours, unless it is meant to end more than that."""
    if isinstance(error, GeminiEmbedError) or not isinstance(error, Exception):
        return error
    made = InternalError(f"this is a fault of gemini-embed: {described(error)}")
    made.__cause__ = error
    return made
