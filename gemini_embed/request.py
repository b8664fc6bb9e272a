"""One checked call, ready to be sent. Performs no I/O and loads no numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gemini_embed.backend import Backend
from gemini_embed.models import BATCH

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from gemini_embed.cache.guard import GuardedCache
    from gemini_embed.models import Model, Normalize, Route
    from gemini_embed.tasks import Role, WireText

_GEMINI = Backend("gemini", "the default")


@dataclass(frozen=True, slots=True)
class Request:
    """One checked call, ready to be sent: the options that count for it, and what they come to.

    Attributes:
        wires: What is sent for each text, in the caller's order.
        began: When the call began, by the clock of the I/O thread; its `deadline` counts from then.
        service: The service's name in cache keys; None for Google's own.
        former: Model and service as release 0.1 named them in cache keys, where that differs.
        sent_as: The model's name as it is sent, where that is not its id.
        full: Whether the service is asked for the model's full dimension whatever is served.
        route: How the model is asked, and how much it takes in one request.
    """

    model: Model
    wires: Sequence[WireText]
    output_dimensionality: int | None
    normalize: Normalize
    batch_size: int
    show_progress: bool
    rate_limiter: Callable[[], Awaitable[None]] | None
    role: Role
    max_retries: int
    deadline: float | None
    max_wait: float | None = 300.0
    began: float = 0.0
    cache: GuardedCache | None = None
    service: str | None = None
    former: Sequence[tuple[str, str | None]] = ()
    sent_as: str | None = None
    full: bool = False
    as_lists: bool = False
    backend: Backend = _GEMINI
    route: Route = BATCH

    @property
    def sent_model(self) -> str:
        """The model's name as the service is told it."""
        return self.sent_as or self.model.name

    @property
    def dimension(self) -> int:
        """The length each vector must have."""
        return self.output_dimensionality or self.model.dimension

    @property
    def sent_dimensionality(self) -> int | None:
        """What the service is asked for; None for the model's own."""
        return None if self.full else self.output_dimensionality

    @property
    def sent_dimension(self) -> int:
        """The length of a vector as the service sends it."""
        return self.sent_dimensionality or self.model.dimension

    def left(self, now: float) -> float | None:
        """Return how many seconds the call may still take; None for no limit."""
        return None if self.deadline is None else max(0.0, self.deadline - (now - self.began))
