"""The numbers of an answer, read from its bytes into arrays: no Python float is made of any.

Performs no I/O. The service's JSON is nearly all numbers, and reading them one by one is most of
what an embedding costs a client. Needs pysimdjson: the extra `fast`.
"""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import simdjson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

_HOLDERS = ("embeddings", "embedding", "predictions")
"""Where batchEmbedContents, embedContent and predict put their vectors."""

_AT_ONCE = 32
"""Vectors read in one go: some milliseconds."""


class Parted(NamedTuple):
    """An answer in two parts.

    Attributes:
        rows: The vectors, in order, rounded to float32; not yet checked.
        rest: The answer, as JSON, without them: embeddings that hold more than numbers have an
            empty array in their place, and embeddings that do not are gone.
    """

    rows: list[NDArray[np.float32]]
    rest: bytes


def part(body: bytes, pause: Callable[[], None] = lambda: None) -> Parted | None:
    """Take the vectors out of an answer to batchEmbedContents, embedContent or predict.

    None where the body is anything but plainly such an answer; `json.loads` may make more of it.
    `pause` is called every few vectors.
    """
    rows: list[NDArray[np.float32]] = []
    pieces: list[bytes] = []
    rest_from = 0
    for start, end, numbers in _arrays_of_numbers(body):
        rows.append(numbers)
        if len(rows) % _AT_ONCE == 0:
            pause()
        pieces.append(body[rest_from:start])
        rest_from = end
    pieces.append(body[rest_from:])
    # Each array's number in its place tells whether they are where vectors are, and nowhere else.
    numbered = [b"[%d]" % index for index in range(len(rows))]
    outline = b"".join(chain.from_iterable(zip(pieces, [*numbered, b""], strict=True)))
    try:
        answer = json.loads(outline)
        (holder,) = (name for name in _HOLDERS if name in answer)
        held = [answer[holder]] if holder == "embedding" else answer[holder]
        if holder == "predictions":
            held = [prediction["embeddings"] for prediction in held]
        found = [embedding["values"] for embedding in held]
    except (LookupError, RecursionError, TypeError, ValueError):
        return None
    if not rows or found != [[index] for index in range(len(rows))]:
        return None
    for embedding in held:
        embedding["values"] = []
    if holder == "embeddings" and all(len(embedding) == 1 for embedding in held):
        answer[holder] = []  # the SDK would look at each
    try:
        return Parted(rows, json.dumps(answer).encode())
    except RecursionError:  # nearly too deep for `loads`
        return None


def _arrays_of_numbers(body: bytes) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """Yield where each array of numbers begins and ends, and what is in it."""
    parser, view = simdjson.Parser(), memoryview(body)
    start = body.find(b"[")
    while start >= 0:
        end = body.find(b"]", start) + 1
        numbers = _numbers(view[start:end], parser) if end else None
        if numbers is not None:
            yield start, end, numbers
        start = body.find(b"[", start + 1 if numbers is None else end)


def _numbers(text: memoryview, parser: simdjson.Parser) -> NDArray[np.float32] | None:
    """Return an array of numbers; None where the text is something else, or empty."""
    try:
        array: Any = parser.parse(text)
        doubles = np.frombuffer(array.as_buffer(of_type="d"))
    except (AttributeError, RuntimeError, TypeError, ValueError):  # all that simdjson raises
        return None
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, and is told later
        return doubles.astype(np.float32) if len(doubles) else None
