"""Rows of results: whatever comes, a text gets its own good vector, or none."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_embed.batch.rows import Collector
from gemini_embed.cache.values import opened
from gemini_embed.models import MODELS, NEWEST
from gemini_embed.service.jobs import row_of

KEYS = [f"{n:040x}" for n in range(250)]


def line(key: object, values: object, **more: Any) -> bytes:
    """Return a line of results as the service writes it."""
    response = {"embedding": {"values": values}, "tokenCount": "3"}
    return json.dumps({"response": response, "key": key} | more).encode()


def vector(key: str) -> list[float]:
    return [1.0, float(int(key, 16)), 0.5]


class Kept(dict[str, bytes]):
    """Keeps values, and says which are vectors."""

    def store(self, pairs: Any) -> None:
        self.update(pairs)

    def drop(self, keys: Any) -> None:
        for key in keys:
            del self[key]

    def vectors(self) -> dict[str, list[float]]:
        keys = list(self)
        found = opened(keys, [self[key] for key in keys], dimension=3)
        return {keys[i]: row.tolist() for i, row in zip(found.found, found.block, strict=True)}


def collected(lines: list[bytes], *, fast: bool = True) -> tuple[Collector, Kept]:
    """Return what becomes of lines that come some at a time."""
    kept = Kept()
    collector = Collector(
        KEYS, model=MODELS[NEWEST], dimension=3, used=3, store=kept.store, drop=kept.drop
    )
    for start in range(0, len(lines), 70):
        collector.take([row_of(one, fast=fast) for one in lines[start : start + 70]])
    return collector, kept


@pytest.mark.parametrize("fast", [True, False])
def test_each_row_is_matched_by_its_key(*, fast: bool) -> None:
    """The service does not keep the order of the rows."""
    keys = random.Random(1).sample(KEYS, len(KEYS))  # noqa: S311 - any order

    collector, kept = collected([line(key, vector(key)) for key in keys], fast=fast)

    assert kept.vectors() == {key: vector(key) for key in KEYS}
    assert (collector.missing, collector.kept, collector.error) == ((), 250, "")
    assert (collector.prompt_tokens, collector.unreported) == (750, 0)


WRONG: dict[str, bytes] = {
    "another length": line(KEYS[1], [1.0, 2.0]),
    "not finite": b'{"response":{"embedding":{"values":[1,1e999,2]}},"key":"%b"}'
    % KEYS[1].encode(),
    "zeros": line(KEYS[1], [0, 0, 0]),
    "no numbers": line(KEYS[1], [True, "1", None]),
    "an integer beyond any float": line(KEYS[1], [1, 2, 10**400]),
    "no values": line(KEYS[1], None),
    "an error": json.dumps({"key": KEYS[1], "error": {"code": 3, "message": "no"}}).encode(),
    "an error beside a vector": line(KEYS[1], [1, 2, 3], error={"code": 3}),
    "an answer beside no vector": json.dumps({"key": KEYS[1], "response": {}}).encode(),
    "no JSON": b'{"key": "' + KEYS[1].encode(),
    "no object": b"[1, 2, 3]",
    "no key": line(None, [1, 2, 3]),
    "a key that is none": line({"x": 1}, [1, 2, 3]),
    "another's key": line("f" * 40, [1, 2, 3]),
    "deep": b'{"key": ' + b"[" * 100_000,
    "nothing": b"",
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("fast", [True, False])
def test_a_row_without_a_good_vector_is_missing(wrong: str, *, fast: bool) -> None:
    """It costs its neighbours nothing, and the error says why."""
    lines = [line(KEYS[0], vector(KEYS[0])), WRONG[wrong], line(KEYS[2], vector(KEYS[2]))]

    collector, kept = collected(lines, fast=fast)

    assert kept.vectors() == {key: vector(key) for key in (KEYS[0], KEYS[2])}
    assert collector.missing == (1, *range(3, 250))
    assert collector.error


def test_of_two_different_vectors_for_a_text_none_is_believed() -> None:
    """Whether they come together or far apart; the same one twice is no harm."""
    lines = [line(key, vector(key)) for key in KEYS]
    twice = [line(KEYS[3], vector(KEYS[3])), line(KEYS[5], [9, 9, 9]), line(KEYS[240], [9, 9, 9])]

    collector, kept = collected([*lines[:6], *twice, *lines[6:]])

    assert collector.missing == (5, 240)
    assert kept.vectors() == {key: vector(key) for key in KEYS if key not in {KEYS[5], KEYS[240]}}
    assert kept.keys() == kept.vectors().keys()  # nothing is left that would count as damaged
    assert "two different vectors" in collector.error


NAMES = ["key", "response", "embedding", "values", "metadata", "error", "usageMetadata"]

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(NAMES), inner),
)


@given(JSON)
def test_any_json_is_read(row: Any) -> None:
    """What is no row has no key, and none of it is an error of ours."""
    read = row_of(json.dumps(row).encode())

    assert isinstance(read.key, str) or read.key is None
    assert (read.values is None) == bool(read.error)


def test_both_spellings_of_tokens_are_read() -> None:
    """gemini-embedding-001 writes a string, gemini-embedding-2 a number at another place."""
    new = {"embedding": {"values": [1.0]}, "usageMetadata": {"promptTokenCount": 81}}

    assert row_of(line("k", [1.0])).tokens == 3
    assert row_of(json.dumps({"response": new, "key": "k"}).encode()).tokens == 81
    assert row_of(json.dumps({"response": new, "metadata": {"key": "k"}}).encode()).key == "k"
    assert (
        row_of(line("k", [1.0], response={"embedding": {"values": [1]}, "tokenCount": "-1"})).tokens
        is None
    )


@pytest.mark.parametrize("count", [10**12, 10.5, -1, True, "1e3"])
def test_a_count_of_tokens_that_cannot_be_is_not_believed(count: Any) -> None:
    """It would be a bill that nobody gets: such a row counts as not reported."""
    response = {"embedding": {"values": [1.0]}, "usageMetadata": {"promptTokenCount": count}}
    assert row_of(line("k", [1.0], response=response)).tokens is None


def test_the_smallest_numbers_are_kept_as_they_came() -> None:
    """float32 is what the service sends."""
    values = [float(np.float32(0.1)), 1e-38, -2.5]

    _, kept = collected([line(KEYS[0], values)])

    assert kept.vectors()[KEYS[0]] == [float(np.float32(value)) for value in values]
