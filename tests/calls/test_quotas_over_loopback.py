"""Quotas and faults over loopback, played by the stand-in with short windows."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest
from helpers import arrived, vectors_of

from gemini_embed import DailyQuotaError, GeminiEmbedder
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from gemini_embed import Retry

MODEL = "gemini-embedding-2"
TEXTS = [f"text number {i}" for i in range(240)]


def client(server: Standin, **options: object) -> GeminiEmbedder:
    quick = {"retry_min_seconds": 0.001, "retry_max_seconds": 0.01, "output_dimensionality": 128}
    return GeminiEmbedder(api_key="k", base_url=server.url, **{**quick, **options})  # type: ignore[arg-type] # options of a test


@pytest.mark.parametrize("silent", [False, True])
def test_a_quota_of_the_service_is_waited_for(*, silent: bool) -> None:
    """A job larger than the quota finishes, named limit or not, and every vector is right."""
    with Standin(requests=100, window=0.4, silent_quota=silent) as server:
        retries: list[Retry] = []
        vectors = client(server, on_retry=retries.append).embed(TEXTS, role="document").vectors

        as_sent = [f"title: none | text: {text}" for text in TEXTS]
        assert (vectors == vectors_of(server, as_sent, model=MODEL, dimension=128)).all()
        refused = [exchange for exchange in server.log if exchange.status == 429]
        assert len(refused) == len(retries) > 0
        assert all(retry.quota for retry in retries)


def test_a_daily_quota_stops_at_once() -> None:
    """Three batches fit into the day; the fourth ends the job, whatever delay is suggested."""
    with Standin(requests_per_day=200) as server:
        with pytest.raises(DailyQuotaError, match="200 of 240 texts were finished") as caught:
            client(server, max_concurrency=1).embed(TEXTS, role="document")

        assert caught.value.quota_id is not None
        assert "PerDay" in caught.value.quota_id
        assert sorted(caught.value.partial) == list(range(200))
        assert len(server.log) == 3


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_storm_costs_no_vector(*, asynchronous: bool) -> None:
    """A service that fails two requests in five still gives every text its own vector."""
    storm = {"503": 0.15, "500": 0.1, "reset": 0.05, "half": 0.05, "html": 0.05}
    with Standin(faults=storm, seed=3) as server:  # type: ignore[arg-type] # the kinds are known
        texts = [f"text {i}" for i in range(1000)]
        made = client(server, batch_size=20, max_retries=20)
        if asynchronous:
            result = asyncio.run(made.aembed(texts, role="query"))
        else:
            result = made.embed(texts, role="query")

        as_sent = [f"task: search result | query: {text}" for text in texts]
        assert (result.vectors == vectors_of(server, as_sent, model=MODEL, dimension=128)).all()
        assert result.usage.requests == len(server.log) > 50


async def test_cancelling_stops_the_sends() -> None:
    """After a cancelled call the service hears nothing more."""
    with Standin(latency=0.05) as server:
        made = client(server, batch_size=1, max_concurrency=2)
        task = asyncio.create_task(made.aembed(TEXTS, role="document"))
        await arrived(server, 4)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        sent = len(server.log)
        await asyncio.sleep(0.15)
        assert len(server.log) <= sent + 2


def test_an_interrupt_stops_the_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while a sync call waits ends it, and the requests too."""
    with Standin(latency=0.05) as server:
        made = client(server, batch_size=1, max_concurrency=2)
        made.embed(["warm up"], role="query")
        interrupted = threading.Event()

        class Interrupted:
            def __init__(self, future: object) -> None:
                self.future = future

            def result(self) -> None:
                while len(server.log) < 5:
                    interrupted.wait(0.005)
                raise KeyboardInterrupt

            def cancel(self) -> None:
                self.future.cancel()  # type: ignore[attr-defined] # a future

        real = asyncio.run_coroutine_threadsafe
        monkeypatch.setattr(
            "gemini_embed.background.loop.asyncio.run_coroutine_threadsafe",
            lambda *given: Interrupted(real(*given)),
        )
        with pytest.raises(KeyboardInterrupt):
            made.embed(TEXTS, role="document")

        interrupted.wait(0.15)
        assert len(server.log) <= 9
