"""What `Standin.log` holds of each request. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request, and how it was answered.

    Attributes:
        at: When it arrived, in seconds of `time.monotonic`.
        path: Of the URL, without the query (a key may be in that).
        headers: The request's, names in lower case.
        body: The parsed JSON, or None; always None for a piece of a file.
        status: Of the answer; 0 as long as there is none, and for ever after a reset.
        method: Of HTTP.
    """

    at: float
    path: str
    headers: dict[str, str]
    body: Any
    status: int
    method: str = "POST"


class RequestLog:
    """Every request, in the order of arrival; empty if none is `kept`."""

    def __init__(self, *, kept: bool) -> None:
        self.exchanges: list[Exchange] = []
        self._kept = kept

    def add(self, exchange: Exchange) -> None:
        """Note a request that has arrived."""
        if self._kept:
            self.exchanges.append(exchange)

    def set_status(self, exchange: Exchange, status: int) -> None:
        """Note how a request was answered."""
        # From the end, where it is; not at all if a test has cleared the log meanwhile.
        for index in range(len(self.exchanges) - 1, -1, -1):
            if self.exchanges[index] is exchange:
                self.exchanges[index] = replace(exchange, status=status)
                break
