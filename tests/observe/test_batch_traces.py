"""The work of a run of the Batch API in traces: by the same records as an online call."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from batch.standing import TEXTS, embedder, standing
from opentelemetry.trace import StatusCode

from gemini_embed import BatchPendingError, DailyQuotaError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry import Telemetry

    from gemini_embed.standin import Standin

DURATION = "gen_ai.client.embeddings.duration"


@pytest.fixture
def server() -> Iterator[Standin]:
    with standing() as running:
        yield running


def test_a_run_that_is_waited_for_is_one_span(
    server: Standin, tmp_path: Path, telemetry: Telemetry
) -> None:
    """With its tokens, how far it came, and an event for each wait; measured apart from calls."""
    with embedder(server, tmp_path) as mine:
        result = mine.embed([*TEXTS, TEXTS[0]], role="document", batch=True)
        (status,) = mine.batches()
    span = telemetry.span
    told: dict[str, Any] = dict(span.attributes)

    assert span.name == "embeddings gemini-embedding-2"
    assert span.status.status_code is StatusCode.UNSET
    assert (
        told.items()
        >= {
            "gen_ai.operation.name": "embeddings",
            "gen_ai.request.model": "gemini-embedding-2",
            "gen_ai.embeddings.dimension.count": 128,
            "gen_ai.usage.input_tokens": result.usage.prompt_tokens,
            "gemini_embed.texts": len(TEXTS) + 1,
            "gemini_embed.requests": len(status.jobs),
            "gemini_embed.cached": 0,
            "gemini_embed.batch": True,
            "gemini_embed.batch.run": status.id,
            "gemini_embed.batch.done": len(TEXTS),
            "gemini_embed.batch.total": len(TEXTS),
        }.items()
    )
    waits = [event for event in span.events if event.name == "gemini_embed.batch.wait"]
    assert waits
    assert all(0 < dict(event.attributes)["gemini_embed.wait"] <= 300 for event in waits)
    (measured,) = telemetry.points(DURATION)
    assert dict(measured.attributes)["gemini_embed.batch"] is True


def test_each_step_that_a_caller_takes_is_a_span(
    server: Standin, tmp_path: Path, telemetry: Telemetry
) -> None:
    """Also of a run that is resumed; its tokens are in the one that collected them."""
    with embedder(server, tmp_path, batch_tokens=10**6) as mine:
        server.batch_seconds = 1e5
        run = mine.batch(TEXTS, role="document")
        run.submit()
        run.wait(timeout=0.001)
        with pytest.raises(BatchPendingError):
            run.result()
        server.jobs[0].seconds = 0
        again = mine.batch_resume(run.id)
        again.wait()
        again.result()
    spans = [dict(span.attributes) for span in telemetry.spans]

    assert [one["gemini_embed.texts"] for one in spans] == [len(TEXTS)] * 3
    assert ["gen_ai.usage.input_tokens" in one for one in spans] == [False, False, True]
    assert {one["gemini_embed.batch.run"] for one in spans} == {run.id}


def test_what_ends_the_work_is_in_the_span(
    server: Standin, tmp_path: Path, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its class alone, as of an online call."""

    async def create(*_: object) -> str:
        raise DailyQuotaError("no more today: a secret", status=429)

    monkeypatch.setattr("gemini_embed.service.batches.Batches.create", create)
    with embedder(server, tmp_path) as mine, pytest.raises(DailyQuotaError):
        mine.embed(TEXTS, role="document", batch=True)

    assert telemetry.span.status.status_code is StatusCode.ERROR
    assert telemetry.span.status.description == "DailyQuotaError 429"
    assert "secret" not in str(dict(telemetry.span.attributes))


def test_what_goes_online_is_counted_with_the_run(
    server: Standin, tmp_path: Path, telemetry: Telemetry
) -> None:
    """It is no call of the caller's, so it has no span of its own."""
    server.job_script.append(["failed"])
    with embedder(server, tmp_path, batch_tokens=10**6) as mine:
        result = mine.embed(TEXTS, role="document", batch=True)
        sent = mine.usage.requests

    told = dict(telemetry.span.attributes)
    assert told["gen_ai.usage.input_tokens"] == result.usage.prompt_tokens
    assert told["gemini_embed.requests"] == sent


def test_a_block_counts_the_work_that_is_done_in_it(server: Standin, tmp_path: Path) -> None:
    """Also of a run that was begun before it, at the price of the Batch API."""
    with embedder(server, tmp_path) as mine:
        run = mine.batch(TEXTS, role="document")
        with mine.track() as usage:
            run.wait()
        assert usage.prompt_tokens
        assert usage.texts == 0
        with mine.track() as fetched:
            result = run.result()

    assert usage.cost() == result.usage.cost()
    assert (fetched.texts, fetched.prompt_tokens) == (len(TEXTS), None)


def test_a_run_says_that_it_waits(
    server: Standin, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody takes it for a hang: the first wait is a warning, which Python shows by default."""
    caplog.set_level(logging.INFO, "gemini_embed")
    with embedder(server, tmp_path) as mine:
        mine.embed(TEXTS, role="document", batch=True)

    said = [one for one in caplog.records if "until batch run" in one.getMessage()]
    assert [one.levelno for one in said] == [logging.WARNING]
    assert f"of {len(TEXTS)} texts done" in said[0].getMessage()
