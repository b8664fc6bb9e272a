"""How a row of a job looks on the Gemini API, and what comes back of it. Performs no I/O.

The order of the members is that of recorded rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gemini_embed.standin import protojson
from gemini_embed.standin.batch_rows import tokens_of
from gemini_embed.standin.vector_sources import counts_of, details_of

if TYPE_CHECKING:
    from gemini_embed.standin.batch_rows import Row
    from gemini_embed.standin.vector_sources import WantedVector

_INVALID, _INTERNAL = 3, 13  # google.rpc.Code


class GeminiRows:
    """The rows of a file, and those that come with the creation of a job."""

    echoed = ("key", "metadata")

    def vector(self, row: Row, wanted: WantedVector, values: bytes) -> dict[str, bytes]:
        """Return what comes back of a row that has a vector."""
        response = protojson.composed(response_of(wanted, values))
        return {"response": response, **row.echoed}

    def error(self, row: Row, message: str, *, is_callers: bool) -> dict[str, bytes]:
        """Return what comes back of a row that has none."""
        code = _INVALID if is_callers else _INTERNAL
        return {"error": protojson.printed({"code": code, "message": message}), **row.echoed}


def response_of(wanted: WantedVector, values: bytes) -> dict[str, bytes]:
    """Return the members of a row's `response`, which both services have alike."""
    embedding, tokens = protojson.composed({"values": values}), tokens_of(wanted)
    if wanted.model.task == "prefix":
        usage: dict[str, Any] = {"promptTokenCount": tokens}
        if wanted.media:  # no such row is recorded: as an online answer has it
            usage["promptTokenDetails"] = details_of(counts_of([wanted]))
        return {"embedding": embedding, "usageMetadata": protojson.printed(usage)}
    # A string, as in a file of results of gemini-embedding-001.
    return {"tokenCount": protojson.printed(str(tokens)), "embedding": embedding}
