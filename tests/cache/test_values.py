"""What is kept of a vector is known again, and anything else is not taken for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_embed.cache import cache_keys
from gemini_embed.cache.values import _weights, opened, sealed
from gemini_embed.contents import Content

RANDOM = np.random.default_rng(0)
KEYS = cache_keys(
    [Content.of(str(i)) for i in range(20)], model="gemini-embedding-2", dimension=8, service=None
)


def vectors(count: int, dimension: int) -> Any:
    return RANDOM.normal(size=(count, dimension)).astype(np.float32)


@pytest.mark.parametrize("dimension", [1, 2, 8, 768, 3072])
def test_vectors_come_back_as_they_were(dimension: int) -> None:
    """Each vector under its own key, whatever is missing between them."""
    block = vectors(20, dimension)
    values: list[Any] = list(sealed(KEYS, block))
    values[3] = values[7] = None

    found, back, damaged = opened(KEYS, values, dimension=dimension)

    assert (back == block[found]).all()
    assert found == [i for i in range(20) if i not in {3, 7}]
    assert damaged == []


def test_the_form_is_stable() -> None:
    """A value that one release kept is read by the next, and on any machine."""
    key = "468fdd47bd5092bc695beccf3b075c2304b07fa4"

    value = sealed([key], np.array([[1, -0.5]], np.float32))[0]

    assert value.hex() == "0000803f000000bf" + "01" + "468f5de862cab1d2"


def test_a_flipped_bit_is_seen_wherever_it_is() -> None:
    """One flipped bit of numbers, form, checksum or key: not the vector any more."""
    value = sealed(KEYS[:1], vectors(1, 64))[0]
    for bit in range(8 * len(value)):
        flipped = bytearray(value)
        flipped[bit // 8] ^= 1 << bit % 8
        assert opened(KEYS[:1], [flipped], dimension=64).damaged == [0]
    for bit in range(64):
        key = f"{int(KEYS[0], 16) ^ 1 << 159 - bit:040x}"
        assert opened([key], [value], dimension=64).damaged == [0]


def test_two_flipped_signs_are_seen_wherever_they_are() -> None:
    """The bits that count least in the sum are signs; any two of them are told apart."""
    odd = _weights(3072) % np.uint64(2**33)
    both = np.concatenate([odd, np.uint64(2**33) - odd])

    assert len(np.unique(both)) == 2 * 3072


@given(st.binary(max_size=64), st.integers(0, 48))
def test_what_was_written_over_is_seen(other: bytes, start: int) -> None:
    """Zeros, another page's bytes, half of a value: whatever lies there now is not served."""
    value = sealed(KEYS[:1], vectors(1, 10))[0]
    changed = value[:start] + other + value[start + len(other) :]

    outcome = opened(KEYS[:1], [changed], dimension=10)

    assert outcome.found == ([0] if changed == value else [])


def test_a_value_under_another_key_is_not_that_keys() -> None:
    """Two rows that changed places are both damaged."""
    first, second = sealed(KEYS[:2], vectors(2, 8))

    assert opened(KEYS[:2], [second, first], dimension=8).damaged == [0, 1]


def test_numbers_changed_places_are_seen() -> None:
    """The sum knows where each number stands."""
    block = vectors(1, 8)
    value = sealed(KEYS[:1], block)[0]
    moved = block[0, [1, 0, *range(2, 8)]].tobytes() + value[32:]

    assert opened(KEYS[:1], [moved], dimension=8).damaged == [0]


def test_values_of_before_there_were_seals_are_read() -> None:
    """Numbers only, of the right length, that make a vector; among sealed ones."""
    block = vectors(6, 8)
    values: list[Any] = list(sealed(KEYS[:6], block))
    values[1], values[4] = block[1].tobytes(), block[4].tobytes()
    values[2], values[5] = bytes(32), np.full(8, np.nan, np.float32).tobytes()

    found, back, damaged = opened(KEYS[:6], values, dimension=8)

    assert sorted(found) == [0, 1, 3, 4]
    assert (back == block[found]).all()
    assert sorted(damaged) == [2, 5]


@pytest.mark.parametrize("dimension", range(1, 12))
def test_a_sealed_value_is_never_taken_for_a_bare_one(dimension: int) -> None:
    """Nor one of another dimension for this one's."""
    values = [sealed(KEYS[:1], np.ones((1, d), np.float32))[0] for d in range(1, 20)]

    found = [opened(KEYS[:1], [value], dimension=dimension).found for value in values]

    assert found == [[0] if d == dimension else [] for d in range(1, 20)]


@pytest.mark.parametrize("odd", [b"", "text", 7, [1.0], {"a": 1}])
def test_what_is_not_bytes_of_the_right_length_is_damaged(odd: object) -> None:
    """A cache may return anything."""
    assert opened(KEYS[:2], [None, odd], dimension=8).damaged == [1]
