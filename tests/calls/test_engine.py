"""The engine in virtual time: quotas, faults and cancellations, over hours, in milliseconds."""

from __future__ import annotations

import asyncio
import copy
import itertools
from math import ceil
from typing import TYPE_CHECKING, Any

import pytest
import virtual
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual import Service, assert_right, engine, now, request

from gemini_embed.calls import limits
from gemini_embed.errors import (
    AuthenticationError,
    BadResponseError,
    DailyQuotaError,
    GeminiEmbedError,
    HookError,
    InternalError,
    QuotaExceededError,
    RequestError,
    ServiceUnavailableError,
)
from gemini_embed.pacing.quota import Quota
from gemini_embed.service.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.ask import Ask
    from gemini_embed.contents import Batch
    from gemini_embed.observe.events import Retry
    from gemini_embed.results import EmbeddingResult, Usage
    from gemini_embed.service.answer import Answer

WAYS = st.tuples(st.floats(0.001, 2), st.floats(0.001, 2))


def texts(count: int) -> list[str]:
    return [f"{i:x}" for i in range(count)]


def embedded(
    service: Service, wanted: list[str], *, call: dict[str, Any] | None = None, **options: Any
) -> float:
    """Embed in virtual time, check every vector, and return the seconds it took."""

    async def main() -> tuple[EmbeddingResult, float]:
        result = await engine(service, **options).embed(*request(wanted, **(call or {})))
        return result, now()

    result, seconds = virtual.run(main())
    assert_right(result, wanted)
    return seconds


def failed(
    service: Service, wanted: list[str], *, call: dict[str, Any] | None = None, **options: Any
) -> GeminiEmbedError:
    async def main() -> EmbeddingResult:
        return await engine(service, **options).embed(*request(wanted, **(call or {})))

    with pytest.raises(GeminiEmbedError) as caught:
        virtual.run(main())
    return caught.value


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

    assert virtual.run(main()) < 25  # at the old limit it would take 49 seconds


def test_tokens_are_counted_too() -> None:
    """A limit on tokens holds, and a text larger than the whole limit still goes, alone."""
    long = "x" * 4000
    wanted = [f"{i}{long}" for i in range(20)]
    service = Service()

    seconds = embedded(service, [*wanted, "y" * 20_000], quota=Quota(tokens=3100))

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


def test_no_retries_are_no_retries() -> None:
    """Where the caller allows none, a 429 that says nothing of when ends a load at once."""
    service = Service(trouble=lambda _: QuotaExceededError("Resource exhausted."))

    failed(service, ["a"], call={"max_retries": 0})

    assert len(service.batches) == 1


def test_waiting_for_a_quota_is_not_a_retry() -> None:
    """Even with no retries at all, a per-minute quota is waited out."""
    service = Service(limit=10, named=True)

    embedded(service, texts(50), call={"max_retries": 0})


def test_a_deadline_bounds_everything() -> None:
    """`deadline` ends a call that waits for a quota, with the reason and what was done."""
    error = failed(Service(limit=100, named=True), texts(500), call={"deadline": 90})

    assert isinstance(error, QuotaExceededError)
    assert "the deadline passed" in str(error)
    assert len(error.partial) == 200
    assert set(error.indexes) == set(range(500)) - set(error.partial)


def test_a_deadline_without_any_failure_says_so() -> None:
    """A slow service and a short deadline give a named error too."""
    error = failed(Service(trouble=lambda _: (50, 50)), texts(1), call={"deadline": 1})

    assert isinstance(error, ServiceUnavailableError)


POISON = "bad"


def rejects(batch: Batch) -> tuple[float, float] | GeminiEmbedError:
    if any(text.startswith(POISON) for text in batch.texts):
        return RequestError(
            "400", status=400, message="EmbedContentRequest.content is not allowed."
        )
    return 0.05, 0.05


@given(st.sets(st.integers(0, 299), min_size=1, max_size=3))
@settings(deadline=None, max_examples=30)
def test_a_poisoned_batch_does_not_sink_its_neighbours(places: set[int]) -> None:
    """The rejected texts are found and named; every other text has its vector in `partial`."""
    wanted = [POISON + str(i) if i in places else f"{i:x}" for i in range(300)]
    service = Service(trouble=rejects)

    error = failed(service, wanted)

    assert isinstance(error, RequestError)
    assert error.indexes == tuple(sorted(places))
    assert {i: v.tolist() for i, v in error.partial.items()} == {
        i: virtual.vector(text) for i, text in enumerate(wanted) if i not in places
    }
    assert len(service.batches) <= 3 + len(places) * (2 * 7 + 2)


@pytest.mark.parametrize("places", [range(5), range(95, 100), range(0, 100, 9), range(45, 55)])
@pytest.mark.parametrize("width", [1, 8])
def test_several_bad_texts_in_one_batch(places: range, width: int) -> None:
    """However many texts of the only batch are rejected, the others are finished."""
    wanted = [POISON + str(i) if i in places else f"{i:x}" for i in range(100)]

    error = failed(Service(trouble=rejects), wanted, max_concurrency=width)

    assert error.indexes == tuple(places)
    assert set(error.partial) == set(range(100)) - set(places)


WORDLESS = RequestError("400 INVALID_ARGUMENT", status=400, reason="INVALID_ARGUMENT")


def accepts(texts: Callable[[list[str]], bool], **options: Any) -> Service:
    """Return a service that refuses, without a word, requests that are not of these texts."""
    refused = WORDLESS.with_context(**options)
    return Service(trouble=lambda batch: (0.05, 0.05) if texts(batch.texts) else refused)


@pytest.mark.parametrize("width", [1, 3, 8])
@pytest.mark.parametrize(
    "message",
    [
        "",
        "EmbedContentRequest.content is not allowed.",
        "batchSize must be 1 but the entered value was 100.",
        "batchSize must be 250 but the entered value was 100.",
        "Request payload size exceeds the limit: 36000 bytes.",
        "the input token count is 30000 but the model supports up to 20000",
    ],
)
def test_a_bad_request_ends_the_call(width: int, message: str) -> None:
    """A dimension that no request may have costs two texts alone, whatever the refusal says."""
    service = accepts(lambda _: False, message=message)

    error = failed(service, texts(800), max_concurrency=width)

    assert isinstance(error, RequestError)
    assert error.indexes == tuple(range(800))
    assert "texts alone are refused too" in str(error)
    words = 7 * width if message else 0  # that lie: each of them is halved down to one text
    assert len(service.batches) <= width + 2 + words

    service.batches.clear()
    service.trouble = lambda _: (0.05, 0.05)
    embedded(service, texts(800), max_concurrency=width)
    assert len(service.batches) == 8  # the lie is forgotten


def test_a_bad_key_ends_the_call_at_once() -> None:
    """Where the fields say that no request will pass, no text is tried alone."""
    for error in (
        AuthenticationError("400", status=400, reason="INVALID_ARGUMENT"),
        RequestError("400", status=400, reason="FAILED_PRECONDITION"),
    ):
        service = Service(trouble=lambda _, error=error: error)  # type: ignore[misc] # bound now

        ended = failed(service, texts(800))
        assert type(ended) is type(error)
        assert str(ended).startswith("400 (100 texts between ")
        assert len(service.batches) == 8


@pytest.mark.parametrize("width", [1, 8])
@pytest.mark.parametrize("bad", [{0}, {437}, {799}, {3, 437, 440}])
def test_bad_texts_among_800_are_found(width: int, bad: set[int]) -> None:
    """Each costs at most 2 log2(n) + 2 requests, and the others none of their vectors."""
    names = {f"{index:x}" for index in bad}
    service = accepts(lambda some: not names.intersection(some))

    error = failed(service, texts(800), max_concurrency=width)

    assert error.indexes == tuple(sorted(bad))
    assert {i: v.tolist() for i, v in error.partial.items()} == {
        i: virtual.vector(text) for i, text in enumerate(texts(800)) if i not in bad
    }
    assert len(service.batches) <= 8 + len(bad) * (2 * 7 + 2)


@pytest.mark.parametrize("width", [1, 8])
@pytest.mark.parametrize(("most", "ideal"), [(1, 800), (37, 32)])
@pytest.mark.parametrize("message", ["", "40 instance(s) is not allowed. Max allowed: {}."])
def test_a_largest_request_is_found(width: int, most: int, ideal: int, message: str) -> None:
    """A service that takes few texts a request gets few, in words that nobody knows or none."""
    service = accepts(lambda some: len(some) <= most, message=message.format(most))

    embedded(service, texts(800), max_concurrency=width)
    assert len(service.batches) <= ideal + width + 2 * 7

    service.batches.clear()
    embedded(service, texts(800), max_concurrency=width)
    assert len(service.batches) == ideal


def test_a_named_size_is_tried_first() -> None:
    """Words that are known shorten the way: one refused request for each that was under way."""
    message = "batchSize must be 37 but the entered value was 100."
    service = accepts(lambda some: len(some) <= 37, message=message)

    embedded(service, texts(800), max_concurrency=1)

    assert len(service.batches) == 1 + ceil(800 / 37)


def test_bad_texts_where_requests_are_small_too() -> None:
    """Both at once: what is too many is told from what is bad."""
    service = accepts(lambda some: len(some) <= 37 and "bad1b5" not in some)

    wanted = [f"bad{i:x}" if i == 437 else f"{i:x}" for i in range(800)]
    error = failed(service, wanted)

    assert error.indexes == (437,)
    assert len(error.partial) == 799
    assert len(service.batches) < 90


@settings(deadline=None, max_examples=60)
@given(
    data=st.data(),
    count=st.integers(1, 120),
    size=st.integers(1, 40),
    width=st.integers(1, 8),
    most=st.integers(1, 50),
    limit=st.sampled_from([float("inf"), 60.0]),
    message=st.sampled_from(
        ["", "batchSize must be 3", "payload size exceeds", "input token count is 9 but"]
    ),
)
def test_whatever_is_refused_every_text_ends(  # noqa: PLR0917 - hypothesis
    data: st.DataObject,
    count: int,
    size: int,
    width: int,
    most: int,
    limit: float,
    message: str,
) -> None:
    """Bad texts, few texts a request, lies, 503s and quotas at once: no text is lost."""
    limits._limits.clear()
    bad = {f"{i:x}" for i in data.draw(st.sets(st.integers(0, count - 1), max_size=3))}
    busy = iter(data.draw(st.lists(st.booleans(), max_size=20)))
    service = Service(limit=limit, named=True)

    def trouble(batch: Batch) -> tuple[float, float] | GeminiEmbedError:
        if next(busy, False):
            return ServiceUnavailableError("503")
        if len(batch.texts) > most or bad.intersection(batch.texts):
            refused = copy.copy(WORDLESS)
            refused.message = message
            return refused
        return data.draw(WAYS)

    service.trouble = trouble
    call = {"batch_size": size, "max_retries": 1000}
    if not bad:
        embedded(service, texts(count), call=call, max_concurrency=width)
        return
    error = failed(service, texts(count), call=call, max_concurrency=width)
    assert all(error.partial[i].tolist() == virtual.vector(f"{i:x}") for i in error.partial)
    if "texts alone are refused" in str(error):
        assert len(bad) > 1  # two of them happened to be tried first
    else:
        assert {f"{i:x}" for i in error.indexes} == bad
        assert len(error.partial) == count - len(bad)


@pytest.mark.parametrize("status", [400, 413])
def test_a_largest_body_is_found(status: int) -> None:
    """A gateway that takes a tenth of what Google takes gets that; a larger text is named."""
    long = "x" * 10_000
    message = "" if status == 413 else "Request payload size exceeds the limit: 400000 bytes."
    wanted = [f"{i}{long * (50 if i == 77 else 1)}" for i in range(200)]
    service = accepts(lambda some: sum(map(len, some)) < 400_000, status=status, message=message)

    error = failed(service, wanted, max_concurrency=2)

    assert error.indexes == (77,)
    assert len(error.partial) == 199
    assert len(service.batches) < 30


def test_a_body_has_four_mebibytes_until_more_has_passed() -> None:
    """Long texts share a request up to there; one that is longer is tried, alone."""
    service = Service()
    embedded(service, [f"{i}" + "x" * 500_000 for i in range(9)], max_concurrency=1)
    assert [len(batch.texts) for batch in service.batches] == [8, 1]

    service.batches.clear()
    embedded(service, ["x" * 6_000_000, *(f"{i}" + "x" * 500_000 for i in range(11))])
    assert [len(batch.texts) for batch in service.batches] == [1, 8, 3]
    embedded(service, [f"{i}" + "y" * 500_000 for i in range(11)])
    assert [len(batch.texts) for batch in service.batches[3:]] == [11]


def test_every_retry_is_told() -> None:
    """`on_retry` sees each failure with its attempt, its wait and the texts concerned."""
    outcomes = iter([ServiceUnavailableError("503"), BadResponseError("short")])
    told: list[Retry] = []

    service = Service(trouble=lambda _: next(outcomes, (0.1, 0.1)))
    embedded(service, ["a", "b"], on_retry=told.append)

    assert [(r.attempt, type(r.error).__name__, r.quota, r.indexes) for r in told] == [
        (1, "ServiceUnavailableError", False, (0, 1)),
        (2, "BadResponseError", False, (0, 1)),
    ]


def test_a_hook_that_fails_ends_the_call() -> None:
    """A mistake in the caller's own hook is not swallowed, and costs nothing that was finished."""

    def hook(_: Retry) -> None:
        raise LookupError("mine")

    answers = itertools.count()
    service = Service(
        trouble=lambda _: ServiceUnavailableError("503") if next(answers) == 2 else (0.1, 0.1)
    )
    error = failed(service, texts(300), max_concurrency=1, on_retry=hook)

    assert isinstance(error, HookError)
    assert "on_retry raised LookupError: mine" in str(error)
    assert isinstance(error.__cause__, LookupError)
    assert sorted(error.partial) == list(range(200))
    assert error.indexes == tuple(range(200, 300))


@pytest.mark.parametrize("raised", [ConnectionError("no redis"), TimeoutError(), RecursionError()])
def test_a_rate_limiter_that_fails_ends_the_call(raised: Exception) -> None:
    """What was finished before is in the error, and what the limiter raised is its cause."""
    calls = itertools.count()

    async def limiter() -> None:
        if next(calls) == 2:
            raise raised

    call = {"rate_limiter": limiter}
    error = failed(Service(), texts(300), call=call, max_concurrency=1)

    assert isinstance(error, HookError)
    assert error.__cause__ is raised
    assert sorted(error.partial) == list(range(200))


def test_a_fault_of_ours_is_named_too() -> None:
    """Whatever goes wrong inside, the caller gets one of our errors, with what was finished."""
    answers = itertools.count()
    fault = ArithmeticError("odd")

    def trouble(_: Batch) -> tuple[float, float]:
        if next(answers) == 2:
            raise fault
        return 0.1, 0.1

    error = failed(Service(trouble=trouble), texts(300), max_concurrency=1)

    assert isinstance(error, InternalError)
    assert error.__cause__ is fault
    assert sorted(error.partial) == list(range(200))


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_what_ends_a_process_ends_it(raised: type[BaseException]) -> None:
    """Ctrl-C and `sys.exit()` in a hook are not made into errors of ours."""

    async def limiter() -> None:
        raise raised

    async def main() -> None:
        with pytest.raises(raised):
            await engine(Service()).embed(*request(texts(300), rate_limiter=limiter))

    virtual.run(main())


def test_the_services_delay_comes_before_backoff() -> None:
    """A 503 that says when is asked again then."""
    outcomes = iter([ServiceUnavailableError("503", retry_after=7.5)])

    service = Service(trouble=lambda _: next(outcomes, (0.0, 0.0)))
    assert embedded(service, ["a"]) == pytest.approx(7.55)


def test_cancelling_leaves_nothing_behind() -> None:
    """After a cancelled call nothing is sent, no task lives, and the next call has all slots."""

    async def main() -> None:
        service = Service(trouble=lambda _: (5, 5))
        made = engine(service, max_concurrency=3, quota=Quota(requests=1000))
        for wait in (0.0, 1.0, 6.0, 11.0):
            call = asyncio.create_task(made.embed(*request(texts(5000))))
            await asyncio.sleep(wait)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert service.under_way == 0
            assert len(asyncio.all_tasks()) == 1
        sent = len(service.batches)
        await asyncio.sleep(1000)
        assert len(service.batches) == sent
        assert_right(await made.embed(*request(texts(300))), texts(300))
        assert service.most_under_way == 3

    virtual.run(main())


TROUBLE = st.one_of(
    WAYS,
    WAYS,
    WAYS,
    st.sampled_from(["503", "short", "capacity"]),
)


@settings(deadline=None, max_examples=60)
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


@settings(deadline=None, max_examples=40)
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


def test_a_long_wait_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """At once and then once a minute, with how much is done: nobody takes it for a hang."""
    embedded(Service(limit=100, period=150), texts(300), quota=Quota(requests=100, period=150))

    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert {record.name for record in caplog.records} == {"gemini_embed"}
    assert told[0].startswith("waiting 150 s for the quota of gemini-embedding-2: 100 texts in 150")
    assert told[0].endswith("0 of 300 texts done")
    assert told[-1].endswith("200 of 300 texts done")
    assert len(told) == 5  # once a minute, for 300 seconds


def test_a_short_wait_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Somebody who asked for INFO sees it."""
    caplog.set_level("INFO", "gemini_embed")
    embedded(Service(limit=100, period=5), texts(200), quota=Quota(requests=100, period=5))

    assert [record.levelname for record in caplog.records] == ["INFO"]


@pytest.mark.parametrize("kind", [QuotaExceededError, ServiceUnavailableError])
def test_a_wait_of_years_is_an_error(kind: type[RequestError]) -> None:
    """It says how long, keeps what is done, and the next call does not wait for it."""
    outcomes = iter([None, "refuse"])

    def trouble(_: Batch) -> tuple[float, float] | GeminiEmbedError:
        if next(outcomes, None) is None:
            return 0.05, 0.05
        return kind("retry in 1000000000 s", retry_after=1e9)

    service = Service(trouble=trouble)

    async def main() -> float:
        made = engine(service, max_concurrency=1)
        with pytest.raises(kind, match="1000000000 s") as caught:
            await made.embed(*request(texts(200)))
        assert len(caught.value.partial) == 100
        assert_right(await made.embed(*request(texts(200))), texts(200))
        return now()

    assert virtual.run(main()) < 10


def test_a_long_wait_that_is_allowed_is_waited() -> None:
    """`max_wait` says how long is too long."""
    first = iter([refused(retry_after=900.0)])
    service = Service(trouble=lambda _: next(first, (0.05, 0.05)))

    assert embedded(service, texts(10), call={"max_wait": None}) >= 900


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


def test_a_vector_too_many_that_was_cut_off_is_a_wrong_answer() -> None:
    """It belongs to no text: the request is tried again, which is no fault of ours."""
    extra = iter([True])

    class Generous(Service):
        async def send(self, batch: Batch, ask: Ask) -> Answer:
            answer = await super().send(batch, ask)
            if next(extra, False):
                answer = answer._replace(rows=[*answer.rows, answer.rows[0]], truncated=[0, 2])
            return answer

    async def main() -> EmbeddingResult:
        return await engine(Generous()).embed(*request(["a", "b"]))

    result = virtual.run(main())
    assert_right(result, ["a", "b"])
    assert (result.usage.requests, result.usage.truncated) == (2, (0,))


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
    assert quota.tokens_per_estimate == 1
