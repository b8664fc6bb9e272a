"""The section about traces: what a call costs more where a program has set up OpenTelemetry."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import TYPE_CHECKING
from unittest.mock import patch

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from benchmarks.contestants import Settings, load
from benchmarks.processes import Server
from benchmarks.results import Section, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from benchmarks.field import Bench

_WARM_UP = 50


def traces(bench: Bench) -> Section:
    """Single queries by turns, traced and not, in one process."""
    plain, traced = [], []
    with Server() as server:
        query = load("core")(Settings(base_url=server.url)).query
        providers = _providers()
        for number in range(_WARM_UP + bench.sizes.queries * bench.sizes.repeats):
            once = _took(query, f"query {number}")
            with _set_up(*providers):
                again = _took(query, f"query {number}, traced")
            if number >= _WARM_UP:
                plain.append(once)
                traced.append(again)
    kinds = {"nothing traces": plain, "OpenTelemetry on": traced}
    middle = {
        name: [median(part) for part in zip(*took, strict=True)] for name, took in kinds.items()
    }
    return Section(
        "Traces",
        f"{len(plain)} single queries of each kind, by turns, against a service that answers at "
        "once; a provider that samples all, a batch exporter, two histograms. Processor time "
        "includes all threads, and what else runs on the machine does not touch it.",
        tables=[
            Table(
                "Milliseconds a call, median",
                ("", "until the vector", "processor time"),
                [(name, *(f"{part:.2f}" for part in parts)) for name, parts in middle.items()],
            )
        ],
        figures={"traced": middle["OpenTelemetry on"][1] - middle["nothing traces"][1]},
    )


def _providers() -> tuple[TracerProvider, MeterProvider]:
    tracers = TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(InMemorySpanExporter()))
    return tracers, MeterProvider([InMemoryMetricReader()])


@contextmanager
def _set_up(tracers: TracerProvider, meters: MeterProvider) -> Generator[None]:
    """Make them the program's, for a block; OpenTelemetry has no way to take them back."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(trace, "get_tracer_provider", lambda: tracers))
        stack.enter_context(patch.object(metrics, "get_meter_provider", lambda: meters))
        yield


def _took(query: Callable[[str], object], text: str) -> tuple[float, float]:
    """Return the milliseconds of a query, by the clock and of the processor."""
    began, used = time.perf_counter(), time.process_time()
    query(text)
    return 1000 * (time.perf_counter() - began), 1000 * (time.process_time() - used)
