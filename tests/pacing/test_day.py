"""The quota of a day, on a clock that is a number; tests/calls has what it does to calls."""

from __future__ import annotations

import math
import pickle
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_embed import Quota
from gemini_embed.pacing.day import DailyLimit, Entry, day_at, next_reset

PACIFIC = ZoneInfo("America/Los_Angeles")
MIDNIGHT = datetime(2026, 11, 20, tzinfo=PACIFIC).timestamp()
NOON = MIDNIGHT + 12 * 3600
HOUR = 3600.0
DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("now", "reset"),
    [
        (datetime(2026, 11, 23, 5, 0, tzinfo=UTC), datetime(2026, 11, 23, 8, 0, tzinfo=UTC)),
        (datetime(2026, 11, 23, 8, 0, tzinfo=UTC), datetime(2026, 11, 24, 8, 0, tzinfo=UTC)),
        (datetime(2026, 7, 1, 6, 0, tzinfo=UTC), datetime(2026, 7, 1, 7, 0, tzinfo=UTC)),
        (datetime(2026, 3, 8, 9, 0, tzinfo=UTC), datetime(2026, 3, 9, 7, 0, tzinfo=UTC)),
        (datetime(2026, 11, 1, 7, 30, tzinfo=UTC), datetime(2026, 11, 2, 8, 0, tzinfo=UTC)),
    ],
)
def test_the_day_ends_at_midnight_pacific(now: datetime, reset: datetime) -> None:
    """Summer time included."""
    assert next_reset(now) == reset


@pytest.mark.parametrize(
    ("day", "hours"),
    [((2026, 3, 8), 23), ((2026, 11, 1), 25), ((2026, 11, 20), 24), ((2027, 1, 1), 24)],
)
def test_a_day_has_the_hours_that_it_has(day: tuple[int, int, int], hours: int) -> None:
    """On the two days of a change of clocks nobody comes an hour early, or waits one too long."""
    found = day_at(datetime(*day, 12, tzinfo=PACIFIC).timestamp())

    assert found.ends - found.begins == hours * HOUR
    ends = datetime.fromtimestamp(found.ends, PACIFIC)
    assert (ends.date(), ends.hour) == (datetime(*day, tzinfo=PACIFIC).date() + timedelta(1), 0)


@given(st.floats(0, 4e9))
def test_days_follow_each_other(now: float) -> None:
    """Every moment is in one day, and the next day has the next number."""
    day = day_at(now)

    assert day.begins <= now < day.ends
    assert day_at(day.ends).number == day.number + 1
    assert day_at(day.ends).begins == day.ends
    assert day_at(day.begins) == day


def sent(limit: DailyLimit, texts: int, now: float) -> None:
    number = limit.today(now).number
    limit.know(number, limit.entry(number).with_sent(texts))


def test_what_is_told_holds_until_midnight() -> None:
    """A thousand a day are a thousand, and the next day has its own."""
    limit = DailyLimit(1000)
    sent(limit, 963, NOON)

    assert (limit.room(NOON), limit.wait(NOON)) == (37, 0)
    sent(limit, 37, NOON)
    assert (limit.room(NOON), limit.wait(NOON)) == (0, 12 * HOUR + 1)
    assert limit.room(NOON + 12 * HOUR) == 1000
    assert limit.resets_at(NOON) == datetime(2026, 11, 21, tzinfo=PACIFIC)


def test_a_clock_that_is_set_back_finds_its_day_again() -> None:
    """What was sent on a day is not forgotten because the clock was wrong for a while."""
    limit = DailyLimit(1000)
    sent(limit, 600, NOON)

    assert limit.room(NOON + DAY) == 1000
    assert limit.room(NOON) == 400


def test_nothing_is_known_without_a_word() -> None:
    """Without a limit there is room for all, at no time an end of the day."""
    limit = DailyLimit(None)
    sent(limit, 10**6, NOON)

    assert (limit.room(NOON), limit.wait(NOON), limit.limit(NOON)) == (math.inf, 0, math.inf)


def test_what_is_under_way_may_come_back() -> None:
    """The day is not over before the last request has ended: a refused one leaves room again."""
    limit = DailyLimit(100)
    taken = limit.begin(100)

    assert (limit.room(NOON), limit.wait(NOON)) == (0, math.inf)
    limit.end(taken, answered=False, now=NOON)
    assert limit.room(NOON) == 100


def test_a_request_that_leaves_before_midnight_may_count_after_it() -> None:
    """The service counts it when it comes to it, so there is room for less on both days."""
    limit = DailyLimit(100)
    late = MIDNIGHT + DAY - 1
    taken = limit.begin(30)
    taken.day = limit.today(late).number
    sent(limit, 30, late)

    assert limit.room(late) == 70
    assert limit.room(late + 2) == 70
    assert limit.end(taken, answered=True, now=late + 2)


def test_a_refusal_teaches_the_limit_for_some_days() -> None:
    """What was named is believed for a week; then it is tried again: people move to other tiers."""
    today = day_at(NOON).number
    entry = Entry(sent=1000).with_refusal(1000, None, today, day_at(NOON).ends)

    assert entry.left(None, day_at(NOON), NOON) == 0
    later = entry.for_another_day()
    assert later.left(None, day_at(NOON + DAY), NOON + DAY) == 1000
    assert later.limit(None, today + 6) == 1000
    assert later.limit(None, today + 7) == math.inf


def test_a_limit_that_nobody_names_is_full_for_the_day_only() -> None:
    """The next day is tried anew."""
    entry = Entry(sent=500).with_refusal(None, None, day_at(NOON).number, day_at(NOON).ends)

    assert entry.left(None, day_at(NOON), NOON) == 0
    assert entry.for_another_day().left(None, day_at(NOON + DAY), NOON + DAY) == math.inf


@pytest.mark.parametrize(
    ("told", "later", "left"),
    [
        (None, None, 0),
        (5000, 5000, 0),  # it was too much, and stays so
        (None, 800, 0),
        (None, 5000, 4000),  # who tells more now has moved to a higher tier
    ],
)
def test_who_tells_more_after_a_refusal_is_believed(
    told: int | None, later: int | None, left: int
) -> None:
    """A wall that is no longer there can be removed by a word, and only by a new one."""
    day = day_at(NOON)
    entry = Entry(sent=1000).with_refusal(1000, told, day.number, day.ends)

    assert entry.left(later, day, NOON) == left


def test_a_refusal_just_after_midnight_may_be_for_the_day_before() -> None:
    """A clock that is some minutes fast costs minutes, not a day."""
    limit, early = DailyLimit(None), MIDNIGHT + 60
    ends = day_at(early).ends

    sent(limit, 100, early)
    assert limit.full_until(1000, early) == early + 600
    sent(limit, 900, early)
    assert limit.full_until(1000, early) == early + 600  # nothing was answered today
    taken = limit.begin(100)
    taken.day = limit.today(early).number
    limit.end(taken, answered=True, now=early)
    assert limit.full_until(1000, early) == ends
    assert DailyLimit(None).full_until(None, NOON) == ends


def test_a_quota_carries_its_day() -> None:
    """A pickle keeps what was told of it, and a release before this one is read as well."""
    quota = Quota(requests=100, requests_per_day=1000)
    again = pickle.loads(pickle.dumps(quota))  # noqa: S301 - our own bytes

    assert again is quota
    assert repr(quota).endswith("requests_per_day=1000)")
    assert Quota(5, None, 60.0, 0.02).requests_per_day is None
