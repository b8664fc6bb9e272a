"""Retries, deadlines and waits of one call, in virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import virtual
from calls.driving import embedded, failed, texts
from virtual import Service, assert_right, engine, now, request

from gemini_embed.errors import (
    BadResponseError,
    GeminiEmbedError,
    QuotaExceededError,
    RequestError,
    ServiceUnavailableError,
)
from gemini_embed.pacing.quota import Quota

if TYPE_CHECKING:
    from gemini_embed.ask import Ask
    from gemini_embed.contents import Batch
    from gemini_embed.observe.events import Retry
    from gemini_embed.results import EmbeddingResult
    from gemini_embed.service.answer import Answer


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


def refused(message: str = "429", **evidence: Any) -> QuotaExceededError:
    return QuotaExceededError(message, status=429, **evidence)


def test_a_long_wait_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """At once and then once a minute, with how much is done: nobody takes it for a hang."""
    embedded(Service(limit=100, period=150), texts(300), quota=Quota(requests=100, period=150))

    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert {record.name for record in caplog.records} == {"gemini_embed"}
    assert told[0].startswith(
        "waiting 2 min 30 s for the quota of gemini-embedding-2: 100 texts in 150"
    )
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
        with pytest.raises(
            kind, match="it asks to wait 11,574 days 2 h, longer than max_wait, 5 min"
        ) as caught:
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


def test_who_waits_behind_a_cancelled_load_goes_at_once() -> None:
    """What was in the way is gone: nobody waits for its timer."""

    async def main() -> float:
        made = engine(Service(), quota=Quota(tokens=1000))
        await made.embed(*request(["x" * 3200]))
        large = asyncio.create_task(made.embed(*request(["y" * 3200])))
        await asyncio.sleep(0.5)
        small = asyncio.create_task(made.embed(*request(["small"])))
        await asyncio.sleep(0.5)
        large.cancel()
        await small
        return now()

    assert virtual.run(main()) < 5
