"""What the service says of batch jobs, and the rows of their results, read. Performs no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from gemini_embed.errors import BadResponseError
from gemini_embed.service.json_vectors import (
    by_modality,
    field_of,
    is_count,
    numbers_of,
    read_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gemini_embed.service.json_vectors import Row

JobState = Literal["running", "succeeded", "failed", "expired", "cancelled"]

_ENDED: dict[str, JobState] = {
    "SUCCEEDED": "succeeded",
    "PARTIALLY_SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "EXPIRED": "expired",
    "CANCELLED": "cancelled",
}
_GOES_ON = {"", "UNSPECIFIED", "QUEUED", "PENDING", "RUNNING", "CANCELLING", "UPDATING"}
"""States, by the end of their name, which begins with `BATCH_STATE_` or `JOB_STATE_`."""

_CANCELLED = 1
_NAME = re.compile(r"[a-z]+/[A-Za-z0-9._-]+")
LONGEST_SHOWN = 300
_MOST_DIGITS = 15
_MOST_TOKENS = 2**16
"""Of one row, that are believed: some times what any model reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerJob:
    """A job as the service shows it.

    Attributes:
        name: The service's; empty where it cannot be read: of a list, that is left to who looks.
        display_name: Ours, where it is ours.
        state: Where it is; what nobody knows counts as running, since it has not ended.
        odd: The service's word for its state, where that is none of those in which a job goes on
            or has ended: it is paused, or the word is new.
        rows: How many it has, as it says itself.
        succeeded: How many of them have a vector. A list of jobs may be behind.
        failed: How many have none.
        code: Why it failed, as a number of google.rpc; 0 where it says none.
        error: The same in words.
        results: The file of its results.
        inline: Its results, where they come with it.
        input: Its input, where the service shows it, and it is a name of ours: on Vertex AI.
    """

    name: str
    display_name: str = ""
    state: JobState = "running"
    odd: str = ""
    rows: int = 0
    succeeded: int = 0
    failed: int = 0
    code: int = 0
    error: str = ""
    results: str = ""
    inline: Sequence[Any] = ()
    input: str = ""

    @property
    def has_results(self) -> bool:
        """Whether it has ended with results: also early, where what it had done is kept."""
        ended_early = self.state not in {"running", "succeeded"}
        return self.state == "succeeded" or bool(ended_early and self.results and self.succeeded)


class RowAnswer(NamedTuple):
    """A row of results.

    Attributes:
        key: The one that its row was sent with; None where it has none.
        values: Its numbers, not yet checked; None where it has no vector.
        tokens: How many the service counted; None where it does not say.
        error: Why it has no vector, in words; empty where it has one.
        by_modality: The tokens by kind of input, where it says so.
    """

    key: str | None
    values: Row | Sequence[float]
    tokens: int | None = None
    error: str = ""
    by_modality: Mapping[str, int] = MappingProxyType({})


def job_of(operation: Any) -> ServerJob:
    """Return a job that is shown by itself.

    Raises:
        BadResponseError: It has no name that is one.
    """
    job = _read(operation)
    if not job.name:
        raise BadResponseError("the service named a batch job in a way that cannot be read")
    return job


def _read(operation: Any) -> ServerJob:
    """Return a job as far as it can be read: others than ours may be of any shape."""
    name = text_in(field_of(operation, "name"))
    metadata, error = field_of(operation, "metadata"), field_of(operation, "error")
    stats = field_of(metadata, "batchStats")
    held = [field_of(metadata, "output"), field_of(operation, "response")]
    inline = next((rows for one in held if (rows := _inline(one)) is not None), [])
    results = next((file for one in held if (file := text_in(field_of(one, "responsesFile")))), "")
    code = field_of(error, "code")
    ended, odd = state_of(text_in(field_of(metadata, "state")))
    state = _state(ended, operation, error)
    return ServerJob(
        name=name if _NAME.fullmatch(name) else "",
        display_name=text_in(field_of(metadata, "displayName")),
        state=state,
        odd=odd if state == "running" else "",
        rows=number_in(field_of(stats, "requestCount")) or 0,
        succeeded=number_in(field_of(stats, "successfulRequestCount")) or 0,
        failed=number_in(field_of(stats, "failedRequestCount")) or 0,
        code=code if is_count(code) else 0,
        error=text_in(field_of(error, "message"))[:LONGEST_SHOWN],
        results=results if _NAME.fullmatch(results) else "",
        inline=inline,
    )


def jobs_of(page: Any) -> list[ServerJob]:
    """Return the jobs of a page of the list.

    Raises:
        BadResponseError: It cannot be read.
    """
    return list(map(_read, listed_in(page, "operations")))


def listed_in(page: Any, name: str) -> list[Any]:
    """Return what a page of a list holds under a name; nothing where that is left out.

    Raises:
        BadResponseError: It is no list.
    """
    listed = field_of(page, name)
    if listed is None:
        return []
    if not isinstance(listed, list):
        raise BadResponseError("the service's list of batch jobs is none")
    return listed


def row_of(
    line: bytes, pause: Callable[[], None] = lambda: None, *, fast: bool = True
) -> RowAnswer:
    """Return a line of a file of results; one that cannot be read has no key."""
    try:
        with np.errstate(over="ignore"):  # what is too large becomes infinite, refused later
            return row_in(read_json(line, pause, fast=fast))
    except (RecursionError, TypeError, ValueError) as error:
        return RowAnswer(None, None, error=f"it could not be read: {type(error).__name__}")


def row_in(row: Any) -> RowAnswer:
    """Return a row of results."""
    key = field_of(row, "key") or field_of(field_of(row, "metadata"), "key")
    if not isinstance(key, str):
        return RowAnswer(None, None, error="it has no key")
    response, error = field_of(row, "response"), field_of(row, "error")
    if error or not response:
        return RowAnswer(key, None, error=_said(error, field_of(row, "status")))
    usage = field_of(response, "usageMetadata")
    counted = field_of(usage, "promptTokenCount")
    tokens = number_in(field_of(response, "tokenCount") if counted is None else counted)
    tokens = None if tokens is None or tokens > _MOST_TOKENS else tokens
    kinds = by_modality(usage)
    kinds = kinds if sum(kinds.values()) == tokens else {}
    try:
        values = numbers_of(0, field_of(response, "embedding"))
    except BadResponseError as wrong:
        return RowAnswer(key, None, tokens, wrong.summary)
    return RowAnswer(key, values, tokens, "" if values is not None else "it has no vector", kinds)


def _said(error: Any, status: Any) -> str:
    """Return why a row has no vector: Vertex AI says it in a text beside it."""
    shown = f"{field_of(error, 'code') or ''} {text_in(field_of(error, 'message'))}".strip()
    return (shown or text_in(status))[:LONGEST_SHOWN] or "it has no vector"


def state_of(said: str) -> tuple[JobState | None, str]:
    """Return how a job ended by the name of its state, None where that does not say so.

    And the name once more, where it is none of those in which a job goes on or has ended.
    """
    word = said.rpartition("STATE_")[2]
    ended = _ENDED.get(word)
    return ended, "" if ended or word in _GOES_ON else said[:LONGEST_SHOWN]


def _state(ended: JobState | None, operation: Any, error: Any) -> JobState:
    if ended is not None:
        return ended
    if error:
        return "cancelled" if field_of(error, "code") == _CANCELLED else "failed"
    return "succeeded" if field_of(operation, "done") is True else "running"


def _inline(output: Any) -> list[Any] | None:
    """Return results that come with a job, under whichever name; None where there are none."""
    for name in ("inlinedResponses", "inlinedEmbedContentResponses"):
        found = field_of(field_of(output, name), "inlinedResponses")
        if isinstance(found, list):
            return found
    return None


def number_in(value: Any) -> int | None:
    """Return a count, which JSON of Google's may write as a string."""
    if isinstance(value, str):
        is_number = value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS
        return int(value) if is_number else None
    number: int | None = value if is_count(value) else None
    return number


def text_in(value: Any) -> str:
    """Return a text, empty where there is none."""
    return value if isinstance(value, str) else ""
