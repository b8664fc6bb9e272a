"""The instrumentations for OpenTelemetry that people have beside us: nothing is counted twice.

Runs where they are installed (`make test-peers`), and skips elsewhere; OpenTelemetry's own for
google-genai needs google-genai 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google import genai
from telemetry import Telemetry

from gemini_embed import GeminiEmbedder
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gemini_embed.standin import Standin

pytestmark = [
    # Of the instrumentations and of the SDK's client, not of ours.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

OF_THE_SDK = {
    "opentelemetry.instrumentation.google_genai": "GoogleGenAiSdkInstrumentor",
    "openinference.instrumentation.google_genai": "GoogleGenAIInstrumentor",
}
OF_LLAMAINDEX = {"openinference.instrumentation.llama_index": "LlamaIndexInstrumentor"}

TEXTS = [f"secret-text {i}" for i in range(250)]


@pytest.fixture
def telemetry(monkeypatch: pytest.MonkeyPatch) -> Telemetry:
    made = Telemetry()
    made.set_up(monkeypatch)
    return made


@pytest.fixture(params=OF_THE_SDK)
def instrumented(request: pytest.FixtureRequest, telemetry: Telemetry) -> Iterator[Telemetry]:
    """OpenTelemetry in a program that traces the SDK as well."""
    yield from instrument(request.param, OF_THE_SDK[request.param], telemetry)


def instrument(module: str, name: str, telemetry: Telemetry) -> Iterator[Telemetry]:
    reason = f"{module} is not installed; make test-peers installs it"
    made = getattr(pytest.importorskip(module, reason=reason), name)()
    made.instrument(tracer_provider=telemetry.tracers, meter_provider=telemetry.meters)
    try:
        yield telemetry
    finally:
        made.uninstrument()


def embedder(server: Standin) -> GeminiEmbedder:
    return GeminiEmbedder(
        api_key="a-key", base_url=server.url, retry_min_seconds=0.001, retry_max_seconds=0.002
    )


def names_of(telemetry: Telemetry) -> list[str]:
    return [span.name for span in telemetry.all_spans]


async def test_the_sdk_alone_is_traced_by_it(instrumented: Telemetry, server: Standin) -> None:
    """So that the tests below show something: these instrumentations work here."""
    client = genai.Client(api_key="a-key", http_options={"base_url": server.url})

    await client.aio.models.embed_content(model="gemini-embedding-001", contents="a text")

    assert len(names_of(instrumented)) == 1


async def test_a_call_is_one_span_and_counts_once(instrumented: Telemetry, server: Standin) -> None:
    """Of three requests, one tried again: no span, no tokens and no duration of another's."""
    server.script.append("503")
    made = embedder(server)

    made.embed(TEXTS, role="document")
    await made.aembed(TEXTS, role="document")

    assert names_of(instrumented) == ["embeddings gemini-embedding-2"] * 2
    measured = {
        "gen_ai.client.embeddings.duration",
        "gen_ai.client.embeddings.operation.input_tokens",
    }
    assert instrumented.measured <= measured
    (duration,) = instrumented.points("gen_ai.client.embeddings.duration")
    assert duration.count == 2
    assert "secret-text" not in str(instrumented)


async def test_both_adapters_are_one_span_a_call_too(
    instrumented: Telemetry, server: Standin
) -> None:
    """Through either framework, sync and async."""
    where: Any = {"api_key": "a-key", "base_url": server.url}
    langchain, llamaindex = GeminiEmbeddings(**where), GeminiEmbedding(**where)

    langchain.embed_documents(TEXTS)
    await langchain.aembed_query("q")
    llamaindex.get_text_embedding_batch(TEXTS)
    await llamaindex.aget_query_embedding("q")

    assert names_of(instrumented) == ["embeddings gemini-embedding-2"] * 4


def test_a_program_that_traces_the_sdk_only_keeps_its_spans(
    instrumented: Telemetry, server: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider that only an instrumentation was given is not ours, and its spans are not lost."""
    monkeypatch.undo()  # no provider for the whole program

    embedder(server).embed(TEXTS, role="document")

    assert len(names_of(instrumented)) == 3
    assert instrumented.spans == []


def test_llamaindexs_own_spans_have_one_of_ours_inside(
    telemetry: Telemetry, server: Standin
) -> None:
    """Theirs tells of the framework, ours of the call: tokens stand in one of them."""
    made = GeminiEmbedding(api_key="a-key", base_url=server.url)
    for _ in instrument(*next(iter(OF_LLAMAINDEX.items())), telemetry):
        made.get_text_embedding_batch(TEXTS)

    assert telemetry.span.parent.span_id in {s.context.span_id for s in telemetry.all_spans}
    assert len({span.context.trace_id for span in telemetry.all_spans}) == 1
    assert str(telemetry).count("gen_ai.usage.input_tokens") <= 1
