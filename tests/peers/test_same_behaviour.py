"""The official classes and ours, side by side: what holds for theirs holds for ours.

Runs where the official integrations are installed (`make test-peers`), and skips elsewhere;
LlamaIndex's needs google-genai 2. What theirs fails at is marked: it must go on failing, or the
table in `docs/coming-over.md` is wrong.
"""

from __future__ import annotations

import copy
import gc
import importlib
import json
import math
import pickle
import threading
from typing import TYPE_CHECKING, Any

import pytest
from google.oauth2.credentials import Credentials
from helpers import vectors_of
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.schema import TextNode

from gemini_embed.service.backend import sdk_version
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gemini_embed.standin import Standin
    from gemini_embed.standin.faults import FaultKind

    Maker = Callable[..., Any]

NEEDED = "the official integrations are not installed; make test-peers installs them"
langchain_google_genai = pytest.importorskip("langchain_google_genai", reason=NEEDED)
try:
    google_genai: Any = importlib.import_module("llama_index.embeddings.google_genai")
except ImportError:
    google_genai = None

ONE = "gemini-embedding-001"
TWO = "gemini-embedding-2"
TEXTS = [f"text number {i}" for i in range(120)]

OFFICIAL_LANGCHAIN = langchain_google_genai.GoogleGenerativeAIEmbeddings
OFFICIAL_LLAMAINDEX = google_genai and google_genai.GoogleGenAIEmbedding

pytestmark = [
    # Of the official classes, not of ours: sessions left open, SDK subclasses of aiohttp's.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def fails(made: type[Any], why: str) -> Any:
    """Return a parameter for an official class that fails, as the table says."""
    return pytest.param(made, marks=pytest.mark.xfail(strict=True, reason=why))


@pytest.fixture(autouse=True)
def is_installed(request: pytest.FixtureRequest) -> None:
    """Skip what is about LlamaIndex's official class where it is not installed."""
    if request.node.callspec.params["made"] is None:
        pytest.skip("LlamaIndex's official class needs google-genai below 3")


@pytest.fixture(autouse=True)
def what_they_leave_open() -> Iterator[None]:
    """Let go of the official classes' connections while their warnings are ignored."""
    yield
    gc.collect()


@pytest.fixture
def embeddings(server: Standin) -> Maker:
    """Return a maker of LangChain embeddings of either class."""

    def make(made: type[Any], **options: Any) -> Any:
        return made(**{"model": ONE, "api_key": "a-key", "base_url": server.url, **options})

    return make


@pytest.fixture
def embed_model(server: Standin) -> Maker:
    """Return a maker of LlamaIndex models of either class."""

    def make(made: type[Any], **options: Any) -> Any:
        http = {"base_url": server.url, **options.pop("http_options", {})}
        return made(**{"model_name": ONE, "api_key": "a-key", "http_options": http, **options})

    return make


def documents(server: Standin, texts: list[str], **of: Any) -> list[list[float]]:
    """Return the stand-in's vectors of documents, as plain floats."""
    task: dict[str, Any] = {"model": ONE, "task_type": "RETRIEVAL_DOCUMENT"}
    return [row.tolist() for row in vectors_of(server, texts, **{**task, **of})]


def near(vectors: list[list[float]], right: list[list[float]]) -> bool:
    """Compare as float32, which is what the service sends."""
    return all(
        len(ours) == len(theirs) and max(map(abs, map(float.__sub__, ours, theirs))) < 1e-7
        for ours, theirs in zip(vectors, right, strict=True)
    )


def refusal(delay: str) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Return Google's refusal for a quota, which says how long to wait."""
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    error = {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED"}
    return 429, {"error": {**error, "details": [info]}}, {}


def sent(server: Standin) -> list[dict[str, Any]]:
    """Return what was sent for each text, in order."""
    return [request for exchange in server.log for request in exchange.body["requests"]]


LANGCHAIN = pytest.mark.parametrize("made", [OFFICIAL_LANGCHAIN, GeminiEmbeddings])
LLAMAINDEX = pytest.mark.parametrize("made", [OFFICIAL_LLAMAINDEX, GeminiEmbedding])


@LANGCHAIN
async def test_langchain_documents_and_queries(
    made: type[Any], server: Standin, embeddings: Maker
) -> None:
    """Sync and async, each text gets its own vector, as plain floats."""
    model = embeddings(made)

    assert near(model.embed_documents(TEXTS), documents(server, TEXTS))
    assert near(await model.aembed_documents(TEXTS), documents(server, TEXTS))
    query = documents(server, ["q"], task_type="RETRIEVAL_QUERY")
    assert near([model.embed_query("q")], query)
    assert near([await model.aembed_query("q")], query)
    assert type(model.embed_query("q")[0]) is float


@LANGCHAIN
def test_langchain_options_of_a_call(made: type[Any], server: Standin, embeddings: Maker) -> None:
    """batch_size, task_type, output_dimensionality and a single title reach the service."""
    model = embeddings(made)

    model.embed_documents(TEXTS[:4], batch_size=2, task_type="CLUSTERING")
    model.embed_documents(["a"], titles=["T"], output_dimensionality=3072)
    model.embed_query("q", task_type="SEMANTIC_SIMILARITY")

    bodies = [exchange.body["requests"] for exchange in server.log]
    assert [len(body) for body in bodies] == [2, 2, 1, 1]
    assert [body[0]["taskType"] for body in bodies] == [
        "CLUSTERING",
        "CLUSTERING",
        "RETRIEVAL_DOCUMENT",
        "SEMANTIC_SIMILARITY",
    ]
    assert bodies[2][0]["title"] == "T"
    assert bodies[2][0]["outputDimensionality"] == 3072


@LANGCHAIN
def test_langchain_attributes(made: type[Any], embeddings: Maker) -> None:
    """What people read off the object is there under the same name."""
    model = embeddings(made, output_dimensionality=3072, task_type="RETRIEVAL_DOCUMENT")

    assert model.model == ONE
    assert model.google_api_key.get_secret_value() == "a-key"
    assert (model.output_dimensionality, model.task_type) == (3072, "RETRIEVAL_DOCUMENT")
    assert (model.vertexai or False, model.project, model.credentials) == (False, None, None)


@LANGCHAIN
def test_langchain_headers_are_sent(made: type[Any], server: Standin, embeddings: Maker) -> None:
    """Headers of a gateway reach it, and the caller's dict stays as it was."""
    headers = {"x-team": "search"}

    embeddings(made, additional_headers=headers).embed_query("q")

    assert server.log[0].headers["x-team"] == "search"
    assert headers == {"x-team": "search"}


@LANGCHAIN
def test_langchain_nothing_is_sent_for_nothing(
    made: type[Any], server: Standin, embeddings: Maker
) -> None:
    """`[]` gives `[]`."""
    assert embeddings(made).embed_documents([]) == []
    assert server.log == []


@pytest.mark.parametrize(
    "made", [fails(OFFICIAL_LANGCHAIN, "titles of several are dropped"), GeminiEmbeddings]
)
def test_langchain_titles_of_several(made: type[Any], server: Standin, embeddings: Maker) -> None:
    """Each document's title reaches the model."""
    embeddings(made).embed_documents(["a", "b"], titles=["T", "U"])

    assert {request.get("title") for request in sent(server)} == {"T", "U"}


@pytest.mark.parametrize(
    "made", [fails(OFFICIAL_LANGCHAIN, "request_options is never read"), GeminiEmbeddings]
)
def test_langchain_request_options(made: type[Any], server: Standin, embeddings: Maker) -> None:
    """A timeout ends a request that is slower."""
    server.script.extend(("hang",) * 3)
    model = embeddings(made, request_options={"timeout": 0.2})
    threading.Timer(1.5, server.release).start()

    with pytest.raises(Exception, match=r"0\.2 s"):
        model.embed_query("q")


@pytest.mark.parametrize(
    "made", [fails(OFFICIAL_LANGCHAIN, "queries go out as documents"), GeminiEmbeddings]
)
def test_langchain_a_purpose_is_a_pair(made: type[Any], server: Standin, embeddings: Maker) -> None:
    """task_type of the class does not make documents of queries."""
    embeddings(made, task_type="RETRIEVAL_DOCUMENT").embed_query("q")

    assert server.log[0].body["requests"][0]["taskType"] == "RETRIEVAL_QUERY"


@pytest.mark.parametrize(
    "made", [fails(OFFICIAL_LANGCHAIN, "fewer vectors are returned"), GeminiEmbeddings]
)
def test_langchain_short_answers(made: type[Any], server: Standin, embeddings: Maker) -> None:
    """An answer one vector short is never a result."""
    server.script.append("short")

    assert len(embeddings(made).embed_documents(["a", "b"])) == 2


@pytest.mark.parametrize(
    "made", [fails(OFFICIAL_LANGCHAIN, "nothing is tried again"), GeminiEmbeddings]
)
@pytest.mark.parametrize("failure", ["503", "reset"])
def test_langchain_a_failure_that_passes(
    made: type[Any], failure: FaultKind, server: Standin, embeddings: Maker
) -> None:
    """One 503 or one broken connection does not end a job."""
    server.script.append(failure)

    assert len(embeddings(made).embed_documents(["a", "b"])) == 2


@pytest.mark.parametrize(
    "made", [fails(OFFICIAL_LANGCHAIN, "it sends a field, which -2 ignores"), GeminiEmbeddings]
)
def test_langchain_a_task_reaches_the_newest_model(
    made: type[Any], server: Standin, embeddings: Maker
) -> None:
    """gemini-embedding-2 reads the task from the text, so a query is sent with Google's prefix."""
    embeddings(made, model=TWO).embed_query("q")

    assert sent(server)[0]["content"]["parts"] == [{"text": "task: search result | query: q"}]


@pytest.mark.parametrize(
    "made", [fails(OFFICIAL_LANGCHAIN, "as the service sends it"), GeminiEmbeddings]
)
def test_langchain_a_cut_vector_has_length_1(made: type[Any], embeddings: Maker) -> None:
    """Cosine and dot product mean the same, also below gemini-embedding-001's own dimension."""
    vector = embeddings(made).embed_query("q", output_dimensionality=256)

    assert math.hypot(*vector) == pytest.approx(1)


@pytest.mark.parametrize(
    "made", [fails(OFFICIAL_LANGCHAIN, "a refusal is an error at once"), GeminiEmbeddings]
)
def test_langchain_a_quota_is_waited_for(
    made: type[Any], server: Standin, embeddings: Maker
) -> None:
    """Refusals that say how long to wait do not end a job."""
    server.script.extend([refusal("0.01s")] * 3)

    assert len(embeddings(made).embed_documents(["a", "b"])) == 2


@pytest.mark.parametrize("made", [fails(OFFICIAL_LANGCHAIN, "it is ignored"), GeminiEmbeddings])
def test_langchain_an_unknown_option(made: type[Any], embeddings: Maker) -> None:
    """A misspelled option is refused, with the nearest name."""
    with pytest.raises(ValueError, match="output_dimensionality"):
        embeddings(made, output_dimensionalty=256)


SEVERAL_ON_VERTEX = pytest.mark.xfail(
    sdk_version() < (3, 4), strict=True, reason="google-genai below 3.4 sends one text at a time"
)


@pytest.mark.parametrize(
    "made", [pytest.param(OFFICIAL_LANGCHAIN, marks=SEVERAL_ON_VERTEX), GeminiEmbeddings]
)
def test_langchain_several_texts_on_vertex_ai(
    made: type[Any], server: Standin, embeddings: Maker
) -> None:
    """gemini-embedding-2 takes several texts there too, and each gets its own vector."""
    credentials = Credentials("any")  # type: ignore[no-untyped-call] # google-auth is untyped here
    on_vertex = {"project": "a-project", "location": "global", "credentials": credentials}
    options = {"task_prefix": False} if made is GeminiEmbeddings else {}
    model = embeddings(made, model=TWO, api_key=None, **on_vertex, **options)

    vectors = model.embed_documents(["a", "b"])

    assert near(vectors, documents(server, ["a", "b"], model=TWO, task_type=None))


@pytest.mark.parametrize("made", [fails(OFFICIAL_LANGCHAIN, "it holds a lock"), GeminiEmbeddings])
def test_langchain_copies(made: type[Any], embeddings: Maker) -> None:
    """It crosses processes, and is copied."""
    model = embeddings(made)

    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):  # noqa: S301 - ours
        assert other.embed_query("q") == model.embed_query("q")
    json.loads(model.model_dump_json())


@LLAMAINDEX
async def test_llamaindex_documents_and_queries(
    made: type[Any], server: Standin, embed_model: Maker
) -> None:
    """Every public way in gives each text its own vector."""
    model = embed_model(made)
    query = documents(server, ["q"], task_type="RETRIEVAL_QUERY")

    assert near(model.get_text_embedding_batch(TEXTS), documents(server, TEXTS))
    assert near(await model.aget_text_embedding_batch(TEXTS), documents(server, TEXTS))
    assert near([model.get_text_embedding("a")], documents(server, ["a"]))
    assert near([await model.aget_text_embedding("a")], documents(server, ["a"]))
    assert near([model.get_query_embedding("q")], query)
    assert near([await model.aget_query_embedding("q")], query)
    nodes = [TextNode(text="a"), TextNode(text="b")]
    assert near([node.embedding for node in model(nodes)], documents(server, ["a", "b"]))


@LLAMAINDEX
def test_llamaindex_positional_order(made: type[Any], server: Standin) -> None:
    """Model, key, embedding config: in that order."""
    config = {"output_dimensionality": 3072, "title": "T"}

    model = made(ONE, "a-key", config, None, {"base_url": server.url})
    model.get_text_embedding("a")

    request = server.log[0].body["requests"][0]
    assert (request["outputDimensionality"], request["title"]) == (3072, "T")
    assert server.log[0].headers["x-goog-api-key"] == "a-key"
    assert config == {"output_dimensionality": 3072, "title": "T"}


@LLAMAINDEX
def test_llamaindex_batches(made: type[Any], server: Standin, embed_model: Maker) -> None:
    """embed_batch_size is the number of texts in a request."""
    embed_model(made, embed_batch_size=40).get_text_embedding_batch(TEXTS)

    assert sorted(len(exchange.body["requests"]) for exchange in server.log) == [40, 40, 40]


@LLAMAINDEX
def test_llamaindex_callbacks(made: type[Any], embed_model: Maker) -> None:
    """Token counting and tracing handlers see every text."""
    counter = TokenCountingHandler(tokenizer=str.split)
    model = embed_model(made, callback_manager=CallbackManager([counter]), embed_batch_size=50)

    model.get_text_embedding_batch(TEXTS)

    assert counter.total_embedding_token_count == 3 * len(TEXTS)


@LLAMAINDEX
def test_llamaindex_attributes(made: type[Any], embed_model: Maker) -> None:
    """What people read off the object is there under the same name."""
    model = embed_model(made, embed_batch_size=7, retry_max_seconds=9)

    assert (model.model_name, model.embed_batch_size) == (ONE, 7)
    assert (model.retry_min_seconds, model.retry_max_seconds, model.retry_exponential_base) == (
        1,
        9,
        2,
    )
    assert {"model_name", "class_name"} <= model.to_dict().keys()


@pytest.mark.parametrize("made", [fails(OFFICIAL_LLAMAINDEX, "it is overwritten"), GeminiEmbedding])
def test_llamaindex_a_task_in_the_config_counts(
    made: type[Any], server: Standin, embed_model: Maker
) -> None:
    """embedding_config.task_type is what is sent."""
    embed_model(made, embedding_config={"task_type": "CLUSTERING"}).get_text_embedding("a")

    assert server.log[0].body["requests"][0]["taskType"] == "CLUSTERING"


@pytest.mark.parametrize(
    "made", [fails(OFFICIAL_LLAMAINDEX, "an option it does not know is ignored"), GeminiEmbedding]
)
def test_llamaindex_a_dimension_is_heeded(made: type[Any], embed_model: Maker) -> None:
    """output_dimensionality as an option gives vectors of that length."""
    assert len(embed_model(made, output_dimensionality=256).get_query_embedding("q")) == 256


@pytest.mark.parametrize("made", [fails(OFFICIAL_LLAMAINDEX, "false is true"), GeminiEmbedding])
def test_llamaindex_false_is_false(
    made: type[Any], server: Standin, embed_model: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GOOGLE_GENAI_USE_VERTEXAI=false does not turn Vertex AI on."""
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "false")

    embed_model(made).get_query_embedding("q")

    assert "/projects/" not in server.log[0].path
    assert "publishers" not in server.log[0].path


@pytest.mark.parametrize(
    "made", [fails(OFFICIAL_LLAMAINDEX, "it loses its client"), GeminiEmbedding]
)
def test_llamaindex_copies(made: type[Any], embed_model: Maker) -> None:
    """It crosses processes, and is copied."""
    model = embed_model(made)

    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):  # noqa: S301 - ours
        assert other.get_query_embedding("q") == model.get_query_embedding("q")


@pytest.mark.parametrize(
    "made", [fails(OFFICIAL_LLAMAINDEX, "500 is not tried again"), GeminiEmbedding]
)
def test_llamaindex_a_failure_that_passes(
    made: type[Any], server: Standin, embed_model: Maker
) -> None:
    """One 500 does not end a job."""
    server.script.append("500")

    assert len(embed_model(made).get_text_embedding_batch(["a", "b"])) == 2


@pytest.mark.parametrize(
    "made", [fails(OFFICIAL_LLAMAINDEX, "it sends a field, which -2 ignores"), GeminiEmbedding]
)
def test_llamaindex_a_task_reaches_the_newest_model(
    made: type[Any], server: Standin, embed_model: Maker
) -> None:
    """gemini-embedding-2 reads the task from the text, so a query is sent with Google's prefix."""
    embed_model(made, model_name=TWO).get_query_embedding("q")

    assert sent(server)[0]["content"]["parts"] == [{"text": "task: search result | query: q"}]


@pytest.mark.parametrize(
    "made", [fails(OFFICIAL_LLAMAINDEX, "as the service sends it"), GeminiEmbedding]
)
def test_llamaindex_a_cut_vector_has_length_1(made: type[Any], embed_model: Maker) -> None:
    """Cosine and dot product mean the same, also below gemini-embedding-001's own dimension."""
    model = embed_model(made, embedding_config={"output_dimensionality": 256})

    assert math.hypot(*model.get_query_embedding("q")) == pytest.approx(1)


@pytest.mark.parametrize(
    "made", [fails(OFFICIAL_LLAMAINDEX, "three attempts are all"), GeminiEmbedding]
)
def test_llamaindex_a_quota_is_waited_for(
    made: type[Any], server: Standin, embed_model: Maker
) -> None:
    """Refusals that say how long to wait do not end a job."""
    server.script.extend([refusal("0.01s")] * 3)
    quick = {"retry_min_seconds": 0.001, "retry_max_seconds": 0.002}

    assert len(embed_model(made, **quick).get_text_embedding_batch(["a", "b"])) == 2


@pytest.mark.parametrize(
    "made", [fails(OFFICIAL_LLAMAINDEX, "fewer vectors are returned"), GeminiEmbedding]
)
def test_llamaindex_short_answers(made: type[Any], server: Standin, embed_model: Maker) -> None:
    """An answer one vector short is never a result."""
    server.script.append("short")

    assert len(embed_model(made).get_text_embedding_batch(["a", "b"])) == 2


@pytest.mark.parametrize("made", [fails(OFFICIAL_LLAMAINDEX, "it is never read"), GeminiEmbedding])
def test_llamaindex_timeout(made: type[Any], server: Standin, embed_model: Maker) -> None:
    """A timeout ends a request that is slower."""
    server.script.extend(("hang",) * 3)
    model = embed_model(made, timeout=0.2, retry_min_seconds=0.001, retry_max_seconds=0.002)
    threading.Timer(1.5, server.release).start()

    with pytest.raises(Exception, match=r"0\.2 s"):
        model.get_query_embedding("q")


@pytest.mark.parametrize("made", [fails(OFFICIAL_LLAMAINDEX, "it is ignored"), GeminiEmbedding])
def test_llamaindex_an_unknown_option(made: type[Any], embed_model: Maker) -> None:
    """A misspelled option is refused, with the nearest name."""
    with pytest.raises(ValueError, match="output_dimensionality"):
        embed_model(made, output_dimensionalty=256)
