"""OpenTelemetry as a program sets it up, with exporters that keep everything in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

if TYPE_CHECKING:
    import pytest
    from opentelemetry.sdk.trace.sampling import Sampler


class Telemetry:
    """What a program with OpenTelemetry has collected."""

    def __init__(self, sampler: Sampler | None = None) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracers = TracerProvider(sampler=sampler)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.meters = MeterProvider([self._reader])
        self.tracer = self.tracers.get_tracer("the program's own")

    def set_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make them the program's, which OpenTelemetry allows but once in a process."""
        monkeypatch.setattr(trace, "get_tracer_provider", lambda: self.tracers)
        monkeypatch.setattr(metrics, "get_meter_provider", lambda: self.meters)

    @property
    def all_spans(self) -> list[Any]:
        """The spans that have ended."""
        return list(self._exporter.get_finished_spans())

    @property
    def spans(self) -> list[Any]:
        """Those of gemini-embed."""
        return [s for s in self.all_spans if s.instrumentation_scope.name == "gemini_embed"]

    @property
    def span(self) -> Any:
        """The only one of them."""
        (span,) = self.spans
        return span

    def points(self, name: str) -> list[Any]:
        """Return what was measured under a name: a point for each set of attributes."""
        return [point for m in self._metrics() if m.name == name for point in m.data.data_points]

    @property
    def measured(self) -> set[str]:
        """The names under which something was measured."""
        return {metric.name for metric in self._metrics()}

    def _metrics(self) -> list[Any]:
        data = self._reader.get_metrics_data()
        scopes = [s for r in (data.resource_metrics if data else ()) for s in r.scope_metrics]
        return [metric for scope in scopes for metric in scope.metrics]

    def __str__(self) -> str:
        """All of it as it would be exported."""
        data = self._reader.get_metrics_data()
        spans = [str(span.to_json()) for span in self._exporter.get_finished_spans()]
        return "\n".join([*spans, data.to_json() if data else ""])
