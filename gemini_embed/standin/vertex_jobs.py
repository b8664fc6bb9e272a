"""Jobs of Vertex AI, as `batchPredictionJobs` describes them. Performs no I/O of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from gemini_embed.standin import protojson
from gemini_embed.standin.batch_jobs import Job
from gemini_embed.standin.google_errors import GoogleError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin.batch_jobs import State
    from gemini_embed.standin.batch_rows import Results

_PAUSED = 0.4, 0.6  # of a job's time, if that is its fault

# google.rpc.Code and a message; presumed.
_ERRORS: dict[State, tuple[int, str]] = {
    "CANCELLED": (1, "The batch prediction job was cancelled."),
    "EXPIRED": (4, "The batch prediction job expired before it was finished."),
    "FAILED": (13, "INTERNAL"),
}
_NO_INPUT = 3


@dataclass(kw_only=True)
class VertexJob(Job):
    """One job of Vertex AI: it reads its rows when it begins, and writes results when it ends.

    Attributes:
        input_uri: Where its rows lie.
        output_prefix: Where its results are to lie.
        read: Reads the rows, or refuses to.
        begun: Whether that is done.
        write: Writes the results of a job, and returns the address of their folder.
        written: Whether that is done.
        folder: The address of the folder; empty as long as there is none.
    """

    expires: ClassVar[float] = 72 * 3600.0

    input_uri: str
    output_prefix: str
    read: Callable[[], Results]
    write: Callable[[VertexJob], str]
    begun: bool = False
    written: bool = False
    folder: str = ""

    @property
    def due(self) -> float | None:
        """When it begins, and then when it ends."""
        if self.written or self.trouble:
            return None
        if self.begun:
            return self.ends
        return None if self.ends < self.begins else self.begins

    def go_on(self) -> None:
        """Read its rows, or write its results."""
        if not self.begun:
            self.begun = True
            try:
                self.results = self.read()
            except GoogleError as error:
                self.trouble = str(error)
        else:
            self.written = True
            if self.worked(self.ends):
                self.folder = self.write(self)

    def state(self, now: float) -> State:
        """Return how far it is."""
        state = super().state(now)
        return "PARTIALLY_SUCCEEDED" if state == "SUCCEEDED" and "partly" in self.faults else state

    def worked(self, now: float) -> int:
        """Return of how many rows there is something: of one that was cancelled, what was done."""
        if self.state(now) == "CANCELLED":
            return int(self.rows * self.share(self.ends))
        return super().worked(now)

    def described(self, state: State, now: float) -> dict[str, Any]:
        """Return it as the service describes it."""
        ended = state not in ("PENDING", "RUNNING", "PAUSED")
        began = state != "PENDING" and now >= self.begins
        source = {"instancesFormat": "jsonl", "gcsSource": {"uris": [self.input_uri]}}
        place = {"outputUriPrefix": self.output_prefix}
        told = {
            "name": self.name,
            "displayName": self.display_name,
            "model": self.model,
            "inputConfig": source,
            "outputConfig": {"predictionsFormat": "jsonl", "gcsDestination": place},
            "outputInfo": {"gcsOutputDirectory": self.folder} if self.folder else None,
            "state": f"JOB_STATE_{state}",
            "error": self._error(state),
            "completionStats": self._counts(state, now) if began else None,
            "createTime": protojson.timestamp(self.created),
            "startTime": protojson.timestamp(self.begins) if began else None,
            "endTime": protojson.timestamp(self.ends) if ended else None,
            "updateTime": protojson.timestamp(min(now, self.ends)),
            "modelVersionId": "1",
        }
        return {name: value for name, value in told.items() if value is not None}

    def _under_way(self, now: float) -> State:
        begun, over = (self.created + share * self._taken for share in _PAUSED)
        paused = "paused" in self.faults and begun <= now < over
        return "PAUSED" if paused else super()._under_way(now)

    def _error(self, state: State) -> dict[str, Any] | None:
        if self.trouble:
            return {"code": _NO_INPUT, "message": f"Failed to import data. {self.trouble}"}
        if state not in _ERRORS:
            return None
        code, message = _ERRORS[state]
        return {"code": code, "message": message}

    def _counts(self, state: State, now: float) -> dict[str, str] | None:
        """Return counts as strings, without zeros; None where no row was read."""
        if not self.rows:
            return None
        under_way = state in ("RUNNING", "PAUSED")
        done = int(self.rows * self.share(now)) if under_way else self.worked(now)
        good = self.results.good(done)
        counts = {
            "successfulCount": good,
            "failedCount": done - good,
            "incompleteCount": self.rows - done,
        }
        return {name: str(count) for name, count in counts.items() if count}
