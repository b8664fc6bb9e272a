"""How calls share a quota, known or not: in virtual time, hours in milliseconds."""

from __future__ import annotations

import asyncio
import itertools
from math import ceil
from typing import TYPE_CHECKING, Any

import pytest
import virtual
from calls.driving import WAYS, embedded, failed, texts
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual import Service, assert_right, engine, now, request

from gemini_embed.errors import (
    BadResponseError,
    DailyQuotaError,
    GeminiEmbedError,
    QuotaExceededError,
    ServiceUnavailableError,
)
from gemini_embed.pacing.quota import Quota, limiter_of
from gemini_embed.service.refusals import refusal

if TYPE_CHECKING:
    from gemini_embed.ask import Ask
    from gemini_embed.contents import Batch
    from gemini_embed.service.answer import Answer
    from gemini_embed.usage import Usage


def ideal(count: int, service: Service) -> float:
    return service.period * (ceil(count / service.limit) - 1)


def test_a_known_quota_is_used_whole_and_never_exceeded() -> None:
    """20,000 texts at 100 a minute take 200 minutes and finish, without one refusal."""
    service = Service(limit=100)

    seconds = embedded(service, texts(20_000), quota=Quota(requests=100))

    assert service.refused == []
    assert seconds <= 1.05 * ideal(20_000, service)


def test_a_known_quota_larger_than_a_batch() -> None:
    """600 a minute: six batches at once, then the next minute."""
    service = Service(limit=600)

    seconds = embedded(service, texts(1500), quota=Quota(requests=600))

    assert service.refused == []
    assert seconds <= 1.05 * ideal(1500, service)


@pytest.mark.parametrize(
    ("limit", "period", "most"),
    [(300, 5, 1.05), (250, 5, 1.4), (1000, 5, 1.08), (60, 60, 1.3), (3000, 60, 1.05)],
)
def test_an_unknown_quota_is_learned(limit: int, period: float, most: float) -> None:
    """Refusals that only carry a delay teach limit and window; few are needed after the second."""
    service = Service(limit=limit, period=period)

    seconds = embedded(service, texts(limit * 10))

    assert seconds <= most * ideal(limit * 10, service)
    late = sum(at >= 2 * period for at, _ in service.refused)
    assert late <= 0.1 * len(service.batches)


@pytest.mark.parametrize("limit", [40, 100, 250, 3000])
def test_a_named_limit_is_learned_from_once(limit: int) -> None:
    """After the first window in which the service names its limit, nothing is refused again."""
    service = Service(limit=limit, named=True)

    seconds = embedded(service, texts(limit * 5 + 1))

    assert all(at < 60 for at, _ in service.refused)
    assert seconds <= 1.1 * ideal(limit * 5 + 1, service)
    assert max(len(batch.texts) for batch in service.batches[-3:]) <= limit


def test_a_limit_that_grows_is_found() -> None:
    """What was learned of a quota is not believed for ever."""
    service = Service(limit=100, period=1)

    async def main() -> float:
        made = engine(service)
        await made.embed(*request(texts(1000)))
        service.limit = 1000
        await made.embed(*request([f"more {i}" for i in range(10_000)]))
        begun = now()
        await made.embed(*request([f"yet more {i}" for i in range(5000)]))
        return now() - begun

    assert virtual.run(main()) < 20  # at the old limit it would take 49 seconds


def test_tokens_are_counted_too() -> None:
    """A limit on tokens holds, and a text larger than the whole limit still goes, alone."""
    wanted = [f"{i:02}" + "1" * 998 for i in range(20)]  # a digit is a token
    service = Service()

    seconds = embedded(service, [*wanted, "2" * 5000], quota=Quota(tokens=3100))

    assert [len(batch.texts) for batch in service.batches] == [3] * 6 + [2, 1]
    assert seconds == pytest.approx(60 * 7, rel=0.05)


def test_all_wait_as_told() -> None:
    """After a refusal nothing leaves before the time the service named, whoever sends it."""
    service = Service(limit=100, named=True)
    embedded(service, texts(300))

    sends = [at for at, _ in service.counted + service.refused]
    first = min(at for at, _ in service.counted)
    assert not [at for at in sends if first + 0.2 < at < first + 60]


def test_a_query_overtakes_a_bulk_load() -> None:
    """A query asked during a bulk load waits for the next free slot, not for the load."""

    async def main() -> tuple[float, float]:
        service = Service(trouble=lambda _: (0.5, 0.5))
        made = engine(service, max_concurrency=2)
        bulk = asyncio.create_task(made.embed(*request(texts(5000))))
        await asyncio.sleep(3.2)
        begun = now()
        await made.embed(*request(["q"], role="query"))
        waited = now() - begun
        await bulk
        return waited, now()

    waited, total = virtual.run(main())

    assert waited < 2
    assert total > 24


def test_embedders_that_share_a_quota_share_its_limit() -> None:
    """One `Quota` object holds for all embedders it is given to."""
    service = Service(limit=100)
    quota = Quota(requests=100)

    async def main() -> float:
        both = [engine(service, quota=quota) for _ in range(2)]
        await asyncio.gather(*(one.embed(*request(texts(250))) for one in both))
        return now()

    seconds = virtual.run(main())

    assert service.refused == []
    assert seconds == pytest.approx(240, rel=0.05)


def test_a_refusal_without_delay_is_tried_by_one_request_at_a_time() -> None:
    """Until one is accepted; then all go at once again."""
    refusals = itertools.count()
    under_way: list[int] = []

    def trouble(_: Batch) -> tuple[float, float] | GeminiEmbedError:
        under_way.append(service.under_way)
        return QuotaExceededError("busy") if 8 <= next(refusals) < 20 else (0.1, 0.1)

    service = Service(trouble=trouble)
    embedded(service, texts(6000))

    assert under_way[16:20] == [1] * 4
    assert max(under_way[20:]) == 8


def test_a_spent_day_stops_at_once() -> None:
    """A daily quota is not waited for; the error says when it resets and keeps what was done."""
    calls = itertools.count()

    def trouble(_: Batch) -> tuple[float, float] | GeminiEmbedError:
        if next(calls) < 3:
            return 0.05, 0.05
        violation = {"quotaId": "EmbedContentRequestsPerDay", "quotaValue": "1000"}
        return refusal(429, {"error": {"details": [{"violations": [violation]}]}})

    service = Service(trouble=trouble)
    error = failed(service, texts(5000), max_concurrency=1)

    assert isinstance(error, DailyQuotaError)
    assert error.resets_at is not None
    assert "resets at midnight Pacific" in str(error)
    assert "300 of 5000 texts were finished" in str(error)
    assert sorted(error.partial) == list(range(300))
    assert len(service.batches) == 4


def test_a_query_is_not_tried_for_ever() -> None:
    """A 429 that says nothing of when ends a query after a limited number of times."""
    service = Service(trouble=lambda _: QuotaExceededError("Resource exhausted."))

    error = failed(service, ["a"], call={"max_retries": 2, "role": "query"})

    assert isinstance(error, QuotaExceededError)
    assert len(service.batches) == 3


def test_a_load_goes_on_while_anything_is_accepted() -> None:
    """Refusals that tell nothing end a load after ten minutes without any answer, not before."""
    count = itertools.count()

    def trouble(_: Batch) -> tuple[float, float] | GeminiEmbedError:
        busy = 10 <= next(count) < 20 or len(service.counted) >= 30
        return QuotaExceededError("Resource exhausted.") if busy else (0.1, 0.1)

    service = Service(trouble=trouble)
    error = failed(service, texts(5000), max_concurrency=1)

    assert isinstance(error, QuotaExceededError)
    assert len(error.partial) == sum(texts for _, texts in service.counted) > 2000
    accepted = max(at for at, _ in service.counted)
    assert accepted < 600
    assert len(service.batches) < 100


@pytest.mark.parametrize("told", [5.0, None])
def test_a_load_goes_on_while_queries_are_accepted(told: float | None) -> None:
    """A load that gets nothing for half an hour goes on: the service answers, if only others."""

    def trouble(batch: Batch) -> tuple[float, float] | GeminiEmbedError:
        busy = now() < 1800 and batch.texts != ["?"]
        return refused(retry_after=told) if busy else (0.05, 0.05)

    service = Service(trouble=trouble)

    async def main() -> float:
        made = engine(service)
        loading = asyncio.ensure_future(made.embed(*request(texts(400))))
        while not loading.done():
            await made.embed(*request(["?"], role="query"))
            await asyncio.sleep(20)
        assert_right(await loading, texts(400))
        return now()

    assert 1800 < virtual.run(main()) < 3600


TROUBLE = st.one_of(
    WAYS,
    WAYS,
    WAYS,
    st.sampled_from(["503", "short", "capacity"]),
)


@settings(max_examples=60)
@given(
    data=st.data(),
    limit=st.integers(1, 250),
    count=st.integers(0, 400),
    size=st.integers(1, 100),
    width=st.integers(1, 12),
    cancelled=st.lists(st.floats(0, 100), max_size=3),
)
def test_a_known_quota_is_never_exceeded_under_any_schedule(  # noqa: PLR0917 - hypothesis
    data: st.DataObject,
    limit: int,
    count: int,
    size: int,
    width: int,
    cancelled: list[float],
) -> None:
    """No window ever holds more than the limit, and no text is lost, doubled or misplaced."""
    service = Service(limit=limit, period=60)

    def trouble(_: Batch) -> tuple[float, float] | GeminiEmbedError:
        match drawn := data.draw(TROUBLE):
            case "503":
                return ServiceUnavailableError("503")
            case "short":
                return BadResponseError("short")
            case "capacity":
                return QuotaExceededError("Resource exhausted.")
            case _:
                return drawn  # type: ignore[return-value] # the two ways

    async def main() -> None:
        service.trouble = trouble
        made = engine(service, max_concurrency=width, quota=Quota(requests=limit))
        for wait in cancelled:
            other = asyncio.create_task(made.embed(*request(texts(50), max_retries=1000)))
            await asyncio.sleep(wait)
            other.cancel()
            await asyncio.wait([other])
            # A request that was on its way when its sender was cancelled is lost, not counted.
        wanted = texts(count)
        result = await made.embed(*request(wanted, batch_size=size, max_retries=1000))
        assert_right(result, wanted)

    virtual.run(main())

    assert service.refused == []


@settings(max_examples=40)
@given(
    data=st.data(),
    limit=st.integers(1, 250),
    period=st.sampled_from([1.0, 5.0, 60.0]),
    named=st.booleans(),
    count=st.integers(0, 400),
)
def test_an_unknown_quota_never_costs_a_text(
    data: st.DataObject, limit: int, period: float, count: int, *, named: bool
) -> None:
    """Under any quota that must be learned, every text gets its own vector in the end."""
    service = Service(limit=limit, period=period, named=named)
    service.trouble = lambda _: data.draw(WAYS)

    embedded(service, texts(count))


def refused(message: str = "429", **evidence: Any) -> QuotaExceededError:
    return QuotaExceededError(message, status=429, **evidence)


def test_a_tiny_delay_told_again_and_again_grows() -> None:
    """A service that says to come back at once, for ever, is not asked at full speed."""
    service = Service(trouble=lambda _: refused(retry_after=0.001))

    failed(service, ["a"], call={"deadline": 60})

    assert len(service.batches) < 60


def test_a_request_that_does_not_fit_becomes_smaller() -> None:
    """A quota that was claimed too large, and that no refusal names, does not stop a load."""
    service = Service(limit=50, period=60)

    seconds = embedded(service, texts(300), quota=Quota(requests=100))

    assert seconds < 30 * 60
    assert service.most_in_a_window() <= 50


def test_one_refusal_does_not_slow_queries() -> None:
    """Of a service that was busy once, no limit is learned."""
    first = iter([refused(retry_after=0.3)])
    service = Service(trouble=lambda _: next(first, (0.05, 0.05)))

    async def main() -> float:
        made = engine(service)
        for text in texts(20):
            await made.embed(*request([text], role="query"))
        return now()

    assert virtual.run(main()) < 5


@pytest.mark.parametrize("told", [-3, 0, 10**9, 10**400])
def test_a_token_count_that_cannot_be_is_not_believed(told: int) -> None:
    """Neither in the usage nor by the quota, which would wait for ever, or not at all."""

    class Lies(Service):
        async def send(self, batch: Batch, ask: Ask) -> Answer:
            return (await super().send(batch, ask))._replace(prompt_tokens=told)

    quota = Quota(tokens=100_000)

    async def main() -> Usage:
        made = engine(Lies(), quota=quota)
        return (await made.embed(*request(texts(250)))).usage

    assert virtual.run(main()).prompt_tokens is None
    assert limiter_of(quota).tokens_per_estimate == 1


def test_queries_do_not_starve_a_long_text() -> None:
    """A text that needs nearly all tokens of a minute goes, although queries take some each."""
    service = Service()

    async def main() -> float:
        made = engine(service, quota=Quota(tokens=100))

        async def ask() -> None:
            while True:
                await made.embed(*request(["query" * 20], role="query"))
                await asyncio.sleep(5)

        queries = asyncio.create_task(ask())
        await asyncio.sleep(60)
        async with asyncio.timeout(3600):
            await made.embed(*request(["long " * 90]))
        queries.cancel()
        return now()

    assert virtual.run(main()) < 5 * 60
