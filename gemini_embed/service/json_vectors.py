"""The numbers of an answer, read from its bytes into arrays. Performs no I/O.

The service's JSON is nearly all numbers, and reading them one by one is most of what an embedding
costs a client. With pysimdjson (the extra `fast`) no Python float is made of any. `make bench`
measures it, section Throughput and processor time.

Whatever the bytes are, reading takes time in proportion to their number, and ends in the vectors
that `json.loads` finds in them or in an error.
"""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gemini_embed.errors import BadResponseError

if TYPE_CHECKING:
    import simdjson
else:
    try:
        import simdjson
    except ModuleNotFoundError:  # the extra `fast` is not installed
        simdjson = None

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_HOLDERS = ("embeddings", "embedding", "predictions")
"""Where batchEmbedContents, embedContent and predict put their vectors."""

_OF_A_TEXT = ("token_count", "tokenCount")
"""How the tokens of one text are named among its statistics."""

_DETAILS = ("promptTokenDetails", "promptTokensDetails")
"""Where the Gemini API and Vertex AI tell tokens by kind of input."""

_MOST_KINDS = 16
_LONGEST_KIND = 32
"""Of kinds of input, and letters in the name of one: Google has five."""

_DIGITS = 19
"""Of a count in a string, which is how Google's services print 64 bits."""

_AT_ONCE = 32
"""Vectors read between two pauses: some milliseconds of work."""

_MOST = 1000
"""The most vectors in an answer, and arrays that are read by themselves: no answer has as many."""

_PLACE = b"NaN"
"""Replaces an array that was cut out: it is no JSON, but `json.loads` has a hook for it."""

Row = NDArray[np.float32] | None
"""The numbers of an embedding; None where it came without any."""


class Report(NamedTuple):
    """What an answer says beside its vectors.

    Attributes:
        tokens: Those of all its texts together; None where it does not say.
        by_modality: Of each kind of input; empty where it does not say, or says no numbers.
        truncated: Which of its texts were cut off, where it tells of each.
        some_truncated: Whether it says of all of them together that some were.
    """

    tokens: int | None = None
    by_modality: Mapping[str, int] = MappingProxyType({})
    truncated: Sequence[int] = ()
    some_truncated: bool = False


class Parted(NamedTuple):
    """An answer in its parts.

    Attributes:
        rows: The vectors, in order, rounded to float32; not yet checked. Empty where the answer
            has none in its place.
        report: What it says beside them.
    """

    rows: list[Row]
    report: Report


def split_answer(
    body: bytes, pause: Callable[[], None] = lambda: None, *, fast: bool = True
) -> Parted:
    """Take the vectors out of an answer to batchEmbedContents, embedContent or predict.

    `pause` is called every few vectors. pysimdjson is used only if `fast`.

    Raises:
        BadResponseError: The body is no such answer, or one of its vectors is not made of numbers.
    """
    try:
        with np.errstate(over="ignore"):  # what is too large becomes infinite, refused later
            answer = read_json(body, pause, fast=fast)
            held = _held(answer)
            rows = [numbers_of(index, embedding) for index, embedding in enumerate(held)]
        return Parted(rows, _report(answer, held))
    except (RecursionError, TypeError, ValueError) as error:
        description = f"{type(error).__name__}: {error}"
    # Raised out here, without a cause: that one holds the body.
    raise BadResponseError(f"the answer could not be read: {description}")


def read_json(body: bytes, pause: Callable[[], None], *, fast: bool) -> Any:
    """Return what `json.loads` makes of the body, some arrays of numbers as arrays of float32."""
    if fast and simdjson is not None:
        try:
            return _with_arrays(body, pause)
        except (RecursionError, ValueError):  # an array within a string, NaN, or no JSON at all
            pass
    return json.loads(body)


def _with_arrays(body: bytes, pause: Callable[[], None]) -> Any:
    """Cut the arrays of numbers out, read the rest as JSON, and put each array where it stood.

    `json.loads` meets the placeholders in order, where a value stands. If one array finds no place,
    it was part of a string: then the whole body is read as JSON.

    Raises:
        ValueError: An array finds no place, or the body is no JSON.
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
    if any(_PLACE in piece for piece in pieces):
        raise ValueError("the body has a placeholder of its own")
    unplaced = iter(rows)

    def placed(word: str) -> NDArray[np.float32]:
        if word != _PLACE.decode():
            raise ValueError(f"{word} is no number")
        return next(unplaced)

    answer = json.loads(_PLACE.join(pieces).decode(), parse_constant=placed)
    if next(unplaced, None) is not None:
        raise ValueError("an array within a string")
    return answer


def _arrays_of_numbers(body: bytes) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """Yield where arrays of numbers begin and end, and what is in them."""
    parser, view = simdjson.Parser(), memoryview(body)
    end = 0
    for _ in range(_MOST):
        start = body.find(b"[", end)
        end = body.find(b"]", start) + 1
        if start < 0 or not end:
            return
        numbers = _numbers(view[start:end], parser)
        if numbers is None:  # an array of numbers holds no other: it may begin later
            start = body.rfind(b"[", start, end)
            numbers = _numbers(view[start:end], parser)
        if numbers is not None:
            yield start, end, numbers


def _numbers(text: memoryview, parser: simdjson.Parser) -> NDArray[np.float32] | None:
    """Return an array of numbers; None where the text is something else, or empty."""
    try:
        array: Any = parser.parse(text)
        doubles = np.frombuffer(array.as_buffer(of_type="d"))
    except (AttributeError, RuntimeError, TypeError, ValueError):  # all that simdjson raises
        return None
    return doubles.astype(np.float32) if len(doubles) else None


def _held(answer: Any) -> list[Any]:
    """Return the embeddings that an answer holds."""
    if not isinstance(answer, dict):
        raise TypeError("it is no object")
    names = [name for name in _HOLDERS if answer.get(name) is not None]
    if len(names) > 1:
        raise ValueError(f"it has {' and '.join(names)}")
    holder = names[0] if names else "embeddings"
    held = answer[holder] if names else []
    if holder == "embedding":
        return [held]
    if not isinstance(held, list):
        raise TypeError(f"its {holder} are no list")
    if len(held) > _MOST:
        raise ValueError(f"it has {len(held)} {holder}")
    if holder == "predictions":
        return [field_of(prediction, "embeddings") for prediction in held]
    return held


def numbers_of(index: int, embedding: Any) -> Row:
    """Return the numbers of one embedding, None where it has none."""
    values = embedding.get("values") if isinstance(embedding, dict) else None
    if values is None or isinstance(values, np.ndarray):
        return values
    if not isinstance(values, list) or not {float, int}.issuperset(map(type, values)):
        raise BadResponseError(f"vector {index} of the answer holds something other than numbers")
    try:
        return np.array(values, np.float32)
    except OverflowError as error:  # an integer beyond any float
        what = "holds a number that is not finite"
        raise BadResponseError(f"vector {index} of the answer {what}") from error


def _report(answer: Any, held: Sequence[Any]) -> Report:
    usage = answer.get("usageMetadata")
    tokens = count_of(field_of(usage, "promptTokenCount"))
    truncated: Sequence[int] = ()
    # Most answers have none. To make objects for each vector in vain would let the garbage
    # collector run twice as often.
    if any(isinstance(one, dict) and "statistics" in one for one in held):
        statistics = [field_of(one, "statistics") for one in held]
        truncated = [
            row for row, one in enumerate(statistics) if field_of(one, "truncated") is True
        ]
        tokens = _of_each(statistics) if tokens is None else tokens
    kinds = by_modality(usage)
    return Report(
        tokens,
        kinds if sum(kinds.values()) <= (tokens or 0) else {},
        truncated,
        some_truncated=answer.get("truncated") is True,
    )


def _of_each(statistics: Sequence[Any]) -> int | None:
    """Return the tokens of all texts from what is reported of each, if it is of all."""
    counts = [
        next((n for name in _OF_A_TEXT if (n := count_of(field_of(one, name))) is not None), None)
        for one in statistics
    ]
    told = [count for count in counts if count is not None]
    return sum(told) if told and len(told) == len(counts) else None


def by_modality(usage: Any) -> dict[str, int]:
    """Return the tokens by kind of input, as an answer or a row of results tells them."""
    details = next((held for name in _DETAILS if (held := field_of(usage, name))), None)
    listed = details if isinstance(details, list) and len(details) <= _MOST_KINDS else []
    pairs = [(field_of(one, "modality"), field_of(one, "tokenCount")) for one in listed]
    are_counts = all(_is_kind(kind) and is_count(number) for kind, number in pairs)
    return dict(pairs) if are_counts else {}


def _is_kind(value: Any) -> bool:
    return isinstance(value, str) and value.isidentifier() and len(value) <= _LONGEST_KIND


def is_count(value: Any) -> bool:
    """Tell whether a value of JSON is a count: a whole number, not below nothing."""
    return type(value) is int and value >= 0


def count_of(value: Any) -> int | None:
    """Return a count as JSON may hold it: as a number, or in a string; None of anything else."""
    match value:
        case str() if value.isascii() and value.isdigit() and len(value) <= _DIGITS:
            return int(value)
        case float() if value.is_integer() and value >= 0:
            return int(value)
        case int() if is_count(value):
            return value
        case _:
            return None


def field_of(value: Any, name: str) -> Any:
    """Return a field of an object of JSON; None of what is no object, or has no such field."""
    return value.get(name) if isinstance(value, dict) else None
