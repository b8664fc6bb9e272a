"""How calls meet the quota of a day: in virtual time, and with real files."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import virtual
from calls.driving import embedded, failed, texts
from virtual import Service, assert_right, engine, now, request, vector

from gemini_embed.background import threads
from gemini_embed.cache import SQLiteCache
from gemini_embed.cache.guard import GuardedCache
from gemini_embed.errors import DailyQuotaError, HookError, QuotaExceededError
from gemini_embed.observe.events import Waiting
from gemini_embed.pacing.quota import Quota, limiter_of
from gemini_embed.service.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gemini_embed.contents import Batch
    from gemini_embed.errors import GeminiEmbedError
    from gemini_embed.observe.events import Retry

NEVER = datetime.max.replace(tzinfo=UTC)
HOUR = 3600.0
DAY = 24 * HOUR


class _AtOnce:
    """Does at once what worker threads would do while virtual time stands still."""

    def begin(self, work: Callable[[], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        threads._do(future, work)
        return future


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_workers", _AtOnce())


def opened(path: Path) -> dict[str, Any]:
    """Return the options of an engine that keeps vectors, and the count of a day, in a file."""
    cache = GuardedCache(SQLiteCache(path))
    return {"cache": cache, "day_book": cache.day_book("an account")}


def test_a_known_limit_is_used_whole_and_never_exceeded() -> None:
    """What fits into the day is sent; the error says how much is done, left, and till when."""
    service = Service(limit=100, per_day=250)
    error = failed(service, texts(700), quota=Quota(100, requests_per_day=250))

    assert isinstance(error, DailyQuotaError)
    assert error.status is None
    assert service.refused == []
    assert sorted(error.partial) == list(range(250))
    assert error.indexes == tuple(range(250, 700))
    assert str(error) == (
        "the daily quota of gemini-embedding-2 is used up: 250 texts a day, 250 sent today (the "
        "day's quota resets at midnight Pacific, 2026-11-21 00:00 PST; 450 texts between 250 and "
        "699); 250 of 700 texts were finished, 450 left"
    )


def test_a_refusal_teaches_what_nobody_told() -> None:
    """The error is the service's; further calls of the process ask no more on this day."""
    service = Service(per_day=250, named=True)
    quota = Quota()

    async def main() -> list[DailyQuotaError]:
        caught = []
        for _ in range(2):
            with pytest.raises(DailyQuotaError) as error:
                await engine(service, quota=quota, max_concurrency=1).embed(*request(texts(700)))
            caught.append(error.value)
        return caught

    first, second = virtual.run(main())

    assert (first.status, first.quota_value) == (429, 250)
    assert len(first.partial) == 200
    assert "0 of 700 texts were finished, 700 left" in str(second)
    assert len(service.refused) == 1


@pytest.mark.parametrize("told", [None, 250])
def test_a_call_that_waits_goes_on_after_midnight(
    told: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever `max_wait` says; after the wall was met once, nothing is refused any more."""
    service = Service(limit=100, per_day=250, named=True)
    retries: list[Retry] = []
    quota = Quota(100, requests_per_day=told)

    seconds = embedded(
        service,
        texts(700),
        quota=quota,
        on_retry=retries.append,
        call={"on_daily_quota": "wait", "max_wait": 1.0},
    )

    assert 2 * DAY < seconds < 2 * DAY + 200
    assert list(service.days.values()) == ([200, 250, 250] if told is None else [250, 250, 200])
    assert len(service.refused) == len(retries) == (told is None)
    assert all(retry.wait > 23 * HOUR for retry in retries)
    long = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert any("2026-11-21 00:00 PST: 250 texts a day" in one for one in long)


def test_a_minutes_refusal_after_a_long_wait_ends_nothing() -> None:
    """A call that waited for a day was not idle in vain."""
    refusals = iter([QuotaExceededError("429", status=429, retry_after=5.0)])

    def trouble(_: Batch) -> tuple[float, float] | GeminiEmbedError:
        return next(refusals, (0.05, 0.05)) if now() > DAY else (0.05, 0.05)

    service = Service(per_day=100, trouble=trouble)

    embedded(
        service, texts(150), quota=Quota(requests_per_day=100), call={"on_daily_quota": "wait"}
    )


def test_a_deadline_bounds_the_wait_for_a_day() -> None:
    """It ends with what was done, and says what it was waiting for."""
    call = {"on_daily_quota": "wait", "deadline": HOUR}
    error = failed(Service(), texts(150), quota=Quota(requests_per_day=100), call=call)

    assert isinstance(error, DailyQuotaError)
    assert error.deadline_passed
    assert sorted(error.partial) == list(range(100))


def test_one_that_ends_does_not_wait_behind_one_that_waits() -> None:
    """Calls that share a quota may choose differently."""
    service = Service(per_day=100)
    quota = Quota(requests_per_day=100)

    async def main() -> float:
        waiting = asyncio.create_task(
            engine(service, quota=quota).embed(*request(texts(150), on_daily_quota="wait"))
        )
        await asyncio.sleep(10)
        with pytest.raises(DailyQuotaError):
            await engine(service, quota=quota).embed(*request(["a"], role="query"))
        with pytest.raises(DailyQuotaError):
            await engine(service, quota=quota).embed(*request(["b"]))
        ended = now()
        assert_right(await waiting, texts(150))
        return ended

    assert virtual.run(main()) == pytest.approx(10, abs=1)


def test_who_watches_and_fails_ends_one_call_only() -> None:
    """What an observer raises while its call waits is that call's error; others wait on."""

    class Failing:
        sees = (Waiting,)

        def __call__(self, event: Waiting) -> None:
            raise HookError(f"no waiting for {event.seconds}")

    service = Service(per_day=100)
    quota = Quota(50, requests_per_day=100)

    async def main() -> float:
        made = engine(service, quota=quota)
        waiting = asyncio.create_task(made.embed(*request(texts(150), on_daily_quota="wait")))
        await asyncio.sleep(10)
        for _ in range(2):  # for a minute, and for a day
            other = engine(service, quota=quota, observers=[Failing()])
            with pytest.raises(HookError):
                await other.embed(*request(["other"], on_daily_quota="wait"))
            await asyncio.sleep(HOUR)
        ended = now()
        assert_right(await waiting, texts(150))
        return ended

    assert virtual.run(main()) < 2 * HOUR + 100


def test_a_limit_on_tokens_is_none_on_texts() -> None:
    """A refusal that counts something else says only that the day is over."""
    error = refusal(429, virtual.spent(5))
    tokens = DailyQuotaError("429", quota_id="TokensPerDay", quota_value=5, resets_at=NEVER)
    for one, limit in ((error, 5), (tokens, math.inf)):
        quota = Quota()
        failed(Service(trouble=lambda _, one=one: one), ["a"], quota=quota)  # type: ignore[misc] # bound now
        assert limiter_of(quota).daily.limit(virtual.MIDNIGHT) == limit


def test_none_at_all_is_not_waited_for() -> None:
    """A key without any quota gets none tomorrow either."""
    service = Service(trouble=lambda _: DailyQuotaError("limit: 0", status=429, quota_value=0))

    error = failed(service, ["a"], call={"on_daily_quota": "wait"})

    assert isinstance(error, DailyQuotaError)
    assert error.resets_at is None


def test_a_moved_clock_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that slept, or whose clock was set, goes on within a minute of midnight."""
    offset = 0.0
    monkeypatch.setattr(virtual, "wall", lambda: virtual.MIDNIGHT + now() + offset)
    service = Service(per_day=100, clock=virtual.wall)

    async def main() -> float:
        nonlocal offset
        made = engine(service, quota=Quota(requests_per_day=100))
        waiting = asyncio.create_task(made.embed(*request(texts(150), on_daily_quota="wait")))
        await asyncio.sleep(HOUR)
        offset = 23.5 * HOUR
        await waiting
        return now()

    assert HOUR < virtual.run(main()) <= HOUR + 62


def test_what_was_refused_for_a_minute_is_not_counted_for_the_day() -> None:
    """The day's limit is used whole although another one refuses now and then."""
    outcomes = iter([QuotaExceededError("429", status=429, retry_after=1.0)] * 3)
    service = Service(per_day=300, trouble=lambda _: next(outcomes, (0.05, 0.05)))

    embedded(service, texts(300), quota=Quota(requests_per_day=300))


def test_what_got_lost_counts() -> None:
    """A request without an answer may have been counted: the limit is never exceeded."""
    outcomes: list[Any] = [(0.05, 400.0), (0.05, 0.05)]
    service = Service(per_day=1000, trouble=lambda _: outcomes.pop(0))

    async def main() -> DailyQuotaError:
        made = engine(service, quota=Quota(requests_per_day=200), max_concurrency=1)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(made.embed(*request(texts(100))), 1.0)
        with pytest.raises(DailyQuotaError) as caught:
            await made.embed(*request([f"more {i}" for i in range(150)]))
        return caught.value

    assert len(virtual.run(main()).partial) == 100


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("told", [None, 1000])
def test_a_free_tier_finishes_in_a_week(told: int | None, tmp_path: Path) -> None:
    """5,500 texts at 100 a minute and 1,000 a day, killed once a day, are done on day seven.

    A kill costs one batch at most, and once the wall was met nothing is refused any more.
    """
    sent: Counter[float] = Counter()
    fifth = asyncio.Event()

    def trouble(_: Batch) -> tuple[float, float]:
        sent[now() // DAY] += 1
        if sent[now() // DAY] == 5:
            fifth.set()
        return 0.05, 0.05

    service = Service(limit=100, per_day=1000, named=True, trouble=trouble)
    wanted = texts(5500)
    kills = 0

    async def killed() -> bool:
        """Run the job; tell whether it was killed, with the fifth batch of the day under way."""
        nonlocal kills
        quota = Quota(100, requests_per_day=told)
        made = engine(service, quota=quota, **opened(tmp_path / "cache"))
        load = asyncio.create_task(made.embed(*request(wanted, on_daily_quota="wait")))
        kill = asyncio.create_task(fifth.wait())
        await asyncio.wait([load, kill], return_when=asyncio.FIRST_COMPLETED)
        if load.done():
            kill.cancel()
            assert_right(load.result(), wanted)
            return False
        fifth.clear()
        load.cancel()
        await asyncio.wait([load])
        kills += 1
        await asyncio.sleep(60)
        return True

    async def main() -> None:
        while await killed():
            pass

    virtual.run(main())

    assert len(service.days) <= 7
    assert max(service.days.values()) <= 1000
    assert kills >= 5
    assert sum(service.days.values()) <= 5500 + 100 * kills
    assert len(service.refused) == (told is None)


@pytest.mark.usefixtures("at_once")
def test_a_second_run_knows_the_wall_of_the_first(tmp_path: Path) -> None:
    """The file keeps how much was sent, and what a refusal taught: nobody asks again in vain."""
    service = Service(per_day=250, named=True)

    def run() -> GeminiEmbedError:
        return failed(service, texts(700), **opened(tmp_path / "cache"))

    assert len(run().partial) == 200
    assert len(run().partial) == 200  # from the cache
    assert len(service.refused) <= 8  # those that left together
    refused = len(service.refused)

    async def next_day() -> int:
        await asyncio.sleep(DAY)
        made = engine(service, **opened(tmp_path / "cache"))
        with pytest.raises(DailyQuotaError) as caught:
            await made.embed(*request(texts(700)))
        return len(caught.value.partial)

    assert virtual.run(next_day()) == 450
    assert len(service.refused) == refused
    assert sum(service.days.values()) == 450


@pytest.mark.usefixtures("at_once")
def test_what_was_sent_before_there_was_a_file_is_counted_in_it(tmp_path: Path) -> None:
    """An embedder with a cache joins one without: their common quota is counted whole."""
    quota, options = Quota(requests_per_day=300), opened(tmp_path / "cache")

    async def main() -> int:
        await engine(Service(), quota=quota).embed(*request(texts(120)))
        for begin in (200, 300):
            await engine(Service(), quota=quota, **options).embed(*request([str(begin)]))
        book, today = options["day_book"], limiter_of(quota).daily.today(virtual.wall()).number
        return int(book.change(today, lambda entry: entry, patient=True)[1].sent)

    assert virtual.run(main()) == 122


@pytest.mark.usefixtures("at_once")
def test_what_is_about_to_be_sent_is_in_the_file_before(tmp_path: Path) -> None:
    """Killed at any moment, a job has counted all that the service has."""
    seen: list[tuple[int, int]] = []
    options = opened(tmp_path / "cache")

    def trouble(_: Batch) -> tuple[float, float]:
        _, entry = options["day_book"].change(today, lambda one: one, patient=True)
        seen.append((entry.sent, sum(len(batch) for batch in service.batches)))
        return 0.05, 0.05

    service = Service(trouble=trouble)
    today = limiter_of(Quota()).daily.today(virtual.MIDNIGHT + 60).number
    embedded(service, texts(1000), **options)

    assert len(seen) == 10
    assert all(counted >= sent for counted, sent in seen)


def test_the_vector_of_a_text_is_its_own() -> None:
    """A batch that is cut to what the day has left mixes nothing up."""
    error = failed(Service(), texts(120), quota=Quota(requests_per_day=117), max_concurrency=3)

    assert {i: list(row) for i, row in error.partial.items()} == {
        i: vector(text) for i, text in enumerate(texts(117))
    }
