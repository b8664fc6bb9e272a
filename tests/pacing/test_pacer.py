"""A steady pace, and bursts within a limit, on a clock that is a number."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gemini_embed.pacing.pacer import Pacer


@given(
    pace=st.floats(0.01, 1000),
    chunk=st.floats(0.1, 300),
    wanted=st.lists(st.integers(1, 400), min_size=1, max_size=30),
    late=st.floats(0, 3),
)
def test_a_pace_is_kept(pace: float, chunk: float, wanted: list[int], late: float) -> None:
    """However much is asked for, no more passes than a chunk and what the pace allows beside it."""
    pacer = Pacer()
    pacer.set(pace, 0.0, chunk=chunk)
    now, passed = 0.0, 0.0
    for texts in wanted:
        now += pacer.wait(texts, now) * (1 + 1e-9) + 1e-9 + late
        room = int(pacer.room(texts, now))
        assert 1 <= room <= texts
        pacer.spend(room, now)
        passed += room
        assert passed <= pacer.chunk + pace * now + 1


@given(
    limit=st.integers(2, 1000),
    chunk=st.integers(1, 100),
    wanted=st.lists(st.integers(1, 200), min_size=1, max_size=60),
)
@example(limit=11, chunk=1, wanted=[1, 1, 1, 8, 2, 9, 2, 1, 1, 1, 1, 1, 1, 3, 2, 2])  # rounding
def test_a_limit_holds_in_any_period(limit: int, chunk: int, wanted: list[int]) -> None:
    """What goes at once is no more than the limit, and no more in any stretch of a period."""
    pacer = Pacer()
    pacer.set(limit / 10.0, 0.0, chunk=chunk, limit=float(limit), period=10.0)
    sent: list[tuple[float, int]] = []
    now = 10.0
    for texts in wanted:
        now += pacer.wait(texts, now) * (1 + 1e-9) + 1e-6
        room = int(pacer.room(texts, now))
        pacer.spend(room, now)
        sent.append((now, room))
        assert sum(n for at, n in sent if at + 10.0 > now) <= limit


@given(
    limit=st.integers(1, 100),
    period=st.floats(1, 100),
    at=st.floats(0, 1e6),
    early=st.sampled_from([0.0, 1e-9, 1e-7, 1e-5, 1e-3]),
    wanted=st.integers(1, 200),
)
@example(limit=1, period=60.0, at=0.0, early=1e-9, wanted=1)  # as a timer of an event loop may be
def test_where_there_is_no_room_there_is_a_wait(
    limit: int, period: float, at: float, early: float, wanted: int
) -> None:
    """Whoever comes a little early is told to wait, and is not let pass with nothing."""
    pacer = Pacer()
    pacer.set(limit / period, at, chunk=limit, limit=float(limit), period=period)
    pacer.spend(limit, at)
    now = at + pacer.wait(wanted, at) - early

    assert (pacer.wait(wanted, now) > 0) == (pacer.room(wanted, now) == 0)


def test_after_a_pause_a_limit_goes_at_once() -> None:
    """Nobody waits for a pace where the service takes a whole window in one go."""
    pacer = Pacer()
    pacer.set(10.0, 0.0, chunk=25, limit=600.0, period=60.0)

    assert pacer.room(1000, 60.0) == 600
    pacer.spend(600, 60.0)
    assert pacer.wait(100, 60.0) == pytest.approx(60)


def test_what_was_refused_is_given_back() -> None:
    """A request that the service did not count takes no room from the next."""
    pacer = Pacer()
    pacer.set(10.0, 0.0, chunk=25)
    pacer.spend(25, 0.0)
    assert pacer.wait(25, 1.0) == pytest.approx(1.5)

    pacer.restore(25, 0.0, 1.0)

    assert pacer.room(25, 1.0) == 25


def test_what_went_at_once_is_made_up_for() -> None:
    """A steady pace begins once it has had time for what went before, and tells of itself only."""
    pacer = Pacer()
    pacer.set(10.0, 0.0, chunk=25, limit=600.0, period=60.0)
    pacer.spend(600, 60.0)
    pacer.set(10.0, 60.0, chunk=25, period=90.0)

    pacer.make_up(60.0)

    assert pacer.wait(25, 60.0) == pytest.approx(60)
    pacer.spend(25, 120.0)
    assert pacer.recent(125.0) / pacer.recorded(125.0) == pytest.approx(5)
