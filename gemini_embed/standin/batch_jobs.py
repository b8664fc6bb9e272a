"""Jobs of both services' batch APIs, and how they go on by a clock.

Performs no I/O but on the rows' files.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from gemini_embed.standin.batch_faults import JobFault
    from gemini_embed.standin.batch_rows import Results
    from gemini_embed.standin.vector_sources import WantedVector

State = Literal[
    "PENDING",
    "RUNNING",
    "PAUSED",
    "SUCCEEDED",
    "PARTIALLY_SUCCEEDED",
    "FAILED",
    "CANCELLED",
    "EXPIRED",
]

_PENDING = 0.1  # of a job's time, before it runs
_SLOW = 10


@dataclass(kw_only=True)
class Job:
    """One job.

    Attributes:
        name: The service's name for it.
        display_name: The caller's name for it.
        model: The full name of the model, as the service calls it.
        created: Seconds since the epoch, by the stand-in's clock.
        seconds: That it takes.
        listed: When the list begins to name it.
        faults: That it meets.
        results: Its rows, and what comes back of them; without rows as long as none were read.
        trouble: Why it cannot be worked, once it runs; empty where it can.
        cancelled: When it was cancelled; None if it was not.
        deleted: Whether it was deleted, which ends nothing.
    """

    expires: ClassVar[float]
    """Seconds after which a job that has not ended expires."""

    name: str
    display_name: str
    model: str
    created: float
    seconds: float
    listed: float
    faults: frozenset[JobFault]
    results: Results
    trouble: str = ""
    cancelled: float | None = None
    deleted: bool = False

    @property
    def rows(self) -> int:
        """How many rows it has, as far as is known."""
        return len(self.results.rows)

    @property
    def begins(self) -> float:
        """When it runs, unless it is cancelled before."""
        return self.created + _PENDING * self._taken

    @property
    def ends(self) -> float:
        """When it has ended, whichever way."""
        over = self.begins if self.trouble else self.created + self._taken
        return over if self.cancelled is None else min(over, self.cancelled)

    @property
    def due(self) -> float | None:
        """When it does something by itself; None where it does nothing any more."""
        return None

    def go_on(self) -> None:
        """Do what is due."""

    def state(self, now: float) -> State:
        """Return how far it is."""
        if now < self.ends:
            return self._under_way(now)
        if self.cancelled is not None and self.cancelled <= self.ends:
            return "CANCELLED"
        if self.trouble or "failed" in self.faults:
            return "FAILED"
        if "expired" in self.faults or self._taken >= self.expires:
            return "EXPIRED"
        return "SUCCEEDED"

    def worked(self, now: float) -> int:
        """Return of how many rows there is something, in the order of the rows."""
        return self.rows if self.state(now) in ("SUCCEEDED", "PARTIALLY_SUCCEEDED") else 0

    def share(self, when: float) -> float:
        """Return which part of its time is over, from 0 to 1."""
        return min(1.0, (when - self.created) / self._taken) if self._taken else 1.0

    def paid(self, now: float) -> Counter[str]:
        """Return what was sent in every row that was paid for, and how often."""
        return Counter(map(_sent, self.results.embedded(self.worked(now))))

    @property
    def _taken(self) -> float:
        return min(self.seconds * (_SLOW if "slow" in self.faults else 1), self.expires)

    def _under_way(self, now: float) -> State:
        return "PENDING" if now < self.begins else "RUNNING"


def _sent(wanted: WantedVector) -> str:
    return wanted.text
