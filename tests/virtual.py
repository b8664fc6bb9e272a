"""Minutes that pass in milliseconds: an event loop on a clock of its own, and a service on it."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np

from benchmarks.quotas.virtual_time import MIDNIGHT, now, run, wall
from gemini_embed.ask import Ask, Backend
from gemini_embed.ask import Service as AskedService
from gemini_embed.calls.engine import Engine
from gemini_embed.calls.policy import CallPolicy
from gemini_embed.calls.sink import ArraySink
from gemini_embed.contents import Content, Inputs
from gemini_embed.errors import QuotaExceededError
from gemini_embed.models import BATCH, MODELS
from gemini_embed.observe.watch import hooks
from gemini_embed.pacing.backoff import Backoff
from gemini_embed.pacing.quota import Quota, limiter_of
from gemini_embed.results import Wanted
from gemini_embed.service.answer import Answer
from gemini_embed.service.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gemini_embed.contents import Batch
    from gemini_embed.errors import GeminiEmbedError
    from gemini_embed.observe.events import Retry
    from gemini_embed.results import EmbeddingResult

__all__ = [
    "MIDNIGHT",
    "Service",
    "assert_right",
    "engine",
    "now",
    "request",
    "run",
    "vector",
    "wall",
]

DIMENSION = 4

PACIFIC = ZoneInfo("America/Los_Angeles")


def vector(text: str) -> list[float]:
    """Return the one vector of a text."""
    return [float(ord(letter)) for letter in f"{text:>{DIMENSION}}"[-DIMENSION:]]


@dataclass
class Service:
    """A service with a quota on texts in any `period` seconds, counted somewhere on the way.

    And one on texts in a day, `per_day`. It answers each text with its own vector. `trouble` may
    raise instead, or return how long the way there and back takes.
    """

    limit: float = float("inf")
    per_day: float = float("inf")
    period: float = 60.0
    named: bool = False
    trouble: Callable[[Batch], tuple[float, float] | GeminiEmbedError] = lambda _: (0.05, 0.05)
    counted: list[tuple[float, int]] = field(default_factory=list)
    refused: list[tuple[float, int]] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0
    days: Counter[str] = field(default_factory=Counter)
    clock: Callable[[], float] = wall
    _window: deque[tuple[float, int]] = field(default_factory=deque)

    async def send(self, batch: Batch, ask: Ask) -> Answer:
        assert ask.model.name == "gemini-embedding-2"
        assert ask.output_dimensionality == DIMENSION
        self.batches.append(batch)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            outcome = self.trouble(batch)
            if isinstance(outcome, Exception):
                await asyncio.sleep(0.05)
                raise outcome
            there, back = outcome
            await asyncio.sleep(there)
            self._count(len(batch.texts))
            await asyncio.sleep(back)
        finally:
            self.under_way -= 1
        return Answer([vector(text) for text in batch.texts], None)

    async def aclose(self) -> None:
        """Nothing is open."""

    def _count(self, texts: int) -> None:
        while self._window and self._window[0][0] <= now() - self.period:
            self._window.popleft()
        used = sum(amount for _, amount in self._window)
        today = f"{datetime.fromtimestamp(self.clock(), PACIFIC):%Y-%m-%d}"
        if self.days[today] + texts > self.per_day:
            self.refused.append((now(), texts))
            raise refusal(429, spent(self.per_day if self.named else None))
        if used + texts <= self.limit:
            self.days[today] += texts
            self._window.append((now(), texts))
            self.counted.append((now(), texts))
            return
        self.refused.append((now(), texts))
        delay = 0.0
        for at, amount in self._window:
            used -= amount
            delay = at + self.period - now()
            if used + texts <= self.limit:
                break
        raise QuotaExceededError(
            "429",
            status=429,
            retry_after=delay,
            quota_id="EmbedContentRequestsPerMinute" if self.named else None,
            quota_value=int(self.limit) if self.named else None,
        )

    def most_in_a_window(self) -> int:
        """Return the most texts counted in any stretch of `period` seconds."""
        return max(
            sum(amount for at, amount in self.counted if start <= at < start + self.period)
            for start, _ in self.counted
        )


def spent(limit: float | None) -> dict[str, Any]:
    """Return the body of a 429 for a day's quota; its delay means nothing."""
    violation = {"quotaId": "EmbedContentRequestsPerDayPerUserPerProjectPerModel-FreeTier"}
    if limit is not None:
        violation["quotaValue"] = f"{limit:.0f}"
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "18s"}
    return {"error": {"details": [{"violations": [violation]}, retry]}}


def engine(
    service: Service, *, on_retry: Callable[[Retry], None] | None = None, **options: Any
) -> Engine:
    """Return an engine on the running loop that sends to the service."""
    seen = hooks(on_retry)
    usual = {"quota": Quota(), "max_concurrency": 8, "backoff": Backoff(), "observers": seen}
    given: dict[str, Any] = {**usual, **options}
    limiter_of(given["quota"]).daily.clock = wall
    return Engine(service, **given)


ASK = Ask(
    model=MODELS["gemini-embedding-2"],
    backend=Backend("gemini", "the default"),
    service=AskedService(None, "gemini-embedding-2"),
    route=BATCH,
    output_dimensionality=DIMENSION,
)


def request(texts: Sequence[str], **policy: Any) -> tuple[Inputs, Ask, ArraySink, CallPolicy]:
    """Return a call that sends the texts as they are: what an engine embeds."""
    given: dict[str, Any] = {"role": "document", "batch_size": 100, "max_retries": 6, **policy}
    inputs = Inputs.whole([Content.of(text) for text in texts])
    sink = ArraySink(len(texts), Wanted(DIMENSION, normalize=False), ASK.model)
    return inputs, ASK, sink, CallPolicy(**given)


def assert_right(result: EmbeddingResult, texts: Sequence[str]) -> None:
    """Assert that each row is the vector of its own text."""
    assert (result.vectors == np.array([vector(t) for t in texts]).reshape(-1, DIMENSION)).all()
