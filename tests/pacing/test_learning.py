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


def steady(limit: int = 600, now: float = 120.0) -> tuple[Learning, float]:
    """Return what is learned where less passed at once than before, twice; and when."""
    learning = filled(60.0, limit)
    for share in (0.9, 0.7):
        for _ in range(int(share * limit / 100)):
            accepted(learning, now)
        refused(learning, now + 1, told=59.0)
        now += 61.0
    assert learning.pacer.limit == math.inf
    return learning, now


def test_one_refusal_is_no_limit() -> None:
    """The service was busy: who comes back as told goes on at full speed."""
    learning = Learning()
    refused(learning, 0.0, told=0.3)
    accepted(learning, 0.3, 1)

    assert learning.pacer.pace == math.inf
    assert learning.size.largest == math.inf


def test_refusals_that_lie_far_apart_are_no_limit() -> None:
    """Who asks a query an hour, and meets a busy service once a day, is not made slow by that."""
    learning, now = Learning(), 0.0
    for _ in range(5):
        refused(learning, now, told=5.0, texts=1)
        for hour in range(24):
            accepted(learning, now + 5.0 + 3600.0 * hour, 1)
        now += 86_400.0

    assert learning.pacer.pace == math.inf


def test_few_texts_between_two_refusals_make_no_pace_of_hours() -> None:
    """A limit of less than a text a minute is not waited for."""
    learning = Learning()
    refused(learning, 0.0, told=5.0, texts=1)
    accepted(learning, 5.0, 1)
    refused(learning, 590.0, told=5.0, texts=1)

    learning.note_sent(1, 600.0)
    assert learning.pacer.wait(1, 600.0) <= 60


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


def test_more_at_once_is_tried_at_no_cost() -> None:
    """Where twice as much is refused, what passed before passes again in the next window."""
    learning = filled(60.0, 600)
    for window in (121.0, 182.0):
        for _ in range(6):
            accepted(learning, window)
    now = 182.0 + learning.pacer.wait(100, 182.0)
    assert now < 190.0
    texts = int(learning.pacer.room(100, now))
    refused(learning, now, told=242.0 - now, texts=texts)

    assert learning.pacer.room(10_000, 243.0) == pytest.approx(600, rel=0.03)


def test_after_ten_minutes_it_goes_steadily() -> None:
    """So that others can take a part: no more passes in the next minute than in one before."""
    learning, now = filled(60.0, 600), 121.0
    while learning.pacer.limit < math.inf:
        assert now < 900.0
        for _ in range(6):
            accepted(learning, now)
        now += 61.0
    since = now - 61.0

    assert learning.pacer.wait(100, since) == pytest.approx(60, rel=0.03)
    assert learning.pacer.pace * 60 == pytest.approx(600, rel=0.03)


def test_a_window_that_was_met_in_its_middle() -> None:
    """Its second refusal shows how long it is, though several requests left together then."""
    learning = Learning()
    for window, end in ((0.0, 40.0), (40.0, 100.0)):
        for _ in range(6):
            accepted(learning, window)
        refused(learning, window + 0.1, told=end - window - 0.1)
    for _ in range(6):
        accepted(learning, 100.0)
    for _ in range(6):
        learning.note_sent(100, 141.0)
    learning.note_refused(100, 141.0, 141.1)
    learning.refuse(100, 18.9, 141.1)

    assert learning.period == pytest.approx(60, rel=0.03)


def test_a_size_that_is_refused_fills_no_window() -> None:
    """Time spent on requests that are too large says nothing of how long a service is full."""
    learning = Learning()
    for second, texts in ((0, 100), (1, 100), (2, 100), (3, 50)):
        refused(learning, second, told=1.0, texts=texts)
    accepted(learning, 4.0, 25)
    refused(learning, 4.1, told=1.0, texts=100)
    accepted(learning, 5.0, 25)
    refused(learning, 5.1, told=0.3, texts=25)
    accepted(learning, 5.5, 25)

    assert learning.size.largest < 100
    assert learning.period < 2.0


def test_a_pace_grows_only_where_it_is_used() -> None:
    """A text every ten seconds, for a day, does not show that a load may go faster."""
    learning, now = steady()
    before = learning.pacer.pace
    for _ in range(8640):
        now += 10.0
        accepted(learning, now, 1)

    assert learning.pacer.pace < 2 * before


@pytest.mark.parametrize("at_once", [1, 2, 8])
def test_few_requests_at_once_find_a_higher_limit(at_once: int) -> None:
    """They are made so large that they use the pace, however slow the answers are."""
    learning, now = steady()
    before, until = learning.pacer.pace, now + 1800.0
    while now < until:
        sent = []
        for _ in range(at_once):
            now += learning.pacer.wait(100, now)
            sent.append((int(learning.pacer.room(100, now) + 0.5), now))
            learning.note_sent(*sent[-1], at_once=len(sent))
        now = max(now, sent[0][1] + 6.0)
        for texts, at in sent:
            learning.accept(texts, at, now)

    assert learning.pacer.pace > 1.5 * before


def test_a_limit_that_is_much_lower_now_is_found_in_minutes() -> None:
    """However fast a load went before, it does not go on in vain for long."""
    learning, now = steady(30_000, 120.0)
    before, until = learning.pacer.pace, now + 600.0
    while now < until:
        accepted(learning, now, 1)
        refused(learning, now + 0.2, told=1.0, texts=int(learning.pacer.chunk))
        now += 1.3

    assert learning.pacer.pace < before / 50


def test_a_request_loses_what_a_delay_says_was_too_much() -> None:
    """Who came a hundredth of a second too early need not send smaller requests."""
    learning, now = steady()
    pacer = learning.pacer
    seconds = pacer.chunk / pacer.pace
    for _ in range(5):
        accepted(learning, now, int(pacer.chunk))
        now += pacer.chunk / pacer.pace
        refused(learning, now, told=0.01, texts=int(pacer.chunk))
        now += 15.0

    assert pacer.chunk / pacer.pace > 0.9 * seconds


def test_refusals_for_something_else_leave_requests_their_size() -> None:
    """A delay that is longer than the request takes at the pace says nothing of what fits."""
    learning, now = steady(60_000)
    pacer = learning.pacer
    for _ in range(12):
        accepted(learning, now, int(pacer.chunk))
        refused(learning, now + 1, told=10.0, texts=1)
        now += 30.0

    assert pacer.pace > 8
    assert pacer.chunk >= round(0.3 * pacer.pace)
