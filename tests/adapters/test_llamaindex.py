"""`GeminiEmbedding` against the stand-in: the requests that leave, and whose vectors come back."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import TYPE_CHECKING, Any

import cloudpickle
import pytest
from google.genai import types
from helpers import joined, sent_texts, vectors_of
from llama_index.core import Settings, VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index.core.schema import TextNode
from pydantic import SecretStr

from gemini_embed import (
    ConfigurationError,
    InvalidInputError,
    RequestError,
    ServiceUnavailableError,
)
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin import Standin

    Maker = Callable[..., GeminiEmbedding]

TEXTS = [f"text number {i}" for i in range(250)]


@pytest.fixture
def embedding(server: Standin) -> Maker:
    def make(**options: Any) -> GeminiEmbedding:
        quick = {"retry_min_seconds": 0.001, "retry_max_seconds": 0.002}
        named = {} if "http_options" in options else {"base_url": server.url}
        given: dict[str, Any] = {"api_key": "a-key", **named, **quick, **options}
        return GeminiEmbedding(**given)

    return make


def floats(server: Standin, text: str, **of: Any) -> list[float]:
    return [float(number) for number in vectors_of(server, [text], **of)[0]]


@pytest.mark.parametrize("model", ["gemini-embedding-001", "gemini-embedding-2"])
async def test_250_texts_each_get_their_own_vector(
    model: str, server: Standin, embedding: Maker
) -> None:
    """Sync and async, on both models: plain floats, in order, told to the model the right way."""
    made = embedding(model_name=model)

    synchronous = made.get_text_embedding_batch(TEXTS)
    asynchronous = await made.aget_text_embedding_batch(TEXTS)

    if model == "gemini-embedding-2":
        right = [floats(server, f"title: none | text: {text}", model=model) for text in TEXTS]
    else:
        right = [floats(server, t, model=model, task_type="RETRIEVAL_DOCUMENT") for t in TEXTS]
    assert synchronous == right
    assert asynchronous == right
    assert type(synchronous[0][0]) is float
    assert sorted(len(texts) for texts in sent_texts(server)) == [50, 50, 100, 100, 100, 100]
    for request in (r for exchange in server.log for r in exchange.body["requests"]):
        assert request.get("taskType") == (None if model.endswith("2") else "RETRIEVAL_DOCUMENT")


async def test_all_the_single_methods(server: Standin, embedding: Maker) -> None:
    """Queries go as queries and texts as documents, through all public methods."""
    made = embedding()

    query = made.get_query_embedding("q")
    text = made.get_text_embedding("t")

    assert query == await made.aget_query_embedding("q")
    assert text == await made.aget_text_embedding("t")
    assert sent_texts(server) == [
        ["task: search result | query: q"],
        ["title: none | text: t"],
        ["task: search result | query: q"],
        ["title: none | text: t"],
    ]
    assert made._get_text_embeddings(["t", "t"]) == [text, text]
    assert await made._aget_text_embeddings(["t"]) == [text]
    assert len(made.get_agg_embedding_from_queries(["q", "r"])) == 3072


def test_the_place_of_a_bad_text_is_that_of_the_whole_list(
    server: Standin, embedding: Maker
) -> None:
    """3,000 texts with a blank at 2,100 say 2100, and nothing is sent."""
    texts = [f"text {i}" for i in range(3000)]
    texts[2100] = ""

    with pytest.raises(InvalidInputError, match="text 2100 is blank") as caught:
        embedding().get_text_embedding_batch(texts)

    assert caught.value.index == 2100
    assert server.log == []


def test_the_signature_is_that_of_the_integration_it_stands_in_for() -> None:
    """Positional arguments of existing code mean the same here."""
    positional = [
        name
        for name, parameter in inspect.signature(GeminiEmbedding).parameters.items()
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]

    assert positional == [
        "model_name",
        "api_key",
        "embedding_config",
        "vertexai_config",
        "http_options",
        "debug_config",
        "embed_batch_size",
        "callback_manager",
        "retries",
        "timeout",
        "retry_min_seconds",
        "retry_max_seconds",
        "retry_exponential_base",
    ]
    made = GeminiEmbedding("gemini-embedding-001", "k", {"output_dimensionality": 768})
    assert (made.model_name, made.output_dimensionality) == ("gemini-embedding-001", 768)
    assert GeminiEmbedding().model_name == "gemini-embedding-2"
    assert isinstance(made, BaseEmbedding)
    assert made.class_name() not in {"GeminiEmbedding", "GoogleGenAIEmbedding", "BaseEmbedding"}


def test_the_sdks_option_objects_count(server: Standin, embedding: Maker) -> None:
    """embedding_config and http_options mean what they say, as objects and as dicts."""
    options = types.HttpOptions(
        base_url=server.url, api_version="v1beta", headers={"x-team": "search"}, timeout=5000
    )
    config = types.EmbedContentConfig(task_type="CLUSTERING", output_dimensionality=256)
    made = embedding(
        model_name="gemini-embedding-001", http_options=options, embedding_config=config
    )

    made.get_query_embedding("q")

    assert made.timeout == 5
    request = server.log[0].body["requests"][0]
    assert (request["taskType"], request["outputDimensionality"]) == ("CLUSTERING", 256)
    assert server.log[0].headers["x-team"] == "search"
    assert server.log[0].path.startswith("/v1beta/")
    assert options.headers == {"x-team": "search"}


def test_a_title_for_all_and_titles_for_each(server: Standin, embedding: Maker) -> None:
    """A configured title goes to every document; titles of a call go to their own."""
    made = embedding(embedding_config={"title": "Manual"})

    made.get_text_embedding("a")
    made.get_text_embedding_batch(["a", "b"], titles=["T", None])
    made.get_query_embedding("q")

    assert sent_texts(server) == [
        ["title: Manual | text: a"],
        ["title: T | text: a", "title: none | text: b"],
        ["task: search result | query: q"],
    ]


def test_retries_counts_attempts(server: Standin, embedding: Maker) -> None:
    """`retries=3` means three attempts, as in the integration this stands in for."""
    server.script.extend(("503",) * 9)

    with pytest.raises(ServiceUnavailableError, match="tried 3 times"):
        embedding(retries=3).get_query_embedding("a")

    assert len(server.log) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"retries": 3, "max_retries": 5}, "max_retries and retries"),
        ({"embed_batch_size": 10, "batch_size": 20}, "embed_batch_size and batch_size"),
        ({"model": "gemini-embedding-001", "model_name": "gemini-embedding-2"}, "mean the same"),
        ({"num_workers": 2, "max_concurrency": 3}, "max_concurrency and num_workers"),
        ({"timeout": 5, "http_options": {"timeout": 9000}}, "timeout and http_options.timeout"),
        (
            {"additional_headers": {"x-a": "1"}, "http_options": {"headers": {"x-a": "2"}}},
            "additional_headers and http_options.headers",
        ),
        (
            {"output_dimensionality": 1, "embedding_config": {"output_dimensionality": 2}},
            "output_dimensionality",
        ),
        ({"vertexai_config": {"region": "us"}}, "vertexai_config has no option 'region'"),
        ({"vertexai_config": {"project": "p"}, "project": "q"}, "mean the same"),
        ({"debug_config": object()}, "client="),
        ({"output_dimensionalty": 768}, "output_dimensionality"),
        ({"chunk_size": 5}, "batch_size"),
        ({"embedding_config": {"auto_truncate": True}}, "you are warned"),
        ({"http_options": {"retry_options": {}}}, "use retries"),
        ({"http_options": "http://x"}, "http_options must be"),
        ({"timeout": -1}, "timeout must be more than 0"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], said: str) -> None:
    """Unknown, contradictory and impossible options are told when built."""
    with pytest.raises(ConfigurationError, match=said):
        GeminiEmbedding(**options)


def test_spellings_that_agree_are_fine(embedding: Maker) -> None:
    """Saying the same thing twice is no contradiction."""
    made = embedding(
        retries=3, max_retries=2, num_workers=4, batch_size=50, model="gemini-embedding-2"
    )

    assert (made.max_retries, made.max_concurrency, made.embed_batch_size) == (2, 4, 50)


def test_pickles_and_copies_work(server: Standin, embedding: Maker) -> None:
    """Before and after first use; every option and the key arrive, unknown ones stay refused."""
    made = embedding(
        output_dimensionality=768, additional_headers={"x-team": "search"}, num_workers=3
    )
    fresh = pickle.dumps(made)
    right = made.get_query_embedding("a")

    for other in (
        pickle.loads(fresh),  # noqa: S301 - our own bytes
        pickle.loads(pickle.dumps(made)),  # noqa: S301 - likewise
        pickle.loads(cloudpickle.dumps(made)),  # noqa: S301 - likewise
        copy.deepcopy(made),
        made.model_copy(deep=True),
    ):
        assert other.get_query_embedding("a") == right
        assert (other.max_concurrency, other.timeout) == (3, 60)
        assert server.log[-1].headers["x-team"] == "search"
        assert server.log[-1].headers["x-goog-api-key"] == "a-key"
    dump: dict[str, Any] = {**pickle.loads(fresh).to_dict(), "bogus": 1}  # noqa: S301 - likewise
    with pytest.raises(ConfigurationError):
        GeminiEmbedding(**dump)


def test_copies_and_pickles_share_a_limit(embedding: Maker) -> None:
    """A hundred a minute stay a hundred, however a framework copies what holds them."""
    made = embedding(requests_per_minute=100)
    copies = [copy.copy(made), copy.deepcopy(made), made.model_copy(update={"timeout": 5.0})]
    pickled = [pickle.loads(pickle.dumps(one)) for one in (made, copies[1])]  # noqa: S301 - our own bytes

    for one in (*copies, *pickled):
        assert one._embedder._quota is made._embedder._quota
    other = made.model_copy(update={"requests_per_minute": 200})
    assert other._embedder._quota is not made._embedder._quota


def test_the_dumped_form_holds_what_shapes_a_vector_and_no_secret(embedding: Maker) -> None:
    """to_dict round-trips; changing only the traffic does not change it."""
    made = embedding(
        api_key="s3cret",
        additional_headers={"authorization": "t0ken"},
        output_dimensionality=768,
        task_type="clustering",
    )
    tuned = embedding(
        output_dimensionality=768,
        task_type="clustering",
        timeout=5,
        retries=9,
        embed_batch_size=7,
        max_concurrency=2,
    )

    dumped = made.to_dict()

    assert dumped == tuned.to_dict()
    back = GeminiEmbedding.from_dict(dumped)
    assert (back.output_dimensionality, back.task_type) == (768, "clustering")
    shown = getattr(made, "to_payload", made.to_dict)()  # to observers; older ones get to_dict's
    views = [repr(made), str(made), str(vars(made)), made.to_json(), str(shown)]
    assert not any(secret in view for view in views for secret in ("s3cret", "t0ken"))


def test_a_dump_of_the_other_integration_is_read() -> None:
    """A stored configuration of the class this stands in for builds ours."""
    theirs = {
        "model_name": "gemini-embedding-001",
        "embed_batch_size": 10,
        "num_workers": None,
        "embeddings_cache": None,
        "embedding_config": {"task_type": None, "title": None, "output_dimensionality": 768},
        "retries": 3,
        "timeout": 60,
        "retry_min_seconds": 1.0,
        "retry_max_seconds": 60.0,
        "retry_exponential_base": 2.0,
        "class_name": "GeminiEmbedding",
    }

    made = GeminiEmbedding.from_dict(theirs)

    assert (made.max_retries, made.output_dimensionality) == (2, 768)


class Recorder(BaseCallbackHandler):
    def __init__(self) -> None:
        super().__init__([], [])
        self.starts: list[str] = []
        self.ends: list[dict[str, Any]] = []

    def on_event_start(
        self,
        event_type: CBEventType,
        payload: dict[str, Any] | None = None,  # noqa: ARG002 - the base class's signature
        event_id: str = "",
        parent_id: str = "",  # noqa: ARG002 - likewise
        **kwargs: Any,  # noqa: ARG002 - likewise
    ) -> str:
        assert event_type is CBEventType.EMBEDDING
        self.starts.append(event_id)
        return event_id

    def on_event_end(
        self,
        event_type: CBEventType,  # noqa: ARG002 - the base class's signature
        payload: dict[str, Any] | None = None,
        event_id: str = "",
        **kwargs: Any,  # noqa: ARG002 - likewise
    ) -> None:
        assert event_id in self.starts
        self.ends.append(payload or {})

    def start_trace(self, trace_id: str | None = None) -> None:
        """Nothing to do."""

    def end_trace(
        self, trace_id: str | None = None, trace_map: dict[str, list[str]] | None = None
    ) -> None:
        """Nothing to do."""


async def test_observers_are_told_as_by_the_base_class(embedding: Maker) -> None:
    """One event pair per embed_batch_size texts, with chunks and embeddings, sync and async."""
    recorder = Recorder()
    made = embedding(callback_manager=CallbackManager([recorder]))

    result = made.get_text_embedding_batch(TEXTS)
    await made.aget_text_embedding_batch(TEXTS)

    assert len(recorder.starts) == len(recorder.ends) == 6
    assert joined(end[EventPayload.CHUNKS] for end in recorder.ends[:3]) == TEXTS
    assert joined(end[EventPayload.EMBEDDINGS] for end in recorder.ends[:3]) == result


def test_observers_hear_of_a_failure(server: Standin, embedding: Maker) -> None:
    """Each event that began is ended, with the exception."""
    recorder = Recorder()
    made = embedding(callback_manager=CallbackManager([recorder]))
    server.script.append((400, {"error": {"message": "no", "status": "X"}}, {}))

    with pytest.raises(RequestError):
        made.get_text_embedding_batch(["a"])

    assert len(recorder.starts) == 1
    assert isinstance(recorder.ends[0][EventPayload.EXCEPTION], RequestError)


with_limiters = pytest.mark.skipif(
    "rate_limiter" not in BaseEmbedding.model_fields,
    reason="this llama-index-core has no rate limiters",
)


class CountingLimiter:
    def __init__(self) -> None:
        self.asked = 0

    def acquire(self, num_tokens: int = 0) -> None:  # noqa: ARG002 - LlamaIndex's signature
        self.asked += 1

    async def async_acquire(self, num_tokens: int = 0) -> None:  # noqa: ARG002 - likewise
        self.asked += 1


@with_limiters
async def test_the_rate_limiter_is_asked_before_each_request(
    server: Standin, embedding: Maker
) -> None:
    """Every request that leaves was allowed by LlamaIndex's limiter, repeated ones too."""
    limiter = CountingLimiter()
    made = embedding(rate_limiter=limiter)
    server.script.append("503")

    made.get_text_embedding_batch(TEXTS)
    assert limiter.asked == len(server.log) == 4
    await made.aget_text_embedding_batch(TEXTS)
    made.get_query_embedding("a")
    await made.aget_text_embedding("a")

    assert limiter.asked == len(server.log) == 9


@with_limiters
def test_llamaindexs_own_limiter_works(server: Standin, embedding: Maker) -> None:
    """The limiter that ships with LlamaIndex runs on our thread."""
    from llama_index.core.rate_limiter import (  # noqa: PLC0415 - not there with every version
        TokenBucketRateLimiter,
    )

    made = embedding(rate_limiter=TokenBucketRateLimiter(requests_per_minute=6000))

    made.get_text_embedding_batch(TEXTS)

    assert len(server.log) == 3


@pytest.mark.parametrize("use_async", [False, True])
def test_an_index_finds_the_text_itself(
    server: Standin, embedding: Maker, *, use_async: bool
) -> None:
    """The whole way through a real index: each text is nearest to itself."""
    made = embedding(task_type="SEMANTIC_SIMILARITY")
    nodes = [TextNode(text=text, id_=text) for text in TEXTS]

    index = VectorStoreIndex(nodes, embed_model=made, use_async=use_async)
    retriever = index.as_retriever(similarity_top_k=1)

    found = [retriever.retrieve(text)[0].node.node_id for text in TEXTS[::60]]
    assert found == TEXTS[::60]
    assert len(server.log) == 3 + len(found)


def test_it_can_be_the_global_model(embedding: Maker) -> None:
    """`Settings.embed_model` takes it as it is."""
    made = embedding()
    Settings.embed_model = made

    assert Settings.embed_model is made
    Settings.embed_model = None  # type: ignore[assignment] # back to nothing


def test_progress_is_drawn_on_request(embedding: Maker, capsys: pytest.CaptureFixture[str]) -> None:
    """`show_progress=True` draws a bar over texts."""
    embedding().get_text_embedding_batch(TEXTS, show_progress=True)

    assert "250/250" in capsys.readouterr().err


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """GOOGLE_API_KEY, then GEMINI_API_KEY."""
    monkeypatch.setenv("GEMINI_API_KEY", "m")

    assert GeminiEmbedding().api_key == SecretStr("m")


@with_limiters
async def test_the_limiter_is_asked_before_retries_of_a_query_too(
    server: Standin, embedding: Maker
) -> None:
    """The base class asks once for a query; every further request is asked for as well."""
    limiter = CountingLimiter()
    made = embedding(rate_limiter=limiter)
    server.script.extend(["503", None, "503"])

    made.get_query_embedding("a")
    await made.aget_text_embedding("b")

    assert limiter.asked == len(server.log) == 4


def test_options_assigned_later_count(server: Standin, embedding: Maker) -> None:
    """What is assigned after building is what is sent, and the quota goes on counting."""
    made = embedding(requests_per_minute=1000)
    quota = made._embedder._quota
    made.output_dimensionality = 256
    made.num_workers = 3

    assert len(made.get_query_embedding("a")) == 256
    assert made._embedder.max_concurrency == 3
    assert made._embedder._quota is quota
    assert GeminiEmbedding.from_dict(made.to_dict()).base_url == server.url
    with pytest.raises(ConfigurationError, match="KVStoreCache"):
        made.embeddings_cache = object()


def test_no_timeout_is_possible(embedding: Maker) -> None:
    """`timeout=None` means no limit, and stays so in a pickle."""
    made = embedding(timeout=None)

    assert made.timeout is None
    assert pickle.loads(pickle.dumps(made)).timeout is None  # noqa: S301 - our own bytes
