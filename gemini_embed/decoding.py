"""The numbers of an answer, read from its bytes into arrays: no Python float is made of any.

Performs no I/O. The service's JSON is nearly all numbers, and reading them one by one is most of
what an embedding costs a client. Needs pysimdjson: the extra `fast`.
"""

from __future__ import annotations

import codecs
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import simdjson

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Parted(NamedTuple):
    """An answer in two parts.

    Attributes:
        rows: The vectors, in order, each as it stands in the text; not yet checked.
        rest: The answer, as JSON, with an empty array in the place of each vector's numbers.
    """

    rows: list[NDArray[np.float64]]
    rest: bytes


def part(body: bytes) -> Parted | None:
    """Take the vectors out of an answer to batchEmbedContents, embedContent or predict.

    None where the body is anything but plainly such an answer; `json.loads` may make more of it.
    """
    rows: list[NDArray[np.float64]] = []
    if body.startswith(codecs.BOM_UTF8):
        return None
    try:
        rest = _parted(simdjson.Parser().parse(body), rows)
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError):
        return None
    text = json.dumps(rest).encode()
    # An array inside a vector's was read as part of it: then there are more of them.
    if body.count(b"[") != text.count(b"["):
        return None
    return Parted(rows, text)


def _parted(answer: Any, rows: list[NDArray[np.float64]]) -> dict[str, Any]:
    rest = _fields(answer)
    if len(rest.keys() & {"embeddings", "embedding", "predictions"}) != 1:
        raise ValueError("no answer, or several in one")
    for name, value in rest.items():
        match name:
            case "embeddings":
                rest[name] = [_without_numbers(_fields(item), rows) for item in value]
            case "embedding":
                rest[name] = _without_numbers(_fields(value), rows)
            case "predictions":
                predictions = [_fields(item) for item in value]
                for prediction in predictions:
                    embedding = _fields(prediction["embeddings"])
                    prediction["embeddings"] = _without_numbers(embedding, rows)
                rest[name] = [_plain_fields(prediction) for prediction in predictions]
    return _plain_fields(rest)


def _without_numbers(embedding: dict[str, Any], rows: list[NDArray[np.float64]]) -> dict[str, Any]:
    values = embedding["values"]
    rows.append(np.frombuffer(values.as_buffer(of_type="d")))
    if len(rows[-1]) != len(values):
        raise ValueError("arrays inside an array")
    return _plain_fields(embedding | {"values": []})


def _fields(value: Any) -> dict[str, Any]:
    names = list(value.keys())
    if len(set(names)) != len(names):
        raise ValueError("a name occurs twice")
    return {name: value[name] for name in names}


def _plain_fields(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in fields.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, simdjson.Object):
        return value.as_dict()
    return value.as_list() if isinstance(value, simdjson.Array) else value
