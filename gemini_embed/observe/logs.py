"""The logger `gemini_embed`: what takes long, so that nobody takes it for a hang; each request.

No text and no key is written, nor what the service says, since that may quote them.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

from gemini_embed.durations import duration
from gemini_embed.observe.events import Answered, Failed, Waiting

if TYPE_CHECKING:
    from gemini_embed.observe.watch import Observer

logger = logging.getLogger("gemini_embed")

LONG = 10.0
"""Seconds of a wait that is warned about; of a shorter one the level is INFO."""

AGAIN = 60.0
"""Seconds after which a wait that goes on is logged again."""

OF_RUNS = 3600.0
"""Seconds after which one is warned again of a run of the Batch API, which takes hours anyway."""


class WaitLog:
    """Logs the waits of one call: a long one at once, and then once a minute.

    Args:
        again: Seconds after which a long wait is a warning again; in between its level is INFO.
    """

    sees = (Waiting,)

    def __init__(self, again: float = AGAIN) -> None:
        self._again = again
        self._logged_at = {logging.INFO: -math.inf, logging.WARNING: -math.inf}

    def __call__(self, event: Waiting) -> None:
        """Log a wait, unless one was logged a short while ago."""
        level = logging.WARNING if event.seconds > LONG else logging.INFO
        if level == logging.WARNING and AGAIN <= event.at - self._logged_at[level] < self._again:
            level = logging.INFO
        if event.at - self._logged_at[level] < AGAIN:
            return
        self._logged_at[level] = event.at
        logger.log(
            level,
            "waiting %s %s; %s of %s texts done",
            duration(event.seconds),
            event.reason,
            f"{event.done:,}",
            f"{event.total:,}",
        )


class RequestLog:
    """Tells of each request when it is over: how it ended, and how long that took."""

    sees = (Answered, Failed)

    def __call__(self, event: Answered | Failed) -> None:
        """Tell how a request ended."""
        match event:
            case Answered(tokens=tokens):
                outcome = "answered, " + (
                    "no tokens told" if tokens is None else f"{tokens:,} tokens"
                )
            case Failed(error=error):
                outcome = kind_of(error)
        texts, attempt, seconds = event.texts, event.attempt, event.seconds
        logger.debug("%s texts, attempt %s, %.2f s: %s", texts, attempt, seconds, outcome)


def kind_of(error: BaseException) -> str:
    """Return the class of an error and its HTTP status: what it says may quote a text."""
    status = getattr(error, "status", None)
    return type(error).__name__ + ("" if status is None else f" {status}")


def logs(again: float = AGAIN) -> list[Observer]:
    """Return what logs a call: lines of DEBUG only where somebody takes them.

    Args:
        again: See `WaitLog`.
    """
    waits = WaitLog(again)
    return [waits, RequestLog()] if logger.isEnabledFor(logging.DEBUG) else [waits]
