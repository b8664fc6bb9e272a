"""One trace for each call of the caller's, in what the program traces with. No I/O of its own.

That is OpenTelemetry, where the program has set up a provider, and LangSmith, where its tracing is
on. Neither is imported before the program has done so. Texts, vectors and keys go to none of them,
nor what the service says of an error, since that may quote them.
"""

from __future__ import annotations

import logging
import sys
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from gemini_embed.errors import described
from gemini_embed.observe.meter import Meter

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from contextlib import AbstractContextManager

    from gemini_embed.observe.watch import Observer
    from gemini_embed.usage import Usage

logger = logging.getLogger("gemini_embed")

_NOTHING = nullcontext()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What is known of a call when it begins.

    Attributes:
        model: The model's name, as it is sent.
        backend: `"gemini"` or `"vertex"`, whoever offers it.
        texts: How many texts the caller gave.
        dimension: Numbers in each vector that the caller gets.
        address: The host that is asked; None where it is not known.
        port: Its port.
        run: The run of the Batch API that is worked on; empty of an online call.
    """

    model: str
    backend: str
    texts: int
    dimension: int
    address: str | None
    port: int | None
    run: str = ""

    @property
    def name(self) -> str:
        """What the call is called in a trace."""
        return f"embeddings {self.model}"


class Trace(Protocol):
    """One call in one of the systems. What goes wrong with it costs no vector."""

    @property
    def observers(self) -> Sequence[Observer]:
        """Who takes note of what happens, on the I/O thread."""
        ...

    def within(self) -> AbstractContextManager[object]:
        """Return what makes it the parent of what others trace meanwhile, on the I/O thread."""
        ...

    def end(self, usage: Usage, error: BaseException | None) -> None:
        """Finish it, in the caller's thread."""
        ...


class Traces:
    """The traces of one call.

    Attributes:
        each: In each of the systems that trace it.
        meters: What counts for them what the call costs.
    """

    def __init__(self, each: Sequence[Trace] = ()) -> None:
        self.each = each
        self.meters = [Meter()] if each else []

    @property
    def observers(self) -> list[Observer]:
        """Who takes note of what happens in the call."""
        return [observer for trace in self.each for observer in trace.observers]

    def within(self) -> AbstractContextManager[None]:
        """Make them the parents of what a block on the I/O thread traces: a cache, for instance."""
        return self._within() if self.each else _NOTHING

    @contextmanager
    def _within(self) -> Generator[None]:
        with ExitStack() as stack:
            for trace in self.each:
                with harmless:
                    stack.enter_context(trace.within())
            yield

    def end(self, error: BaseException | None = None) -> None:
        """Finish them, in the caller's thread."""
        for trace in self.each:
            with harmless:
                trace.end(self.meters[0].usage, error)


@contextmanager
def traced(describe: Callable[[], Operation]) -> Generator[Traces]:
    """Trace a block, from the caller's thread: its context says what the parent is.

    Args:
        describe: Returns what is known of the call; called only where somebody traces.
    """
    traces = Traces(_begun(describe))
    try:
        yield traces
    except BaseException as error:
        traces.end(error)
        raise
    traces.end()


def quiet() -> AbstractContextManager[object]:
    """Return what keeps others from tracing a block, which the trace of its call holds already."""
    spans = _wanted_spans()
    return _NOTHING if spans is None else spans.quiet()


class _Harmless:
    """Goes on where a trace fails, and says so."""

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        """Let only what ends the program through."""
        if isinstance(error, Exception):  # of a provider, an exporter or a sampler of anybody's
            logger.warning("a call could not be traced as a whole: %s", described(error))
            return True
        return False


harmless = _Harmless()
"""For `with`: what a trace does wrong ends no call."""


def _begun(describe: Callable[[], Operation]) -> list[Trace]:
    makers: list[Callable[[Operation], Trace]] = []
    if (spans := _wanted_spans()) is not None:
        makers.append(spans.CallSpan)
    if (runs := _wanted_runs()) is not None:
        makers.append(runs.CallRun)
    traces: list[Trace] = []
    if makers:
        operation = describe()
        for make in makers:
            with harmless:
                traces.append(make(operation))
    return traces


def _wanted_spans() -> Any:
    """Return our part for OpenTelemetry, if the program has set OpenTelemetry up."""
    if "opentelemetry.trace" in sys.modules or "opentelemetry.metrics" in sys.modules:
        return _wanted("spans")
    return None


def _wanted_runs() -> Any:
    """Return our part for LangSmith, if its tracing is on here."""
    return _wanted("runs") if "langsmith" in sys.modules else None


def _wanted(name: str) -> Any:
    """Return a part of ours, if the library that it is for is in use."""
    with harmless:
        part = _loaded(name)
        if part is not None and part.are_wanted():
            return part
    return None


@cache
def _loaded(name: str) -> Any:
    """Import a part of ours, once; None where the library does not have what it needs."""
    with harmless:
        return import_module(f"gemini_embed.observe.{name}")
    return None
