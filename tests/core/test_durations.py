"""How long something takes, in words."""

from __future__ import annotations

import pytest

from gemini_embed.durations import duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0 s"),
        (0, "0 s"),
        (0.26, "0.3 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (119.6, "2 min"),
        (3_569, "59 min 29 s"),
        (3_599, "1 h"),
        (3_599.6, "1 h"),
        (3_660, "1 h 1 min"),
        (86_399, "1 day"),
        (97_200, "1 day 3 h"),
        (172_800, "2 days"),
        (100_000_000, "1,157 days 10 h"),
    ],
)
def test_a_duration_has_two_units(seconds: float, words: str) -> None:
    """The largest that fits and the next; what is less is rounded, and carried where it fills."""
    assert duration(seconds) == words
