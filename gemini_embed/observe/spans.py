"""OpenTelemetry: a span and two measurements for each call, by its conventions for GenAI.

Imported where the program has imported OpenTelemetry. The names are literals, since the package of
conventions lags behind them. What the conventions have no name for begins with `gemini_embed.`.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from opentelemetry import context, metrics, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from gemini_embed.observe.events import Progress, Retry, Waiting
from gemini_embed.observe.logs import kind_of
from gemini_embed.observe.tracing import Operation, harmless
from gemini_embed.version import __version__

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from contextlib import AbstractContextManager

    from opentelemetry.metrics import Histogram, Meter, MeterProvider
    from opentelemetry.trace import Span, Tracer, TracerProvider
    from opentelemetry.util.types import AttributeValue

    from gemini_embed.usage import Usage

_PROVIDERS = {"gemini": "gcp.gemini", "vertex": "gcp.vertex_ai"}

_SECONDS = [0.01 * 2**step for step in range(14)]
_TOKENS = [4**step for step in range(14)]
"""Borders of the buckets that the conventions advise."""

_PLAIN = "suppress_instrumentation"
_GENAI = "opentelemetry.genai.client.embedding.context"


class CallSpan:
    """The span of one call, and its measurements."""

    def __init__(self, operation: Operation) -> None:
        self._instruments = _instruments(trace.get_tracer_provider(), metrics.get_meter_provider())
        self._common = common(operation)
        self._began = time.perf_counter()
        self._span = self._instruments.tracer.start_span(
            operation.name,
            kind=SpanKind.CLIENT,
            attributes={
                **self._common,
                "gen_ai.embeddings.dimension.count": operation.dimension,
                "gemini_embed.texts": operation.texts,
                **({"gemini_embed.batch.run": operation.run} if operation.run else {}),
            },
        )
        kinds = [_Retries, _Steps] if operation.run else [_Retries]
        self.observers = [kind(self._span) for kind in kinds if self._span.is_recording()]

    def within(self) -> AbstractContextManager[Span]:
        """Return what makes it the current span."""
        return trace.use_span(self._span, record_exception=False, set_status_on_exception=False)

    def end(self, usage: Usage, error: BaseException | None) -> None:
        """End the span, and measure."""
        seconds = time.perf_counter() - self._began
        if error is not None:
            self._common["error.type"] = _type_of(error)
        if self._span.is_recording():
            self._finish(usage, error)
        self._instruments.duration.record(seconds, self._common)
        if usage.prompt_tokens is not None:
            self._instruments.tokens.record(usage.prompt_tokens, self._common)
        self._span.end()

    def _finish(self, usage: Usage, error: BaseException | None) -> None:
        told: dict[str, AttributeValue] = {
            "gemini_embed.requests": usage.requests,
            "gemini_embed.cached": usage.cached,
        }
        if usage.prompt_tokens is not None:
            told["gen_ai.usage.input_tokens"] = usage.prompt_tokens
        if error is not None:
            told["error.type"] = _type_of(error)
            self._span.set_status(Status(StatusCode.ERROR, kind_of(error)))
        self._span.set_attributes(told)


class _Retries:
    """Makes events of a span of what is tried again in its call."""

    sees = (Retry,)

    def __init__(self, span: Span) -> None:
        self._span = span

    def __call__(self, retry: Retry) -> None:
        if self._span.is_recording():  # not where the caller has gone, and it has ended
            with harmless:
                self._span.add_event("gemini_embed.retry", _of_retry(retry))


class _Steps:
    """Tells in a span of a run of the Batch API what is waited for, and how far it is."""

    sees = (Waiting, Progress)

    def __init__(self, span: Span) -> None:
        self._span = span

    def __call__(self, event: Waiting | Progress) -> None:
        if not self._span.is_recording():
            return
        with harmless:
            match event:
                case Waiting(seconds, done=done):
                    told = {"gemini_embed.wait": seconds, "gemini_embed.batch.done": done}
                    self._span.add_event("gemini_embed.batch.wait", told)
                case Progress(done, total):
                    told = {"gemini_embed.batch.done": done, "gemini_embed.batch.total": total}
                    self._span.set_attributes(told)


def are_wanted() -> bool:
    """Tell whether the program has set up a provider of spans or of measurements."""
    return _is_real(trace.get_tracer_provider()) or _is_real(metrics.get_meter_provider())


@contextmanager
def quiet() -> Generator[None]:
    """Keep other instrumentations from telling what the span of the call tells."""
    token = context.attach(_silenced(context.get_current()))
    try:
        yield
    finally:
        context.detach(token)


class _Instruments(NamedTuple):
    tracer: Tracer
    duration: Histogram
    tokens: Histogram


@lru_cache(maxsize=1)
def _instruments(tracers: TracerProvider, meters: MeterProvider) -> _Instruments:
    meter = meters.get_meter("gemini_embed", __version__)
    return _Instruments(
        tracers.get_tracer("gemini_embed", __version__),
        _histogram(
            meter,
            "gen_ai.client.embeddings.duration",
            _SECONDS,
            unit="s",
            description="Duration of an embeddings operation, with all that is tried again.",
        ),
        _histogram(
            meter,
            "gen_ai.client.embeddings.operation.input_tokens",
            _TOKENS,
            unit="{token}",
            description="Input tokens of an embeddings operation, as the service counted them.",
        ),
    )


def _histogram(
    meter: Meter, name: str, borders: Sequence[float], *, unit: str, description: str
) -> Histogram:
    try:
        return meter.create_histogram(
            name, unit, description, explicit_bucket_boundaries_advisory=borders
        )
    except TypeError:  # an older OpenTelemetry, where only views say where buckets end
        return meter.create_histogram(name, unit, description)


def _is_real(provider: object) -> bool:
    """Tell whether a provider is more than what OpenTelemetry's API brings, which does nothing."""
    return not type(provider).__module__.startswith(
        ("opentelemetry.trace", "opentelemetry.metrics")
    )


def common(operation: Operation) -> dict[str, AttributeValue]:
    """Return what both the span and the measurements have."""
    where: dict[str, AttributeValue] = {}
    if operation.address is not None and operation.port is not None:
        where = {"server.address": operation.address, "server.port": operation.port}
    return {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": _PROVIDERS[operation.backend],
        "gen_ai.request.model": operation.model,
        **({"gemini_embed.batch": True} if operation.run else {}),  # it takes hours
        **where,
    }


def _of_retry(retry: Retry) -> dict[str, AttributeValue]:
    attributes: dict[str, AttributeValue] = {
        "error.type": _type_of(retry.error),
        "gemini_embed.attempt": retry.attempt,
        "gemini_embed.wait": retry.wait,
        "gemini_embed.texts": len(retry.indexes),
    }
    if (status := getattr(retry.error, "status", None)) is not None:
        attributes["http.response.status_code"] = status
    return attributes


def _type_of(error: BaseException) -> str:
    cls = type(error)
    return f"{cls.__module__}.{cls.__qualname__}".removeprefix("builtins.")


def _silenced(current: context.Context) -> context.Context:
    """Return a context in which the instrumentations that are known trace nothing.

    Each looks for a key of its own: OpenTelemetry's HTTP clients and OpenInference for the first
    two, whose first is made by the API and has no public name; OpenTelemetry's for google-genai
    for the last, with a value of its own class.
    """
    made = getattr(context, "_SUPPRESS_INSTRUMENTATION_KEY", _PLAIN)
    return context.Context({**current, made: True, _PLAIN: True, _GENAI: _embedding_data()})


def _embedding_data() -> object:
    """Return what opentelemetry-util-genai takes for an embedding that is traced already."""
    module = sys.modules.get("opentelemetry.util.genai._embedding_invocation")
    kind = getattr(module, "EmbeddingData", None)
    return True if kind is None else kind()
