"""What `Standin.log` holds of each request. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request, and how it was answered.

    Attributes:
        at: When it arrived, in seconds of `time.monotonic`.
        path: Of the URL, without the query (a key may be in that).
        headers: The request's, names in lower case.
        body: The parsed JSON, or None.
        status: Of the answer; 0 as long as there is none, and for ever after a reset.
    """

    at: float
    path: str
    headers: dict[str, str]
    body: Any
    status: int
