"""The runs that LangSmith gets, read off a local service in its place."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import langsmith
import pytest
from langchain_core.documents import Document
from langchain_core.runnables import RunnableLambda
from langchain_core.vectorstores import InMemoryVectorStore

from gemini_embed import GeminiEmbedder, RequestError
from gemini_embed.observe.runs import _told
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gemini_embed.standin import Standin

    Maker = Callable[..., GeminiEmbedder]


class LangSmith(ThreadingHTTPServer):
    """Takes runs, as LangSmith's service does: one request when it begins, one when it ends."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.runs: dict[str, dict[str, Any]] = {}
        self.bodies: list[str] = []
        self.lock = threading.Lock()
        self.client = langsmith.Client(
            api_url=f"http://127.0.0.1:{self.server_port}",
            api_key="a-key-of-langsmith",
            auto_batch_tracing=False,
            info={},
        )

    def named(self, beginning: str) -> list[dict[str, Any]]:
        return [run for run in self.runs.values() if run["name"].startswith(beginning)]

    @property
    def run(self) -> dict[str, Any]:
        """The only run for embeddings."""
        (run,) = self.named("embeddings ")
        return run

    def take(self, body: str, path: str) -> None:
        run = json.loads(body)
        with self.lock:
            self.bodies.append(body)
            known = self.runs.setdefault(run.get("id") or path.rpartition("/")[2], {})
            known.update({name: value for name, value in run.items() if value is not None})


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, LangSmith)
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.server.take(body, self.path)
        self.send_response(202)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_PATCH = do_POST  # noqa: N815 - the names are the standard library's

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Print nothing."""


@pytest.fixture
def service() -> Iterator[LangSmith]:
    with LangSmith() as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        with langsmith.tracing_context(enabled=True, client=made.client):
            yield made
        made.shutdown()
        thread.join()


def test_a_call_is_a_run_of_type_embedding(embedder: Maker, service: LangSmith) -> None:
    """With what LangSmith needs for its costs: provider, model and tokens."""
    usage = embedder().embed(iter(["one text", "another", "one text"]), role="document").usage

    run = service.run
    assert (run["name"], run["run_type"]) == ("embeddings gemini-embedding-2", "embedding")
    assert run.get("error") is None
    assert run["inputs"] == {"texts": 3, "dimension": 3072}
    assert run["outputs"] == {"vectors": 3, "requests": 1, "cached": 0}
    told = run["extra"]["metadata"]
    assert (told["ls_provider"], told["ls_model_name"]) == ("google_genai", "gemini-embedding-2")
    cost = usage.cost()
    assert cost is not None
    assert told["usage_metadata"] == {
        "input_tokens": usage.prompt_tokens,
        "total_tokens": usage.prompt_tokens,
        "input_cost": float(cost),
        "total_cost": float(cost),
    }


def test_tokens_that_nobody_told_are_not_in_a_run(embedder: Maker, service: LangSmith) -> None:
    """gemini-embedding-001 does not say what it counted, and an estimate would be taken for it."""
    embedder(model="gemini-embedding-001").embed(["one text"], role="document")

    assert "usage_metadata" not in service.run["extra"]["metadata"]


def test_a_price_that_is_not_known_is_left_to_langsmith() -> None:
    """It has a table of its own."""
    assert _told(5, None) == {"input_tokens": 5, "total_tokens": 5}


def test_it_is_one_run_whatever_is_tried_again(
    embedder: Maker, server: Standin, service: LangSmith
) -> None:
    """What was tried again is a number in it."""
    server.script.append("503")

    embedder().embed(["a"], role="query")

    assert service.run["outputs"]["requests"] == 2


def test_no_text_no_vector_and_no_key_leaves(
    embedder: Maker, server: Standin, service: LangSmith
) -> None:
    """Not even where the service quotes them in what it refuses."""
    error = {"code": 400, "message": "secret-text a-key", "status": "secret-text"}
    server.script.append((400, {"error": error}, {}))
    made = embedder()

    with pytest.raises(RequestError):
        made.embed(["secret-text"], role="query")
    vectors = made.embed(["secret-text"], role="query").vectors

    failed, answered = service.named("embeddings ")
    assert (failed["error"], failed["outputs"]) == (
        "RequestError 400",
        {"requests": 1, "cached": 0},
    )
    assert answered["outputs"]["vectors"] == 1
    sent = "\n".join(service.bodies)
    assert "secret-text" not in sent
    assert '"a-key' not in sent
    assert f"{float(vectors[0][0])!r}"[:8] not in sent


async def test_both_adapters_make_one_run_a_call(server: Standin, service: LangSmith) -> None:
    """Sync and async."""
    where: Any = {"api_key": "a-key", "base_url": server.url}
    langchain, llamaindex = GeminiEmbeddings(**where), GeminiEmbedding(**where)
    texts = [f"text {i}" for i in range(250)]

    langchain.embed_documents(texts)
    await langchain.aembed_query("q")
    llamaindex.get_text_embedding_batch(texts)
    await llamaindex.aget_query_embedding("q")

    assert [run["inputs"]["texts"] for run in service.named("embeddings ")] == [250, 1, 250, 1]


def test_a_chain_is_the_parent(server: Standin, service: LangSmith) -> None:
    """The run of a retriever's query stands in the tree of the chain that asked."""
    store = InMemoryVectorStore(GeminiEmbeddings(api_key="a-key", base_url=server.url))
    with langsmith.tracing_context(enabled=False):
        store.add_documents([Document("a text")])
    chain = store.as_retriever() | RunnableLambda(len)

    chain.invoke("a question")

    (sequence,) = service.named("RunnableSequence")
    assert service.run["parent_run_id"] == sequence["id"]
    assert service.run["trace_id"] == sequence["id"]


def test_each_thread_has_its_own_parent(embedder: Maker, service: LangSmith) -> None:
    """Although one thread sends all requests."""
    made = embedder()

    def work(number: int) -> tuple[int, str]:
        with (
            langsmith.tracing_context(enabled=True, client=service.client),
            langsmith.trace(f"outer {number}", client=service.client) as outer,
        ):
            made.embed([f"text {number}"] * number, role="document")
            assert langsmith.get_current_run_tree() is outer
        return number, str(outer.id)

    with ThreadPoolExecutor(4) as pool:
        parents = dict(pool.map(work, range(1, 5)))

    runs = service.named("embeddings ")
    assert {run["inputs"]["texts"]: run["parent_run_id"] for run in runs} == parents


def test_nothing_is_sent_where_tracing_is_off(embedder: Maker, service: LangSmith) -> None:
    """Off is the default, and can be said of a part of a program."""
    with langsmith.tracing_context(enabled=False):
        embedder().embed(["a"], role="query")

    assert service.bodies == []


def test_a_service_that_is_down_costs_no_vector(embedder: Maker, service: LangSmith) -> None:
    """LangSmith tells its own logger."""
    service.shutdown()
    service.server_close()

    assert len(embedder().embed(["a"], role="query").vectors) == 1
