"""Tells whoever watches a run how far it is. Performs no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemini_embed.batch.status import done_rows
from gemini_embed.observe.events import Ended, Placed, Progress
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

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._done = 0

    def __call__(self, run: Run, jobs: Sequence[Job]) -> None:
        """Tell how far it is."""
        total, done = run.rows + run.cached, run.cached + done_rows(jobs)
        if done > self._done:
            self._watch.tell(Placed, done - self._done)
            self._watch.tell(Progress, done, total, run.cached, None, None)
            self._done = done

    def end(self) -> None:
        """Tell that nothing follows."""
        self._watch.tell(Ended)
