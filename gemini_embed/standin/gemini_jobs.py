"""Jobs of the Gemini API, as its Batch API describes them. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from gemini_embed.standin import protojson
from gemini_embed.standin.batch_jobs import Job

if TYPE_CHECKING:
    from gemini_embed.standin.batch_jobs import State

MAX_JOBS = 100
"""That have not ended."""

_TYPE = "type.googleapis.com/google.ai.generativelanguage.v1main.EmbedContentBatch"

# google.rpc.Code and a message. CANCELLED is documented; the others are presumed.
_ERRORS: dict[State, tuple[int, str]] = {
    "CANCELLED": (1, "The operation was cancelled."),
    "EXPIRED": (4, "The batch expired before it was finished."),
    "FAILED": (13, "The batch could not be processed."),
}


@dataclass(kw_only=True)
class GeminiJob(Job):
    """One job of the Gemini API, whose rows were read when it was created.

    Attributes:
        file_name: Of its input; None of one whose rows came with its creation.
        results_kept: Whether its file of results was made.
    """

    expires: ClassVar[float] = 48 * 3600.0

    file_name: str | None
    results_kept: bool = False

    @property
    def results_name(self) -> str:
        """The name of its file of results."""
        return f"files/batch-{self.name.removeprefix('batches/')}"

    def described(self, state: State, now: float, output: dict[str, bytes] | None) -> bytes:
        """Return the operation that the service answers for it; `output` is what there is of it.

        Where a job is asked for, its counts are right; zeros are left out.
        """
        counts = self._counts(state, now)
        stats = {name: str(count) for name, count in counts.items() if count}
        members = self._head(state, now, stats, output)
        if state == "SUCCEEDED":
            kind = {
                "@type": protojson.printed(_TYPE if self.file_name is None else _TYPE + "Output")
            }
            members["response"] = protojson.composed(kind | (output or {}))
        elif state in _ERRORS:
            code, message = _ERRORS[state]
            members["error"] = protojson.printed({"code": code, "message": message})
        return protojson.composed(members)

    def listed_as(self, now: float) -> bytes:
        """Return its entry of the list: without results, its counts those of its first moment."""
        count = str(self.rows)
        stats = {"requestCount": count, "pendingRequestCount": count}
        return protojson.composed(self._head(self.state(now), now, stats, None))

    def _head(
        self, state: State, now: float, stats: dict[str, str], output: dict[str, bytes] | None
    ) -> dict[str, bytes]:
        ended = now >= self.ends
        told: dict[str, Any] = {
            "@type": _TYPE,
            "model": self.model,
            "displayName": self.display_name,
            "output": None,
            "createTime": _time(self.created),
            "endTime": _time(self.ends) if ended else None,
            "updateTime": None if ended else _time(now),
            "batchStats": stats,
            "state": f"BATCH_STATE_{state}",
            "name": self.name,
        }
        metadata = {key: protojson.printed(value) for key, value in told.items() if value}
        if output:
            metadata["output"] = protojson.composed(output)
        members = {
            "name": protojson.printed(self.name),
            "metadata": protojson.composed(metadata),
        }
        return members | ({"done": b"true"} if ended else {})

    def _counts(self, state: State, now: float) -> dict[str, int]:
        if state == "SUCCEEDED":
            good = self.results.good(self.rows)
            return {
                "requestCount": self.rows,
                "successfulRequestCount": good,
                "failedRequestCount": self.rows - good,
            }
        done = int(self.rows * self.share(now)) if state == "RUNNING" else 0
        return {
            "requestCount": self.rows,
            "pendingRequestCount": self.rows - done,
            "successfulRequestCount": done,
        }


def _time(seconds: float) -> str:
    return f"{protojson.timestamp(seconds)[:-1]}000Z"  # nanoseconds
