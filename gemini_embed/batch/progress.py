"""Tells whoever watches a run how far it is. Performs no I/O."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gemini_embed.batch.status import done_rows
from gemini_embed.observe.events import Ended, Placed, Progress, Waiting
from gemini_embed.observe.progress import ProgressBar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gemini_embed.batch.jobs import Job, Run
    from gemini_embed.observe.watch import Watch


class Bar(ProgressBar):
    """A progress bar that waits most of the time, and does not say so."""

    sees = (Placed, Ended)


class Told:
    """What was told of a run: each step is told once."""

    def __init__(self, watch: Watch, run: Run) -> None:
        self._watch = watch
        self._run = run.id
        self._total = run.rows + run.cached
        self._done = 0

    def __call__(self, run: Run, jobs: Sequence[Job]) -> None:
        """Tell how far it is."""
        done = run.cached + done_rows(jobs)
        if done > self._done:
            self._watch.tell(Placed, done - self._done)
            self._watch.tell(Progress, done, self._total, run.cached, None, None)
            self._done = done

    def waits(self, seconds: float) -> None:
        """Tell that nothing is due for so long."""
        now = asyncio.get_running_loop().time()
        reason = f"until batch run {self._run} is looked at again"
        self._watch.tell(Waiting, seconds, reason, self._done, self._total, now, quota=False)

    def end(self) -> None:
        """Tell that nothing follows."""
        self._watch.tell(Ended)
