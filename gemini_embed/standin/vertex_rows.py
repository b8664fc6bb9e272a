"""How a row of a job looks on Vertex AI, and what comes back of it. Performs no I/O.

Google documents rows and answers; that an answer has a `status`, and how that tells of an error, is
documented for other models.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gemini_embed.standin import google_errors, protojson
from gemini_embed.standin.gemini_rows import response_of

if TYPE_CHECKING:
    from gemini_embed.standin.batch_rows import Row
    from gemini_embed.standin.vector_sources import WantedVector


class VertexRows:
    """The rows of an object in Cloud Storage, for the models that embed a `content`."""

    echoed = ("key", "request")

    def vector(self, row: Row, wanted: WantedVector, values: bytes) -> dict[str, bytes]:
        """Return what comes back of a row that has a vector."""
        response = protojson.composed(response_of(wanted, values))
        return {**row.echoed, "status": b'""', "response": response}

    def error(self, row: Row, message: str, *, is_callers: bool) -> dict[str, bytes]:
        """Return what comes back of a row that has none."""
        error = google_errors.invalid(message) if is_callers else google_errors.internal()
        begins = "Bad Request" if is_callers else "Internal Server Error"
        status = f"{begins}: {json.dumps(error.body)}"
        return {**row.echoed, "status": protojson.printed(status), "response": b"{}"}
