"""Damages answers of the service, and compares our reading of them with that of `json`.

    PYTHONPATH=tests python -m fuzz.answers --seconds 60 --seed 1

Whatever is done to an answer, we find the vectors that `json.loads` finds in it, or refuse it
where there are none. Ends with 1 at a difference.
"""

from __future__ import annotations

import json
import random
import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from searches import search

from gemini_embed.errors import BadResponseError
from gemini_embed.service.json_vectors import split_answer

if TYPE_CHECKING:
    from collections.abc import Callable

Vectors = list[bytes]
"""The float32 numbers of each."""


class Difference(NamedTuple):
    """A body that we read as another than `json` does."""

    body: bytes
    expected: Vectors | None
    found: dict[str, Vectors | None]

    def __str__(self) -> str:
        return "\n  ".join(map(str, self))


class Outcome(NamedTuple):
    """What a run came to."""

    bodies: int
    readable: int
    faults: list[Difference]

    def __str__(self) -> str:
        return (
            f"{self.bodies:,} bodies, {self.readable:,} of them with vectors, "
            f"{len(self.faults)} differences"
        )


# What an answer holds, by way of the standard library.


def expected(body: bytes) -> Vectors | None:
    """Return the vectors of an answer as `json.loads` finds them; None where it is no answer."""
    try:
        return [_values(embedding) for embedding in _embeddings(json.loads(body))]
    except (OverflowError, RecursionError, ValueError):
        return None


def _embeddings(answer: Any) -> list[Any]:
    names = ("embeddings", "embedding", "predictions")
    present = [name for name in names if _member(answer, name) is not None]
    if len(present) > 1 or not isinstance(answer, dict):
        raise ValueError("not one answer")
    match present:
        case ["embedding"]:
            return [answer["embedding"]]
        case ["embeddings"] if isinstance(answer["embeddings"], list):
            return answer["embeddings"]
        case ["predictions"] if isinstance(answer["predictions"], list):
            return [_member(one, "embeddings") for one in answer["predictions"]]
        case []:
            return []
        case _:
            raise ValueError("not a list")


def _member(value: Any, name: str) -> Any:
    return value[name] if isinstance(value, dict) and name in value else None


def _values(embedding: Any) -> bytes:
    values = _member(embedding, "values")
    if not isinstance(values, list) or not values:
        raise ValueError("no values")
    if not all(type(value) is int or type(value) is float for value in values):
        raise ValueError("not numbers")
    with np.errstate(over="ignore"):
        return np.array([float(value) for value in values], np.float32).tobytes()


def found(body: bytes, *, fast: bool) -> Vectors | None:
    """Return the vectors that we find; None where the answer is refused."""
    try:
        rows = split_answer(body, fast=fast).rows
    except BadResponseError:
        return None
    vectors = [row.tobytes() for row in rows if row is not None]
    return vectors if len(vectors) == len(rows) and all(vectors) else None


# Answers as the service gives them.

_NUMBERS = ("0.25", "-0.017", "1", "0", "-0", "2e-05", "1.5E+3", "-7.1e-3", "0.1234567", "12345678")
_PRINTED: tuple[dict[str, Any], ...] = (
    {"separators": (",", ":")},
    {},
    {"indent": 2},
    {"indent": "\t", "ensure_ascii": False},
)


def an_answer(rng: random.Random) -> bytes:
    """Return an answer of one of the three forms, printed in one of several ways."""
    form = rng.choice(["many", "one", "predict"])
    embeddings = [{"values": _numbers(rng)} for _ in range(rng.randint(1, 4))]
    answer: dict[str, Any] = {}
    if form == "many":
        answer["embeddings"] = embeddings
    elif form == "one":
        answer["embedding"] = embeddings[0]
    else:
        told = [{"statistics": {"token_count": 4, "truncated": False}} | one for one in embeddings]
        answer["predictions"] = [{"embeddings": one} for one in told]
    if rng.random() < 0.5:
        answer["usageMetadata"] = {"promptTokenCount": rng.randint(0, 99)}
    if rng.random() < 0.3:
        answer[rng.choice(["debug", "embedding ", "größe", "\U0001f600"])] = rng.choice(
            [_numbers(rng), "[1]", [[1], [2]], {"values": [3]}, "\\u005b1]", "NaN", None]
        )
    if rng.random() < 0.3:
        items = list(answer.items())
        rng.shuffle(items)
        answer = dict(items)
    printed = json.dumps(answer, **rng.choice(_PRINTED))
    # The numbers were strings until here, to be printed as they are written.
    return re.sub(r'"=([^"]*)"', r"\1", printed).encode()


def _numbers(rng: random.Random) -> list[str]:
    return [f"={rng.choice(_NUMBERS)}" for _ in range(rng.randint(1, 6))]


# What may happen to one.

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[-+.\w]+|[\[\]{}:,]')
_TOKENS = (
    *(b"true", b"false", b"null", b"NaN", b"Infinity", b"-Infinity", b"-NaN", b"undefined"),
    *(b'"0.5"', b'""', b'"[1]"', b'"NaN"', b'"[NaN]"', b'"]"', b'"["', b'"\\""', b'"\\u005b1]"'),
    *(b"0", b"1", b"-0", b"1e0", b"1.0", b"2", b"1e400", b"-1e400", b"1e-400", b"1e39", b"01"),
    *(b"9" * 30, b"9" * 400, b"9" * 5000, b"18446744073709551616", b"-9223372036854775809"),
    *(b"0." + b"1" * 900, b"+1", b".5", b"1.", b"0x1", b"1_0", b"--1"),
    *(
        b"[]",
        b"{}",
        b"[0]",
        b"[1]",
        b"[ 1 ]",
        b"[false]",
        b"[true]",
        b"[NaN]",
        b"[[1]]",
        b"[1,[2]]",
    ),
    *(b'["1"]', b'[{"a":1}]', b"[" * 50, b"]" * 3, b"[" * 3, b"[" * 200_000, b"[1" * 9, b"[1," * 9),
    *(b'"values"', b'"embeddings"', b'"embedding"', b'"predictions"', b'"statistics"'),
    *(
        b'"\\u0076alues"',
        b'"values":[7]',
        b'"values":NaN',
        b'"embeddings":[]',
        b'"embeddings":null',
    ),
    *(
        b'"x":[5]',
        b'"x":"[5]"',
        b'"x":NaN',
        b'{"values":[8]}',
        b'{"values":null}',
        b'{"values":[]}',
    ),
    *(b",", b":", b"[", b"]", b"{", b"}", b'"', b"\\", b"/**/", b"\x00", b"\xff", b"\xc2\xa0"),
    *(b"\xed\xa0\x80", b"\xef\xbb\xbf", "\u2028".encode(), "[1]".encode("utf-16-le"), b"[1] "),
)
_SPACES = (b" ", b"\t", b"\n", b"\r\n", b"\x0c", b"\x0b", b"\xc2\xa0", b"  \n  ")


def _flip(body: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(body))
    return body[:place] + bytes([body[place] ^ 1 << rng.randrange(8)]) + body[place + 1 :]


def _span(body: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(body))
    return start, min(len(body), start + rng.choice([1, 2, 5, 20, 100]))


def _cut(body: bytes, rng: random.Random) -> bytes:
    start, end = _span(body, rng)
    return body[:start] + body[end:]


def _double(body: bytes, rng: random.Random) -> bytes:
    start, end = _span(body, rng)
    place = rng.choice([end, rng.randrange(len(body))])
    return body[:place] + body[start:end] + body[place:]


def _swap(body: bytes, rng: random.Random) -> bytes:
    (a, b), (c, d) = sorted([_span(body, rng), _span(body, rng)])
    b = min(b, c)
    return body[:a] + body[c:d] + body[b:c] + body[a:b] + body[d:]


def _end(body: bytes, rng: random.Random) -> bytes:
    return body[: rng.randrange(len(body))]


def _put(body: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(body) + 1)
    return body[:place] + rng.choice(_TOKENS) + body[place:]


def _tokens(body: bytes, rng: random.Random) -> list[tuple[int, int]]:
    tokens = [match.span() for match in _TOKEN.finditer(body)]
    return tokens or [(0, rng.randrange(len(body)))]


def _replace_token(body: bytes, rng: random.Random) -> bytes:
    start, end = rng.choice(_tokens(body, rng))
    return body[:start] + rng.choice(_TOKENS) + body[end:]


def _add_token(body: bytes, rng: random.Random) -> bytes:
    start, _ = rng.choice(_tokens(body, rng))
    comma = rng.choice([b"", b","])
    return body[:start] + rng.choice(_TOKENS) + comma + body[start:]


def _swap_tokens(body: bytes, rng: random.Random) -> bytes:
    tokens = _tokens(body, rng)
    (a, b), (c, d) = sorted([rng.choice(tokens), rng.choice(tokens)])
    b = min(b, c)
    return body[:a] + body[c:d] + body[b:c] + body[a:b] + body[d:]


def _replace_array(body: bytes, rng: random.Random) -> bytes:
    arrays = [match.span() for match in re.finditer(rb"\[[^\[\]]*\]", body)]
    if not arrays:
        return body
    start, end = rng.choice(arrays)
    return body[:start] + rng.choice(_TOKENS) + body[end:]


def _add_member(body: bytes, rng: random.Random) -> bytes:
    """Put a member before or after those that an object has: its name may be there already."""
    braces = [place for place, byte in enumerate(body) if byte in b"{}"]
    if not braces:
        return body
    place = rng.choice(braces)
    name = rng.choice([b'"values"', b'"embeddings"', b'"embedding"', b'"predictions"', b'"x"'])
    array = rng.choice([b"[7]", b'[{"values":[9]}]', b"[0]", b"[false]", rng.choice(_TOKENS)])
    member = name + b":" + array
    if body[place : place + 1] == b"{":
        return body[: place + 1] + member + b"," + body[place + 1 :]
    return body[:place] + b"," + member + body[place:]


def _space(body: bytes, rng: random.Random) -> bytes:
    start, _ = rng.choice(_tokens(body, rng))
    return body[:start] + rng.choice(_SPACES) + body[start:]


def _escape(body: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(body))
    return body[:place] + b"\\u%04x" % body[place] + body[place + 1 :]


def _encode(body: bytes, rng: random.Random) -> bytes:
    encoding = rng.choice(["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
    return body.decode(errors="replace").encode(encoding)


def _nest(body: bytes, rng: random.Random) -> bytes:
    start, end = rng.choice(_tokens(body, rng))
    depth = rng.choice([1, 2, 40])
    return body[:start] + b"[" * depth + body[start:end] + b"]" * depth + body[end:]


def _twice(body: bytes, rng: random.Random) -> bytes:
    return body + rng.choice([b"", b"\n", b","]) + body


_DAMAGE: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(_flip, _cut, _double, _swap, _end, _put, _space, _escape, _nest, _encode, _twice),
    *(_replace_token, _add_token, _swap_tokens, _replace_array, _add_member) * 3,
)


def a_body(rng: random.Random) -> bytes:
    """Return an answer with some damage."""
    body = an_answer(rng)
    for _ in range(rng.choice([0, 1, 1, 1, 2, 2, 3, 4])):
        body = rng.choice(_DAMAGE)(body, rng) or b" "
    return body


def run(*, seconds: float, seed: int) -> Outcome:
    """Compare for so many seconds; stop after a few differences."""
    rng = random.Random(seed)
    end = time.monotonic() + seconds
    bodies = readable = 0
    differences: list[Difference] = []
    while time.monotonic() < end and len(differences) < 5:
        body = a_body(rng)
        right = expected(body)
        ours = {"fast": found(body, fast=True), "plain": found(body, fast=False)}
        bodies += 1
        readable += bool(right)
        if any(vectors != right for vectors in ours.values()):
            differences.append(Difference(body, right, ours))
    return Outcome(bodies, readable, differences)


if __name__ == "__main__":
    search(__doc__, "answers", run, seconds=60.0)
