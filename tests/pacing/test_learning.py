"""What refusals teach, on a clock that is a number; in time, at many services: `test_services`."""

from __future__ import annotations

import math

import pytest

from gemini_embed.pacing.learning import Learning


def refused(learning: Learning, at: float, *, told: float | None = None, texts: int = 100) -> None:
    """Let a request be refused at once."""
    learning.note_sent(texts, at)
    learning.note_refused(texts, at, at)
    learning.refuse(texts, told, at)
    learning.conclude(at)


def accepted(learning: Learning, at: float, texts: int = 100) -> None:
    """Let a request be accepted at once."""
    learning.note_sent(texts, at)
    learning.accept(texts, at, at)


def filled(period: float, limit: int) -> Learning:
    """Return what is learned in two windows of a service that takes so much at once."""
    learning = Learning()
    for window in (0.0, period):
        for _ in range(limit // 100):
            accepted(learning, window)
        refused(learning, window + 0.1, told=period - 0.1)
    return learning


def test_one_refusal_is_no_limit() -> None:
    """The service was busy: who comes back as told goes on at full speed."""
    learning = Learning()
    refused(learning, 0.0, told=0.3)
    accepted(learning, 0.3, 1)

    assert learning.pacer.pace == math.inf
    assert learning.size.largest == math.inf


@pytest.mark.parametrize("period", [5.0, 60.0])
@pytest.mark.parametrize("limit", [200, 3000])
def test_a_second_refusal_shows_the_limit(period: float, limit: int) -> None:
    """However long the window is: what was accepted from one refusal to the next fits into one."""
    learning = filled(period, limit)

    assert learning.pacer.pace * period == pytest.approx(limit, rel=0.03)
    assert learning.pacer.room(10_000, 2 * period + 1) == pytest.approx(limit, rel=0.03)


def test_a_window_that_is_full_for_long_shows_its_pace() -> None:
    """Though requests become smaller meanwhile: nothing shows that it was for their size."""
    learning = Learning()
    for window in (0.0, 60.0, 120.0):
        for _ in range(6):
            accepted(learning, window)
        for second, texts in ((1, 100), (2, 100), (4, 100), (8, 50), (16, 25)):
            refused(learning, window + second, texts=texts)

    assert learning.pacer.pace * 60 == pytest.approx(600, rel=0.03)


def test_a_pace_that_passes_grows() -> None:
    """A limit that was raised is found without a restart."""
    learning = filled(60.0, 600)
    before, now = learning.pacer.pace, 120.0
    for _ in range(1000):
        now += learning.pacer.wait(100, now) + 1e-6
        accepted(learning, now, int(learning.pacer.room(100, now)))

    assert learning.pacer.pace > 5 * before


def test_a_refused_pace_comes_down() -> None:
    """But never to nothing, whatever is refused."""
    learning = filled(60.0, 600)
    before, now = learning.pacer.pace, 120.0
    for _ in range(200):
        now += learning.pacer.wait(100, now) + 1e-6
        texts = int(learning.pacer.room(100, now))
        accepted(learning, now, texts)
        now += 0.5
        refused(learning, now, told=0.5, texts=texts)

    assert 0 < learning.pacer.pace < before


def test_late_answers_make_no_pace_of_nothing() -> None:
    """An answer that took longer than everything else is counted once."""
    learning = Learning()
    accepted(learning, 0.0, 10)
    learning.note_sent(100, 0.5)
    refused(learning, 1.0, told=100.0)
    accepted(learning, 101.0, 1)
    refused(learning, 102.0, told=59.0)
    learning.accept(100, 0.5, 103.0)
    accepted(learning, 161.0, 1)
    refused(learning, 163.0, told=59.0)
    learning.conclude(163.0)

    assert learning.pacer.pace > 0
