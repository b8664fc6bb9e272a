"""Streams in traces: each block is a call, under what the caller traces."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from opentelemetry import trace
from streams.reading import WAYS
from telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.reading import Read

    from gemini_embed import GeminiEmbedder


@pytest.fixture
def telemetry(monkeypatch: pytest.MonkeyPatch) -> Telemetry:
    made = Telemetry()
    made.set_up(monkeypatch)
    return made


@WAYS
def test_each_block_is_a_span_under_the_callers(
    reading: Read, embedder: Callable[..., GeminiEmbedder], telemetry: Telemetry
) -> None:
    """Who looks at a trace sees how far a stream has come, and what each block took."""
    with trace.get_tracer("a program").start_as_current_span("the caller's"):
        reading(embedder(output_dimensionality=128), [f"text {i}" for i in range(25)], size=10)

    spans = {span.name: span for span in telemetry.all_spans}
    blocks = [span for span in telemetry.all_spans if span.name.startswith("embeddings")]
    assert sorted(dict(span.attributes or {})["gemini_embed.texts"] for span in blocks) == [
        5,
        10,
        10,
    ]
    caller = spans["the caller's"].context
    assert {span.parent.span_id for span in blocks if span.parent} == {caller.span_id}


def test_a_stream_in_a_task_of_its_own(
    embedder: Callable[..., GeminiEmbedder], telemetry: Telemetry
) -> None:
    """Spans of two streams at once are each under their own caller's."""
    made = embedder(output_dimensionality=128)

    async def one(name: str) -> None:
        with trace.get_tracer("a program").start_as_current_span(name):
            async for _ in made.aembed_stream(["a", "b"], role="document", size=1):
                pass

    async def both() -> None:
        await asyncio.gather(one("first"), one("second"))

    asyncio.run(both())
    callers = [span for span in telemetry.all_spans if span.name in {"first", "second"}]
    for caller in callers:
        under = [
            one
            for one in telemetry.all_spans
            if one.parent == caller.context and one.name.startswith("embeddings")
        ]
        assert len(under) == 2
