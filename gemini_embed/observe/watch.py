"""Tells whoever watches a call what happens in it, and counts what the call costs. No I/O.

The counters are always on, and plain numbers. A record is made only where somebody sees its kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, Protocol

from gemini_embed.errors import HookError, described
from gemini_embed.observe.events import Answered, Event, Failed, Retry, Sent
from gemini_embed.results import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gemini_embed.contents import Batch

P = ParamSpec("P")


class Observer(Protocol):
    """Who watches: called with each record of the kinds that it sees, on the I/O thread."""

    @property
    def sees(self) -> Sequence[type[Event]]:
        """The kinds."""
        ...

    def __call__(self, event: Any, /) -> None:
        """Take note; it must be quick, and what it raises ends the call."""


class RetryHook:
    """The caller's `on_retry`: what it raises is named as the caller's."""

    sees = (Retry,)

    def __init__(self, hook: Callable[[Retry], None]) -> None:
        self._hook = hook

    def __call__(self, retry: Retry) -> None:
        """Call it."""
        try:
            self._hook(retry)
        except Exception as error:
            raise HookError(f"on_retry raised {described(error)}") from error


class Watch:
    """What happens in one call."""

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        self._observers: dict[object, list[Observer]] = {}
        for observer in observers:
            for kind in observer.sees:
                self._observers.setdefault(kind, []).append(observer)
        self._requests = 0
        self._prompt_tokens: int | None = None
        self._truncated: set[int] = set()

    def sent(self, batch: Batch) -> None:
        """Note that a batch leaves."""
        self._requests += 1
        self.tell(Sent, len(batch), batch.attempts + 1)

    def answered(
        self, batch: Batch, *, seconds: float, tokens: int | None, truncated: Iterable[int]
    ) -> None:
        """Note an answer: its tokens, if they are known, and which rows the service cut off."""
        if tokens is not None:
            self._prompt_tokens = (self._prompt_tokens or 0) + tokens
        for row in truncated:
            self._truncated.update(batch.positions[row])
        self.tell(Answered, len(batch), batch.attempts + 1, seconds, tokens)

    def failed(self, batch: Batch, error: BaseException, *, seconds: float) -> None:
        """Note that a request came to nothing."""
        self.tell(Failed, len(batch), batch.attempts + 1, seconds, error)

    def tell(self, kind: Callable[P, Event], *args: P.args, **kwargs: P.kwargs) -> None:
        """Tell who sees this kind; its fields follow."""
        if observers := self._observers.get(kind):
            event = kind(*args, **kwargs)
            for observer in observers:
                observer(event)

    @property
    def usage(self) -> Usage:
        """What the call has cost so far."""
        return Usage(self._requests, self._prompt_tokens, tuple(sorted(self._truncated)))
