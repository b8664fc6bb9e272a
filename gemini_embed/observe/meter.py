"""Counts what calls cost: each call, each embedder, and blocks of the caller's program. No I/O.

The I/O thread counts; any thread may read, and begin again.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from gemini_embed.background import process
from gemini_embed.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    from gemini_embed.usage import Rate

_lock = process.new_lock()
"""One for all: what is counted in several is counted in all of them at once."""


class Meter:
    """What was counted since it was made, or since `reset`."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._numbers: dict[str, float] = {}  # by the fields of `Usage`
        self._truncated: list[int] = []
        self._by_modality: dict[str, int] = {}
        self._billed: dict[Rate, int] = {}

    @property
    def usage(self) -> Usage:
        """What it stands at."""
        with _lock:
            return self._read()

    def reset(self) -> Usage:
        """Begin again at nothing, and return what it stood at: nothing is lost in between."""
        with _lock:
            usage = self._read()
            self._clear()
        return usage

    def _read(self) -> Usage:
        numbers: dict[str, Any] = dict(self._numbers)
        return Usage(
            **numbers,
            truncated=tuple(sorted(self._truncated)),
            by_modality=dict(self._by_modality),
            billed=dict(self._billed),
        )

    def _count(
        self,
        numbers: Mapping[str, float],
        truncated: Iterable[int],
        by_modality: Mapping[str, int],
        billed: Mapping[Rate, int],
    ) -> None:
        for name, number in numbers.items():
            self._numbers[name] = self._numbers.get(name, 0) + number
        self._truncated.extend(truncated)
        for modality, tokens in by_modality.items():
            self._by_modality[modality] = self._by_modality.get(modality, 0) + tokens
        for rate, tokens in billed.items():
            self._billed[rate] = self._billed.get(rate, 0) + tokens


def count(
    meters: Iterable[Meter],
    numbers: Mapping[str, float],
    *,
    truncated: Iterable[int] = (),
    by_modality: Mapping[str, int] = {},
    billed: Mapping[Rate, int] = {},
) -> None:
    """Count in several meters: `numbers` by the names of the fields of `Usage`."""
    with _lock:
        for meter in meters:
            meter._count(numbers, truncated, by_modality, billed)  # noqa: SLF001 - our own class


class Wait:
    """Adds up the seconds in which somebody waits: several who wait at once count once."""

    def __init__(self) -> None:
        self._waiting = 0
        self._counted_until = 0.0

    def begin(self, now: float) -> float:
        """Note that one more waits; return the seconds since the last change."""
        self._waiting += 1
        return self._passed(now, waited=self._waiting > 1)

    def end(self, now: float) -> float:
        """Note that one waits no longer; return the seconds since the last change."""
        self._waiting -= 1
        return self._passed(now, waited=True)

    def _passed(self, now: float, *, waited: bool) -> float:
        since, self._counted_until = self._counted_until, now
        return now - since if waited else 0.0


class TrackedUsage(Usage):
    """What the calls of a block have cost so far: it goes on counting. A pickle of it does not."""

    __slots__ = ("_meter",)
    _meter: Meter

    def __init__(self, meter: Meter) -> None:
        object.__setattr__(self, "_meter", meter)

    def __getattribute__(self, name: str) -> Any:
        held = object.__getattribute__
        return (
            held(self, name) if name.startswith("_") else getattr(held(self, "_meter").usage, name)
        )

    def __add__(self, other: Usage) -> Usage:
        return self._meter.usage + other  # all of one moment

    def __radd__(self, other: Usage | int) -> Usage:
        return other + self._meter.usage

    def __repr__(self) -> str:
        return repr(self._meter.usage)

    def __eq__(self, other: object) -> bool:
        return self._meter.usage == other

    __hash__ = None  # type: ignore[assignment] # it changes

    def __reduce__(self) -> Any:
        return _same, (self._meter.usage,)


def _same(usage: Usage) -> Usage:
    return usage


_tracked: ContextVar[tuple[tuple[Meter, Meter], ...]] = ContextVar("tracked", default=())
"""In the caller's context, for each block: the embedder's meter, and the block's."""


def meters_of(meter: Meter) -> list[Meter]:
    """Return where a call of this context is counted: in the embedder's meter, and its blocks'."""
    return [meter, *(block for owner, block in _tracked.get() if owner is meter)]


class Metered:
    """`usage`, `reset_usage` and `track`, for whatever has a meter."""

    _meter: Meter

    @property
    def usage(self) -> Usage:
        """What all calls have cost until now, those under way and those that failed included.

        It begins at nothing when the embedder is made. A copy begins at nothing as well, and so
        does a pickle; a forked child goes on from what its parent had.
        """
        return self._meter.usage

    def reset_usage(self) -> Usage:
        """Let `usage` begin again at nothing, and return what it was.

        Nothing is counted twice or lost, whatever is under way; blocks of `track` go on.
        """
        return self._meter.reset()

    @contextmanager
    def track(self) -> Generator[Usage]:
        """Count what the calls that begin within a block cost.

        Those are the calls of this embedder in the block's context: in the block itself, in tasks
        that are made there, and on threads that get its context (`asyncio.to_thread`, or
        `contextvars.copy_context().run`), as LangChain's do; none of other tasks and threads. A
        call that is still under way at the end of the block is counted on. Blocks may lie in each
        other.

        Yields:
            A Usage that goes on counting.
        """
        block = Meter()
        _tracked.set((*_tracked.get(), (self._meter, block)))
        try:
            yield TrackedUsage(block)
        finally:  # without a token: a generator of the caller's may end in another context
            _tracked.set(tuple(one for one in _tracked.get() if one[1] is not block))


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 - the parent may have held it
    _lock = process.new_lock()


process.after_fork(_after_fork)
