"""Tells whoever watches a call what happens in it, and counts what the call costs. No I/O.

The counters are always on, and plain numbers. A record is made only where somebody sees its kind.
"""

from __future__ import annotations

from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, Protocol

from gemini_embed.errors import BadResponseError, HookError, ServiceUnavailableError, described
from gemini_embed.media.contents import by_kind
from gemini_embed.observe.events import (
    Answered,
    Event,
    Failed,
    Placed,
    Progress,
    Recalled,
    Retry,
    Sent,
)
from gemini_embed.observe.meter import Meter, Wait, count
from gemini_embed.usage import billed_at

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from gemini_embed.contents import Batch
    from gemini_embed.errors import GeminiEmbedError
    from gemini_embed.usage import Rate, Usage

WaitName = Literal["waited_for_quota", "waited_for_retries"]

P = ParamSpec("P")


class Observer(Protocol):
    """Who watches: called with each record of the kinds that it sees, on the I/O thread."""

    @property
    def sees(self) -> Sequence[type[Event]]:
        """The kinds."""
        ...

    def __call__(self, event: Any, /) -> None:
        """Take note; it must be quick, and what it raises ends the call."""


class Hook:
    """A function of the caller's: what it raises is named as the caller's."""

    def __init__(self, name: str, kind: type[Event], function: Callable[[Any], None]) -> None:
        self.sees = (kind,)
        self._name = name
        self._function = function

    def __call__(self, event: Event) -> None:
        """Call it."""
        try:
            self._function(event)
        except Exception as error:
            raise HookError(f"{self._name} raised {described(error)}") from error


def hooks(
    on_retry: Callable[[Retry], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> list[Observer]:
    """Return those that the caller gave."""
    given = (("on_retry", Retry, on_retry), ("on_progress", Progress, on_progress))
    return [Hook(name, kind, function) for name, kind, function in given if function is not None]


class Watch:
    """What happens in one call.

    Args:
        observers: Who is told of it.
        meters: Where it is counted beside its own `usage`.
        rate: What its tokens are billed by, as far as they are text; not at all if None.
    """

    def __init__(
        self,
        observers: Iterable[Observer] = (),
        *,
        meters: Iterable[Meter] = (),
        rate: Rate | None = None,
    ) -> None:
        self._observers: dict[object, list[Observer]] = {}
        for observer in observers:
            for kind in observer.sees:
                self._observers.setdefault(kind, []).append(observer)
        self._meter = Meter()
        self._meters = (self._meter, *meters)
        self._rate = rate
        self._truncated: set[int] = set()
        self._waits = {"waited_for_quota": Wait(), "waited_for_retries": Wait()}

    def sent(self, batch: Batch) -> None:
        """Note that a batch leaves."""
        count(self._meters, {"requests": 1})
        self.tell(Sent, len(batch), batch.attempts + 1)

    def answered(
        self,
        batch: Batch,
        *,
        seconds: float,
        tokens: int | None,
        by_modality: Mapping[str, int],
        truncated: Iterable[int],
    ) -> None:
        """Note an answer: its tokens, if they are known, and which rows the service cut off."""
        numbers = {"characters": batch.letters}
        if tokens is None:
            read = numbers["estimated_tokens"] = batch.tokens_roughly
        else:
            read = numbers["prompt_tokens"] = tokens
        cut = {index for row in truncated for index in batch.positions[row]} - self._truncated
        self._truncated |= cut
        kinds = by_modality
        if batch.has_media and not kinds:
            kinds = by_kind(batch.contents, read)
        billed = self._billed(read, kinds)
        count(self._meters, numbers, truncated=cut, by_modality=by_modality, billed=billed)
        self.tell(Answered, len(batch), batch.attempts + 1, seconds, tokens)

    def failed(self, batch: Batch, error: BaseException, *, seconds: float) -> None:
        """Note that a request came to nothing."""
        if is_lost(error):
            lost = {"unanswered": 1, "unanswered_tokens": batch.tokens_at_most}
            count(self._meters, lost)
        self.tell(Failed, len(batch), batch.attempts + 1, seconds, error)

    def retried(self, batch: Batch, error: GeminiEmbedError, wait: float, *, quota: bool) -> None:
        """Note that a batch is tried again after a wait."""
        if not quota:
            count(self._meters, {"retries": 1})
        self.tell(Retry, error, batch.attempts + 1, wait, quota=quota, indexes=batch.indexes)

    def recalled(self, texts: int) -> None:
        """Note how many different texts the cache had."""
        count(self._meters, {"cached": texts})
        self.tell(Recalled, texts)

    def placed(self, texts: int, *, of: int, places: int) -> None:
        """Note how many of the caller's texts have theirs by the vectors `of` so many contents.

        `places` is where these belong: more than there are texts where texts were split.
        """
        numbers = {"texts": texts, "duplicates": places - of, "pieces": places - texts}
        count(self._meters, numbers)
        self.tell(Placed, texts)

    @contextmanager
    def waiting(self, name: WaitName, clock: Callable[[], float]) -> Generator[None]:
        """Count the seconds of a block, by a clock, as waiting."""
        wait = self._waits[name]
        self._count_wait(name, wait.begin(clock()))
        try:
            yield
        finally:
            self._count_wait(name, wait.end(clock()))

    def _count_wait(self, name: str, seconds: float) -> None:
        if seconds:
            count(self._meters, {name: seconds})

    def _billed(self, tokens: int, by_modality: Mapping[str, int]) -> dict[Rate, int]:
        """Return what is billed, where somebody wants to know."""
        return {} if self._rate is None else billed_at(self._rate, tokens, by_modality)

    def is_seen(self, kind: type[Event]) -> bool:
        """Tell whether anybody sees a kind of records."""
        return kind in self._observers

    def tell(self, kind: Callable[P, Event], *args: P.args, **kwargs: P.kwargs) -> None:
        """Tell who sees this kind; its fields follow."""
        if observers := self._observers.get(kind):
            event = kind(*args, **kwargs)
            for observer in observers:
                observer(event)

    @property
    def usage(self) -> Usage:
        """What the call has cost so far."""
        return self._meter.usage


_OF_A_GATEWAY = (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)
"""Whoever answers so has heard nothing, or nothing in time, from whom it asked."""


def is_lost(error: BaseException) -> bool:
    """Tell whether the service may have answered a request that ended so, and counted it."""
    if isinstance(error, ServiceUnavailableError):
        return error.status is None or error.status in _OF_A_GATEWAY
    return isinstance(error, BadResponseError) or not isinstance(error, Exception)
