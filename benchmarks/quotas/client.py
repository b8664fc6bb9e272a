"""The client that is measured, built from the project's own parts: the one seam to them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from benchmarks.quotas.scenarios import BATCH, WIDTH
from benchmarks.quotas.virtual_time import wall
from gemini_embed.ask import Ask, Backend, Service
from gemini_embed.calls.engine import Engine
from gemini_embed.calls.policy import MAX_RETRIES, CallPolicy
from gemini_embed.calls.sink import ArraySink
from gemini_embed.contents import Content, Inputs
from gemini_embed.models import BATCH as ROUTE
from gemini_embed.models import MODELS
from gemini_embed.observe.watch import hooks
from gemini_embed.pacing.backoff import Backoff
from gemini_embed.pacing.quota import Quota, limiter_of
from gemini_embed.results import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from gemini_embed.calls.senders import Sender
    from gemini_embed.observe.events import Retry
    from gemini_embed.tasks import Role

DIMENSION = 2


class Client:
    """What one process has: an engine, and a quota of its own.

    Args:
        sender: What stands in for the connection.
        requests: The limit on texts that the user gives, if any.
        tokens: The limit on tokens, likewise.
        period: Of both.
        a_day: The limit on texts of a day, likewise.
        name: No other client's: what is learned of a service is kept under its name.
        on_retry: Told of each thing that is tried again.
    """

    def __init__(
        self,
        sender: Sender,
        *,
        requests: int | None,
        tokens: int | None,
        period: float,
        a_day: int | None = None,
        name: str,
        on_retry: Callable[[Retry], None] | None = None,
    ) -> None:
        self._ask = Ask(
            model=MODELS["gemini-embedding-2"],
            backend=Backend("gemini", "the default"),
            service=Service(name, "gemini-embedding-2"),
            route=ROUTE,
            output_dimensionality=DIMENSION,
        )
        quota = Quota(requests, tokens, period, requests_per_day=a_day)
        self._limiter = limiter_of(quota)
        self._limiter.daily.clock = wall
        self._engine = Engine(
            sender,
            quota=quota,
            max_concurrency=WIDTH,
            backoff=Backoff(),
            observers=hooks(on_retry),
        )

    async def embed(self, texts: Sequence[str], role: Role) -> NDArray[np.float32]:
        """Return the vectors of the texts."""
        policy = CallPolicy(role=role, batch_size=BATCH, max_retries=MAX_RETRIES[role])
        inputs = Inputs.whole([Content.of(text) for text in texts])
        sink = ArraySink(len(texts), Wanted(DIMENSION, normalize=False), self._ask.model)
        return (await self._engine.embed(inputs, self._ask, sink, policy)).vectors

    def state(self) -> dict[str, float]:
        """Return what is believed of the quota, in numbers."""
        return {
            name.lstrip("_"): float(value)
            for name, value in vars(self._limiter).items()
            if isinstance(value, int | float) and math.isfinite(value)
        }
