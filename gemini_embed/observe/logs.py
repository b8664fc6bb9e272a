"""The logger `gemini_embed`: what takes long, so that nobody takes it for a hang."""

from __future__ import annotations

import logging
import math

from gemini_embed.observe.events import Waiting

logger = logging.getLogger("gemini_embed")

LONG = 10.0
"""Seconds of a wait that is warned about; of a shorter one the level is INFO."""

AGAIN = 60.0
"""Seconds after which a wait that goes on is told again."""


class WaitLog:
    """Tells of the waits of one call: of a long one at once, and then once a minute."""

    sees = (Waiting,)

    def __init__(self) -> None:
        self._told_at = {logging.INFO: -math.inf, logging.WARNING: -math.inf}

    def __call__(self, event: Waiting) -> None:
        """Tell of a wait, unless it was told of a short while ago."""
        level = logging.WARNING if event.seconds > LONG else logging.INFO
        if event.at - self._told_at[level] < AGAIN:
            return
        self._told_at[level] = event.at
        logger.log(
            level,
            "waiting %.0f s %s; %s of %s texts done",
            event.seconds,
            event.reason,
            f"{event.done:,}",
            f"{event.total:,}",
        )
