"""The spans and measurements of OpenTelemetry, read back from exporters in memory."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import context, metrics, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from opentelemetry.trace import StatusCode
from telemetry import Telemetry

from gemini_embed import ConfigurationError, GeminiEmbedder, RequestError
from gemini_embed.observe import spans
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gemini_embed.standin import Standin

    Maker = Callable[..., GeminiEmbedder]

DURATION = "gen_ai.client.embeddings.duration"
TOKENS = "gen_ai.client.embeddings.operation.input_tokens"


def attributes_of(span: Any) -> dict[str, Any]:
    return dict(span.attributes)


def some_texts() -> Iterator[str]:
    yield from ("one text", "another", "one text")


def test_a_call_is_a_span_by_the_conventions(
    embedder: Maker, server: Standin, telemetry: Telemetry
) -> None:
    """Dashboards that know OpenTelemetry's conventions for GenAI show it without further work."""
    result = embedder(output_dimensionality=128).embed(some_texts(), role="document")

    span = telemetry.span
    assert span.name == "embeddings gemini-embedding-2"
    assert span.status.status_code is StatusCode.UNSET
    assert attributes_of(span) == {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": "gcp.gemini",
        "gen_ai.request.model": "gemini-embedding-2",
        "server.address": "127.0.0.1",
        "server.port": int(server.url.rpartition(":")[2]),
        "gen_ai.embeddings.dimension.count": 128,
        "gemini_embed.texts": 3,
        "gemini_embed.requests": 1,
        "gemini_embed.cached": 0,
        **(
            {"gen_ai.usage.input_tokens": result.usage.prompt_tokens}
            if result.usage.prompt_tokens is not None
            else {}  # google-genai below 3.1 drops the number
        ),
    }


@pytest.mark.parametrize(
    ("options", "provider", "address"),
    [
        ({"api_key": "k"}, "gcp.gemini", "generativelanguage.googleapis.com"),
        ({"project": "p", "location": "eu"}, "gcp.vertex_ai", "aiplatform.eu.rep.googleapis.com"),
        ({"api_key": "k", "vertexai": True}, "gcp.vertex_ai", "aiplatform.googleapis.com"),
        (
            {"project": "p", "location": "us-east1", "model": "gemini-embedding-001"},
            "gcp.vertex_ai",
            "us-east1-aiplatform.googleapis.com",
        ),
        (
            {"api_key": "k", "base_url": "https://gateway.example/v1"},
            "gcp.gemini",
            "gateway.example",
        ),
    ],
)
def test_a_span_names_the_service(options: dict[str, Any], provider: str, address: str) -> None:
    """Which of Google's two it is, and the host that is asked."""
    made = GeminiEmbedder(**options)

    operation = made._operation(made._checked(["a"], role="query"))

    told = spans.common(operation)
    assert told["gen_ai.provider.name"] == provider
    assert (told["server.address"], told["server.port"]) == (address, 443)


class Noting(Sampler):
    """Samples all, and notes what it was told."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}

    def should_sample(self, *args: Any, **named: Any) -> Any:
        self.told = args[4]
        return ALWAYS_ON.should_sample(*args, **named)

    def get_description(self) -> str:
        return "notes"


def test_a_sampler_knows_what_it_decides_about(
    embedder: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Operation, provider, model and address are there when the span starts."""
    sampler = Noting()
    Telemetry(sampler).set_up(monkeypatch)

    embedder().embed(["a"], role="query")

    assert {
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.request.model",
        "server.address",
        "server.port",
    } <= sampler.told.keys()


def test_what_is_tried_again_is_inside_of_the_one_span(
    embedder: Maker, server: Standin, telemetry: Telemetry
) -> None:
    """A call that needed three requests is one span, with two events that say why."""
    server.script.extend(["503", "reset"])

    embedder().embed(["a text", "another"], role="document")

    span = telemetry.span
    assert attributes_of(span)["gemini_embed.requests"] == 3
    assert span.status.status_code is StatusCode.UNSET
    first, second = span.events
    assert (first.name, second.name) == ("gemini_embed.retry", "gemini_embed.retry")
    assert dict(first.attributes) | {"gemini_embed.wait": 0} == {
        "error.type": "gemini_embed.errors.ServiceUnavailableError",
        "http.response.status_code": 503,
        "gemini_embed.attempt": 1,
        "gemini_embed.texts": 2,
        "gemini_embed.wait": 0,
    }
    assert "http.response.status_code" not in dict(second.attributes)


def test_a_call_that_fails_says_in_what(
    embedder: Maker, server: Standin, telemetry: Telemetry
) -> None:
    """The span and the measurement of its duration have the error's class."""
    server.script.append((403, {"error": {"code": 403, "message": "no", "status": "DENIED"}}, {}))

    with pytest.raises(RequestError):
        embedder().embed(["a"], role="query")

    span = telemetry.span
    kind = attributes_of(span)["error.type"]
    assert kind.startswith("gemini_embed.errors.")
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == f"{kind.rpartition('.')[2]} 403"
    (point,) = telemetry.points(DURATION)
    assert point.attributes["error.type"] == kind


def test_a_call_without_a_key_is_a_span_too(telemetry: Telemetry) -> None:
    """What ends a call before anything is sent is seen as well."""
    with pytest.raises(ConfigurationError):
        GeminiEmbedder().embed(["a"], role="query")

    assert attributes_of(telemetry.span)["error.type"] == "gemini_embed.errors.ConfigurationError"


async def test_a_cancelled_call_ends_its_span(embedder: Maker, telemetry: Telemetry) -> None:
    """It is not left open, and says that it was cancelled."""
    begun = threading.Event()

    async def limiter() -> None:
        begun.set()
        await asyncio.sleep(60)

    call = asyncio.create_task(embedder().aembed(["a"], role="query", rate_limiter=limiter))
    await asyncio.to_thread(begun.wait)

    call.cancel()
    await asyncio.wait([call])

    assert attributes_of(telemetry.span)["error.type"].endswith("CancelledError")


def test_two_histograms_are_measured(embedder: Maker, telemetry: Telemetry) -> None:
    """Of each call, with the names, units and buckets that the conventions advise."""
    made = embedder(output_dimensionality=128)
    tokens = [made.embed(["a text"] * n, role="document").usage.prompt_tokens for n in (1, 2)]

    (duration,) = telemetry.points(DURATION)
    assert (duration.count, duration.attributes["gen_ai.operation.name"]) == (2, "embeddings")
    assert duration.explicit_bounds[0] == 0.01
    assert duration.explicit_bounds[-1] == pytest.approx(81.92)
    assert "gen_ai.embeddings.dimension.count" not in duration.attributes
    if None in tokens:
        assert telemetry.points(TOKENS) == []
        return
    (counted,) = telemetry.points(TOKENS)
    assert (counted.count, counted.sum) == (2, sum(map(int, filter(None, tokens))))
    assert counted.explicit_bounds[:3] == (1, 4, 16)
    assert counted.explicit_bounds[-1] == 67108864


def test_what_traces_http_clients_is_told_to_trace_nothing(
    embedder: Maker, telemetry: Telemetry
) -> None:
    """While requests are sent, and no longer: such instrumentations ask for this mark."""
    marked = []

    async def hook(_: object) -> None:
        marked.append(context.get_value("suppress_instrumentation"))

    made = embedder(client_args={"event_hooks": {"request": [hook]}})
    made.embed(["a text", "another"], role="document")

    assert marked == [True]
    assert context.get_value("suppress_instrumentation") is None
    assert len(telemetry.spans) == 1


def test_no_text_and_no_vector_leaves(
    embedder: Maker, server: Standin, telemetry: Telemetry
) -> None:
    """Not even where the service quotes a text or the key in what it says of an error."""
    quoting = {"error": {"code": 400, "message": "secret-text a-key", "status": "secret-text"}}
    busy = {"error": {"code": 503, "message": "secret-text", "status": "secret-text"}}
    server.script.extend([(503, busy, {}), (400, quoting, {})])
    made = embedder()

    with pytest.raises(RequestError):
        made.embed(["secret-text"], role="query")
    vectors = made.embed(["secret-text"], role="query").vectors

    assert len(telemetry.spans) == 2
    exported = str(telemetry)
    assert "secret-text" not in exported
    assert "a-key" not in exported
    assert f"{float(vectors[0][0])!r}"[:8] not in exported


def test_the_parent_is_taken_from_the_callers_thread(embedder: Maker, telemetry: Telemetry) -> None:
    """Each call is the child of what its own thread was about, although one thread sends all."""
    made = embedder()

    def work(number: int) -> tuple[int, int]:
        with telemetry.tracer.start_as_current_span(f"request {number}") as span:
            made.embed([f"text {number}"] * number, role="document")
        return number, span.get_span_context().span_id

    with ThreadPoolExecutor(4) as pool:
        parents = dict(pool.map(work, range(1, 5)))

    children = {attributes_of(span)["gemini_embed.texts"]: span for span in telemetry.spans}
    assert {number: child.parent.span_id for number, child in children.items()} == parents


async def test_the_parent_is_taken_from_the_callers_task(
    embedder: Maker, telemetry: Telemetry
) -> None:
    """Tasks that embed at the same time do not get each other's calls."""
    made = embedder()

    async def work(number: int) -> tuple[int, int]:
        with telemetry.tracer.start_as_current_span(f"request {number}") as span:
            await made.aembed([f"text {number}"] * number, role="document")
            assert trace.get_current_span() is span
        return number, span.get_span_context().span_id

    parents = dict(await asyncio.gather(*map(work, range(1, 5))))

    children = {attributes_of(span)["gemini_embed.texts"]: span for span in telemetry.spans}
    assert {number: child.parent.span_id for number, child in children.items()} == parents


async def test_both_adapters_make_one_span_a_call(server: Standin, telemetry: Telemetry) -> None:
    """Sync and async, queries, documents and whole lists; LlamaIndex's single ones, too."""
    where: Any = {"api_key": "a-key", "base_url": server.url}
    langchain, llamaindex = GeminiEmbeddings(**where), GeminiEmbedding(**where)
    texts: Any = [f"text {i}" for i in range(250)]

    langchain.embed_documents(iter(texts))
    await langchain.aembed_documents(texts)
    langchain.embed_query("q")
    await langchain.aembed_query("q")
    llamaindex.get_text_embedding_batch(iter(texts))
    await llamaindex.aget_text_embedding_batch(texts)
    llamaindex.get_query_embedding("q")
    await llamaindex.aget_text_embedding("d")

    counts = [attributes_of(span)["gemini_embed.texts"] for span in telemetry.spans]
    assert counts == [250, 250, 1, 1, 250, 250, 1, 1]
    assert all(span.name == "embeddings gemini-embedding-2" for span in telemetry.spans)


def test_what_the_cache_had_is_no_usage(
    embedder: Maker, telemetry: Telemetry, tmp_path: Any
) -> None:
    """A call that pays for nothing says so."""
    made = embedder(cache=tmp_path / "vectors")
    made.embed(["a", "b"], role="document")

    made.embed(["a", "b", "a"], role="document")

    told = attributes_of(telemetry.spans[-1])
    assert (told["gemini_embed.requests"], told["gemini_embed.cached"]) == (0, 2)
    assert "gen_ai.usage.input_tokens" not in told


async def test_what_the_caller_does_inside_of_a_call_belongs_to_it(
    embedder: Maker, telemetry: Telemetry
) -> None:
    """A limiter of yours that asks a server is traced, as a child of the call."""
    seen = []

    async def limiter() -> None:
        seen.append(trace.get_current_span().get_span_context().span_id)

    with telemetry.tracer.start_as_current_span("outer") as outer:
        await embedder().aembed(["a"], role="query", rate_limiter=limiter)
        assert trace.get_current_span() is outer

    assert seen == [telemetry.span.get_span_context().span_id]


def test_a_span_that_is_not_sampled_costs_no_measurement(
    embedder: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Durations and tokens are measured of all calls, whatever share of them is traced."""
    unsampled = Telemetry(ALWAYS_OFF)
    unsampled.set_up(monkeypatch)

    embedder().embed(["a"], role="query")

    assert unsampled.spans == []
    assert len(unsampled.points(DURATION)) == 1


def test_measurements_need_no_spans(embedder: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that has set up measurements only gets them."""
    telemetry = Telemetry()
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: telemetry.meters)

    embedder().embed(["a"], role="query")

    assert telemetry.spans == []
    assert len(telemetry.points(DURATION)) == 1


def test_an_older_opentelemetry_measures_too(
    embedder: Maker, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before 1.30 nobody could advise on buckets."""
    kind = type(telemetry.meters.get_meter("any"))
    current = kind.create_histogram

    def older(meter: Any, name: str, unit: str = "", description: str = "") -> Any:
        return current(meter, name, unit, description)

    monkeypatch.setattr(kind, "create_histogram", older)

    embedder().embed(["a"], role="query")

    assert len(telemetry.points(DURATION)) == 1


class Broken(TracerProvider):
    def get_tracer(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("a provider that does not work")


def none_at_all() -> Any:
    raise RuntimeError("a provider that does not work")


@pytest.mark.parametrize("provider", [Broken, none_at_all])
def test_what_is_wrong_with_a_provider_costs_no_vector(
    embedder: Maker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    provider: Callable[[], Any],
) -> None:
    """The call goes on without a trace, and a warning says so."""
    monkeypatch.setattr(trace, "get_tracer_provider", provider)

    result = embedder().embed(["a"], role="query")

    assert len(result.vectors) == 1
    assert "a provider that does not work" in caplog.text


def run(program: str, url: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", program, url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_is_imported_for_a_program_that_does_not_trace(server: Standin) -> None:
    """Neither at the import nor at a call, whatever is installed."""
    program = """
import sys
from gemini_embed import GeminiEmbedder
GeminiEmbedder(api_key="k", base_url=sys.argv[1]).embed(["a"], role="query")
traced = ("opentelemetry", "langsmith", "gemini_embed.observe.spans", "gemini_embed.observe.runs")
print([name for name in sys.modules if name.startswith(traced)])
"""
    assert run(program, server.url) == "[]\n"


def test_a_forked_process_traces_its_own_calls(server: Standin) -> None:
    """In the child a call is the child of what it was forked in."""
    program = """
import os, sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from gemini_embed import GeminiEmbedder

exporter = InMemorySpanExporter()
trace.set_tracer_provider(TracerProvider())
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(exporter))
embedder = GeminiEmbedder(api_key="k", base_url=sys.argv[1])
embedder.embed(["a"], role="query")
exporter.clear()
with trace.get_tracer("program").start_as_current_span("outer") as outer:
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status))
    embedder.embed(["b"], role="query")
    (span,) = exporter.get_finished_spans()
    assert span.parent.span_id == outer.get_span_context().span_id
    print(span.name, flush=True)
    os._exit(0)
"""
    assert run(program, server.url) == "embeddings gemini-embedding-2\n"
