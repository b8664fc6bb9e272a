"""Which rows make one job."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gemini_embed.batch.parts import MOST_BYTES, MOST_ROWS, parts_of


@given(st.lists(st.integers(0, 50)), st.integers(1, 120))
def test_parts_cover_all_rows_in_order_within_the_limit(tokens: list[int], most: int) -> None:
    """And none could take the first row of the next; a row that is too large is alone."""
    parts = parts_of(np.array(tokens, int), np.ones(len(tokens), int), most_tokens=most)

    assert [row for first, last in parts for row in range(first, last)] == list(range(len(tokens)))
    for first, last in parts:
        assert last - first == 1 or sum(tokens[first:last]) <= most
    for (first, last), (_, end) in pairwise(parts):
        assert end > last
        assert sum(tokens[first : last + 1]) > most


def test_rows_and_bytes_are_limited() -> None:
    """So that one job is no larger than what is known to go well."""
    many, half = np.ones(MOST_ROWS + 1, int), np.full(5, MOST_BYTES // 2)

    assert parts_of(many, many, most_tokens=10**9) == [(0, MOST_ROWS), (MOST_ROWS, MOST_ROWS + 1)]
    assert parts_of(many[:5], half, most_tokens=10**9) == [(0, 2), (2, 4), (4, 5)]
    assert parts_of(many[:0], many[:0], most_tokens=1) == []
