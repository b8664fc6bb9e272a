"""What goes at once, and what is tried beyond it; with a pace around it: `test_learning`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_embed.pacing.bursts import Bursts


def begun(size: float = 600.0) -> Bursts:
    """Return what is known once so many passed, and a request of a hundred more did not."""
    bursts = Bursts()
    bursts.begin(size, 100)
    return bursts


def test_more_is_tried_until_it_is_too_much() -> None:
    """Twice as much at first; after a refusal half the way to it, and then no more."""
    bursts = begun()
    assert bursts.trial == 1200

    trials = []
    for _ in range(10):
        if (trial := bursts.trial) > bursts.size:
            trials.append(trial)
            bursts.refuse(bursts.size, round(trial - bursts.size))

    assert trials == sorted(trials, reverse=True)
    assert trials[0] == 1200
    assert bursts.size == bursts.best == bursts.trial == 600

    bursts.forget_refusals()
    assert bursts.trial == 1200


def test_a_small_burst_is_tried_with_half_a_request_more() -> None:
    """Else it would take long where little was measured at first."""
    assert begun(1.0).trial == 51


def test_others_take_a_part() -> None:
    """Who may send less than before, twice, had better go steadily; once may have been a chance."""
    bursts = begun()

    bursts.refuse(450.0, 100)
    assert bursts.size == 450
    bursts.refuse(300.0, 100)

    assert bursts.size == 0
    assert bursts.best == 600


def test_hardly_anything_passes_at_once() -> None:
    """Then nothing shall: a bucket that is empty fills steadily."""
    bursts = begun()

    bursts.refuse(100.0, 100)

    assert bursts.size == 0


def test_what_passes_counts_by_the_period() -> None:
    """Requests that left within a period are one burst; one that leaves later begins another."""
    bursts = begun()
    for texts, at in ((400, 0.0), (400, 1.0), (300, 61.0), (300, 62.0)):
        bursts.accept(texts, at, 60.0)

    assert bursts.size == bursts.best == 800


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(1, 500), st.floats(0, 2000), st.floats(0, 100)),
        max_size=50,
    )
)
def test_the_size_is_what_passed(steps: list[tuple[bool, int, float, float]]) -> None:
    """Never more than the best that passed, never less than nothing, and a trial is no less."""
    bursts, now, most = begun(), 0.0, 600.0
    passed, began = 0, float("-inf")
    for is_accepted, texts, before, pause in steps:
        now += pause
        if is_accepted:
            passed, began = (texts, now) if now >= began + 60 else (passed + texts, began)
            bursts.accept(texts, now, 60.0)
            most = max(most, passed)
        else:
            bursts.refuse(before, texts)
        assert 0 <= bursts.size <= bursts.best == pytest.approx(most)
        assert bursts.trial >= bursts.size
