"""What `estimate` says of a call, beside the call itself on a clock of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import virtual
from virtual import now

from gemini_embed import GeminiEmbedder, Quota, QuotaExceededError
from gemini_embed.calls.engine import Engine
from gemini_embed.calls.forecast import beginning, forecast
from gemini_embed.observe.tracing import Traces
from gemini_embed.pacing.backoff import Backoff
from gemini_embed.pacing.quota import limiter_of
from gemini_embed.results import EmbeddingResult
from gemini_embed.service.answer import Answer
from gemini_embed.standin.model_quota import ModelQuota, QuotaLimits

if TYPE_CHECKING:
    from gemini_embed.ask import Ask
    from gemini_embed.contents import Batch
    from gemini_embed.results import Estimate


DIMENSION = 128


class Line:
    """The way to a service with the stand-in's quota; `ratio` tokens to an estimated one."""

    def __init__(self, limits: QuotaLimits, *, ratio: float = 1.0, latency: float = 0.2) -> None:
        self._quota = ModelQuota(limits)
        self._ratio = ratio
        self._latency = latency
        self.texts = self.tokens = self.requests = 0
        self.ended_at = 0.0

    async def send(self, batch: Batch, ask: Ask) -> Answer:
        assert ask.dimension == DIMENSION
        self.requests += 1
        tokens = round(self._ratio * batch.tokens)
        await asyncio.sleep(self._latency / 2)
        over = self._quota.take(len(batch), tokens, now())
        await asyncio.sleep(self._latency / 2)
        if over is not None:
            (broken, *_) = over.violations
            raise QuotaExceededError(
                "429",
                status=429,
                retry_after=over.delay,
                quota_id=broken.quota_id,
                quota_value=broken.limit,
            )
        self.texts += len(batch)
        self.tokens += tokens
        self.ended_at = now()
        return Answer([[1.0] * DIMENSION for _ in batch.texts], tokens)

    async def aclose(self) -> None:
        """Nothing is open."""


def both(
    texts: list[str], line: Line, *, before: list[str] | None = None, **options: Any
) -> tuple[Estimate, EmbeddingResult, float]:
    """Return what was said of a call, what it gave, and the seconds it took, in virtual time."""
    embedder = GeminiEmbedder(output_dimensionality=DIMENSION, **options)

    async def main() -> tuple[Estimate, EmbeddingResult, float]:
        embedder._engine = Engine(
            line,
            quota=embedder._quota,
            max_concurrency=embedder.max_concurrency,
            backoff=Backoff(),
            cache=embedder._cache,
        )
        if before:
            await embedder._embed(embedder._checked(before, role="document"), Traces())
        call = embedder._checked(texts, role="document")
        inputs, ask, wanted, policy = call
        begin = await beginning(
            inputs,
            ask,
            used=wanted.dimension,
            quota=embedder._quota,
            cache=embedder._cache,
            account="me",
        )
        said = forecast(begin, ask, policy, None, texts=inputs.texts, width=8)
        line.requests = line.texts = line.tokens = 0
        began = now()
        result = await embedder._embed(call, Traces())
        assert isinstance(result, EmbeddingResult)
        return said, result, now() - began

    return virtual.run(main())


LIMITS = [
    (None, None),
    (100, None),
    (150, None),
    (1_050, None),
    (37, None),
    (None, 30_000),
    (None, 2_000),
    (100, 30_000),
    (3_000, 1_000_000),
    (700, 20_000),
]


@pytest.mark.parametrize("latency", [0.02, 0.2, 1.0])
@pytest.mark.parametrize("limits", LIMITS, ids=str)
def test_a_forecast_is_what_happens(limits: tuple[int | None, int | None], latency: float) -> None:
    """Under a quota that was told, requests are equal and time is within a tenth."""
    requests, tokens = limits
    texts = [f"{i} ".ljust(40 + i * 7 % 400, "x") for i in range(1_234)]
    line = Line(QuotaLimits(requests=requests, tokens=tokens), latency=latency)

    said, result, seconds = both(texts, line, quota=Quota(requests, tokens))

    assert (said.texts, said.to_send) == (len(texts), line.texts)
    assert said.requests == result.usage.requests == line.requests
    assert line.tokens == said.tokens <= said.tokens_at_most
    if limits != (None, None):
        assert said.seconds == pytest.approx(seconds, rel=0.1, abs=1.0)


def test_what_was_sent_a_moment_ago_counts() -> None:
    """A quota that is half used up makes a forecast longer, as it does the call."""
    texts = [f"text {i}" for i in range(300)]
    line = Line(QuotaLimits(requests=100))

    before = [f"other {i}" for i in range(60)]

    said, result, seconds = both(texts, line, before=before, quota=Quota(100))

    assert said.requests == result.usage.requests == 6  # 40, 60, 40, ...
    assert said.seconds == pytest.approx(seconds, rel=0.1)


@pytest.mark.parametrize("limits", [(100, None), (None, 1_000)], ids=str)
def test_a_limit_that_was_learned_counts(limits: tuple[int | None, int | None]) -> None:
    """After a refusal that named the limit, a forecast knows it, too."""
    texts = [f"text {i:04}" for i in range(500)]
    line = Line(QuotaLimits(requests=limits[0], tokens=limits[1]))

    said, result, seconds = both(texts, line, before=[f"other {i}" for i in range(300)])

    assert said.requests == result.usage.requests
    assert said.seconds == pytest.approx(seconds, rel=0.1)


def test_days_are_those_of_a_call_that_waits_for_them() -> None:
    """A request that is cut by the end of a day is in the forecast, and so is the day it ends."""
    texts = [f"text {i}" for i in range(1_100)]
    quota = Quota(requests_per_day=250)
    limiter_of(quota).daily.clock = lambda: 1_800_036_000 + now()  # ten in the morning

    said, result, seconds = both(
        texts, Line(QuotaLimits()), quota=quota, on_daily_quota="wait", deadline=None
    )

    assert said.requests == result.usage.requests == 13  # 100, 100, 50 a day, and 100 on the last
    assert said.days == 5
    assert 3 * 86_400 < seconds < 4 * 86_400
