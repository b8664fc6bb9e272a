"""Recorded traffic between other projects and Google, played against this one, both ways.

The recordings are not part of this project; `GEMINI_EMBED_REAL_EXCHANGES` names the folder.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import yaml

import gemini_embed as ge
from gemini_embed.backend import sdk_version
from gemini_embed.decoding import part
from gemini_embed.refusals import refusal
from gemini_embed.standin import Standin
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gemini_embed.tasks import Role

FOLDER = "GEMINI_EMBED_REAL_EXCHANGES"
NEWEST = "gemini-embedding-2"
PREVIEW = "gemini-embedding-2-preview"


@dataclass(frozen=True, kw_only=True)
class Call:
    """What a user writes to send a recorded request."""

    texts: list[str]
    role: Role = "document"
    options: Mapping[str, Any] = field(default_factory=dict)
    titles: list[str | None] | None = None
    warns: str | None = None


_PREFIXES = "test_google_task_prefix[{}].yaml"
_RUBY = "ruby_llm__embedding_"
_RUBY_ERROR = "ruby_llm__ERR_chat_"

SENT: dict[str, Call] = {
    _PREFIXES.format("default-query"): Call(texts=["Hello, world!"], role="query"),
    _PREFIXES.format("asymmetric-query"): Call(
        texts=["Hello, world!"], role="query", options={"task_type": "QUESTION_ANSWERING"}
    ),
    _PREFIXES.format("asymmetric-document-no-title"): Call(texts=["hello", "world"]),
    _PREFIXES.format("asymmetric-document-with-title"): Call(texts=["hello"], titles=["Greeting"]),
    _PREFIXES.format("asymmetric-document-empty-title"): Call(texts=["hello"], titles=[""]),
    _PREFIXES.format("symmetric-query"): Call(
        texts=["hello"], role="query", options={"task_type": "CLASSIFICATION"}
    ),
    _PREFIXES.format("task-type-ignored-on-embedding-2"): Call(
        texts=["hello"], role="query", options={"task_type": "classification"}
    ),
    _PREFIXES.format("symmetric-document-ignores-title"): Call(
        texts=["hello"],
        options={"task_type": "CLUSTERING"},
        titles=["Greeting"],
        warns="titles are ignored",
    ),
    _PREFIXES.format("symmetric-sentence-similarity-ignores-title"): Call(
        texts=["hello"],
        options={"task_type": "SEMANTIC_SIMILARITY"},
        titles=["Greeting"],
        warns="titles are ignored",
    ),
    _PREFIXES.format("raw-passthrough"): Call(
        texts=["title: custom | text: hello"], options={"task_prefix": False}
    ),
    f"{_RUBY}basic_functionality_gemini_gemini-embedding-001_"
    "can_handle_multiple_texts_with_custom_dimensions.yml": Call(
        texts=["Ruby", "Python", "JavaScript"],
        options={
            "model": "gemini-embedding-001",
            "task_type": "TASK_TYPE_UNSPECIFIED",  # that project sends no task
            "output_dimensionality": 768,
        },
    ),
    "test_google_task_prefix_vertex.yaml": Call(
        texts=["Hello, world!"],
        role="query",
        options={"project": "pydantic-ai", "task_type": "QUESTION_ANSWERING"},
    ),
    f"{_RUBY}basic_functionality_vertexai_text-embedding-004_"
    "can_handle_multiple_texts_with_custom_dimensions.yml": Call(
        texts=["Ruby", "Python", "JavaScript"],
        options={
            "model": "text-embedding-004",
            "project": "a-project",
            "task_type": "TASK_TYPE_UNSPECIFIED",
            "output_dimensionality": 768,
        },
    ),
    "TestGoogle.test_vertex_query.yaml": Call(
        texts=["Hello, world!"],
        role="query",
        options={"model": "gemini-embedding-001", "project": "pydantic-ai"},
    ),
    "braintrust__embedding_001_dimensions_32.yaml": Call(
        texts=["This is a test", "This is another test"],
        options={"model": "gemini-embedding-001", "output_dimensionality": 32},
        warns="output_dimensionality=32 is below 128",
    ),
    "rig__embedding_001_dimensions_256.yaml": Call(
        texts=[
            "Rust values memory safety and predictable performance.",
            "Streaming responses arrive incrementally instead of all at once.",
            "Embeddings turn text into numeric vectors for similarity search.",
        ],
        options={
            "model": "gemini-embedding-001",
            "task_type": "TASK_TYPE_UNSPECIFIED",  # that project sends no task
            "output_dimensionality": 256,
        },
    ),
}
"""Recordings of requests that this project makes, and the call that makes each of them."""

_FIELD_IGNORED = (
    "sends taskType to a model that ignores it in silence; here the task goes into the text"
)
_CHAT = "a chat request; only its error answer is read here"

NOT_SENT: dict[str, str] = {
    "TestGoogle.test_count_tokens.yaml": "countTokens, which nothing here calls",
    "TestGoogle.test_count_tokens_error.yaml": "countTokens, which nothing here calls",
    "TestGoogle.test_documents.yaml": _FIELD_IGNORED,
    "TestGoogle.test_embed_error.yaml": _FIELD_IGNORED,
    "TestGoogle.test_instrumentation.yaml": _FIELD_IGNORED,
    "TestGoogle.test_query.yaml": _FIELD_IGNORED,
    "TestGoogle.test_query_with_dimensions.yaml": _FIELD_IGNORED,
    "TestGoogle.test_query_with_task_type.yaml": _FIELD_IGNORED,
    _PREFIXES.format("task-ignored-on-other-model"): _FIELD_IGNORED,
    f"{_RUBY}multimodal_embeddings_gemini_gemini-embedding-2_"
    "embeds_an_image_alongside_text.yml": "an image beside text; only texts are embedded here",
    f"{_RUBY_ERROR}error_handling_with_gemini_gemini-2_5-flash_"
    "raises_appropriate_auth_error.trunc.yml": _CHAT,
    f"{_RUBY_ERROR}real_error_scenarios_gemini_gemini-2_5-flash_"
    "handles_context_length_exceeded_errors.trunc.yml": _CHAT,
    f"{_RUBY_ERROR}real_error_scenarios_vertexai_gemini-2_5-flash_"
    "handles_context_length_exceeded_errors.trunc.yml": _CHAT,
    "cookbook__batch_embeddings.json": "a batch job, which nothing here starts",
    "cookbook__embedding_2_media.json": "media beside texts; its answers are read below",
    "error_bodies.json": "answers only; all of them are read below",
    "error_bodies_2.json": "answers only; all of them are read below",
    "kio__embedding_2_batch_job.json": "a batch job, which nothing here starts",
    "rig__models_list_embedding.json": "the list of models, which nothing here asks for",
    "vercel__embedding_2_two_dimensions.json": "its texts are not held; its answer is read below",
    "SOURCES.md": "says where the others come from",
}
"""Files whose request this project does not make, and why."""


def _named(part: str) -> str:
    (name,) = (name for name in (*SENT, *NOT_SENT) if part in name)
    return name


IMAGE = _named("_embeds_an_image_")
BAD_KEY = _named("_auth_error")
OVER_QUOTA = _named("_scenarios_gemini_")

ANSWERED = [
    *(name for name in SENT if "vertex" not in name),
    *(name for name, why in NOT_SENT.items() if why == _FIELD_IGNORED and "error" not in name),
    IMAGE,
]
"""Recordings of vectors in the Gemini API's form."""

ASKED = [name for name in ANSWERED if name != IMAGE] + [
    "TestGoogle.test_count_tokens.yaml",
    "TestGoogle.test_count_tokens_error.yaml",
]
"""Recorded requests that the stand-in must answer as Google did. It embeds text only."""


@dataclass(frozen=True)
class Exchange:
    """One recorded request and its answer, JSON parsed."""

    path: str
    asked: Any
    status: int
    answered: Any
    content_type: str

    @property
    def vectors(self) -> list[list[float]]:
        """The vectors of the answer."""
        if "predictions" in self.answered:
            return [entry["embeddings"]["values"] for entry in self.answered["predictions"]]
        single = [self.answered["embedding"]] if "embedding" in self.answered else []
        return [entry["values"] for entry in self.answered.get("embeddings", single)]


def folder_of(environment: Mapping[str, str]) -> Path:
    """Return the folder of recordings; skip where none is named, fail where it is not there."""
    named = environment.get(FOLDER)
    if named is None:
        pytest.skip(f"real recordings are not part of this project; set {FOLDER} to their folder")
    folder = Path(named)
    if not named or not folder.is_dir() or not any(folder.iterdir()):
        pytest.fail(f"{FOLDER} is set, but there are no recordings in {named!r}")
    return folder


@cache
def _read(path: Path) -> Exchange:
    """Return the last exchange of a file; one before it only fetches an access token."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    recording = yaml.load(path.read_text(encoding="utf-8"), loader)  # noqa: S506 - both are safe
    if "when" in recording:
        return _read_when_then(recording)
    last = (recording.get("interactions") or recording["http_interactions"])[-1]
    request, response = last["request"], last["response"]
    headers = {name.lower(): values for name, values in response["headers"].items()}

    def body(message: Mapping[str, Any]) -> Any:
        if "parsed_body" in message:
            return message["parsed_body"]
        text = message["body"]
        return json.loads(text if isinstance(text, str) else text["string"])

    return Exchange(
        path=urlsplit(request["uri"]).path,
        asked=body(request),
        status=response["status"]["code"],
        answered=body(response),
        content_type=headers["content-type"][0],
    )


def _read_when_then(recording: Mapping[str, Any]) -> Exchange:
    """Return an exchange in the form that httpmock records."""
    request, response = recording["when"], recording["then"]
    headers = {header["name"]: header["value"] for header in response["header"]}
    return Exchange(
        path=request["path"],
        asked=json.loads(request["body"]),
        status=response["status"],
        answered=json.loads(response["body"]),
        content_type=headers["content-type"],
    )


@pytest.fixture
def folder() -> Path:
    return folder_of(os.environ)


def _quoted(folder: Path) -> list[dict[str, Any]]:
    files = ("error_bodies.json", "error_bodies_2.json")
    bodies = [json.loads((folder / name).read_text(encoding="utf-8"))["bodies"] for name in files]
    return [one for listed in bodies for one in listed]


@pytest.fixture
def recorded(folder: Path) -> Callable[[str], Exchange]:
    """Return a reader of recordings, by file name."""
    return lambda name: _read(folder / name)


@pytest.fixture
def quoted(folder: Path) -> Callable[[str], tuple[int, Any]]:
    """Return a reader of quoted errors: part of an entry's description -> status, body."""
    listed = _quoted(folder)

    def entry(part: str) -> tuple[int, Any]:
        (found,) = (one for one in listed if part in one["_kind"])
        return found["http"], found["body"]

    return entry


# What is sent, and how answers are read.


def _core(call: Call, **options: Any) -> Any:
    embedder = ge.GeminiEmbedder(**options, **call.options)
    return embedder.embed(call.texts, role=call.role, titles=call.titles).vectors


async def _core_async(call: Call, **options: Any) -> Any:
    embedder = ge.GeminiEmbedder(**options, **call.options)
    return (await embedder.aembed(call.texts, role=call.role, titles=call.titles)).vectors


def _langchain(call: Call, **options: Any) -> Any:
    embeddings = GeminiEmbeddings(**options, **call.options)
    if call.role == "query":
        return [embeddings.embed_query(text) for text in call.texts]
    return embeddings.embed_documents(call.texts, titles=call.titles)


async def _langchain_async(call: Call, **options: Any) -> Any:
    embeddings = GeminiEmbeddings(**options, **call.options)
    if call.role == "query":
        return [await embeddings.aembed_query(text) for text in call.texts]
    return await embeddings.aembed_documents(call.texts, titles=call.titles)


def _llamaindex(call: Call, **options: Any) -> Any:
    model = GeminiEmbedding(**options, **call.options)
    if call.role == "query":
        return [model.get_query_embedding(text) for text in call.texts]
    return model.get_text_embedding_batch(call.texts, titles=call.titles)


async def _llamaindex_async(call: Call, **options: Any) -> Any:
    model = GeminiEmbedding(**options, **call.options)
    if call.role == "query":
        return [await model.aget_query_embedding(text) for text in call.texts]
    return await model.aget_text_embedding_batch(call.texts, titles=call.titles)


def _plain(value: Any) -> Any:
    """Return JSON without what does not matter: snake or camel case, and `role`."""
    if isinstance(value, dict):
        return {
            re.sub(r"_([a-z])", lambda found: found[1].upper(), name): _plain(item)
            for name, item in value.items()
            if name != "role"
        }
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _lengths(vectors: Any) -> Any:
    return np.linalg.norm(np.asarray(vectors, np.float64), axis=-1)


def _assert_same_vectors(ours: Any, recorded: list[list[float]]) -> None:
    """Equal to the last bit of a float32 where Google's have length 1, else the same direction."""
    theirs, lengths = np.array(recorded, np.float32), _lengths(recorded)
    got = np.array(ours)
    assert got.shape == theirs.shape
    if np.allclose(lengths, 1, atol=1e-3):
        assert np.array_equal(got, theirs)
    else:
        assert (lengths < 0.6).all()
        assert np.allclose(_lengths(got), 1, atol=1e-6)
        assert np.allclose(got, theirs / lengths[:, np.newaxis], atol=1e-7)


def test_every_recording_is_sent_or_says_why_not(folder: Path) -> None:
    """No recording of real traffic is left out by accident."""
    assert not SENT.keys() & NOT_SENT.keys()
    assert {path.name for path in folder.iterdir()} == {*SENT, *NOT_SENT}


@pytest.mark.parametrize(
    "way", [_core, _core_async, _langchain, _langchain_async, _llamaindex, _llamaindex_async]
)
@pytest.mark.parametrize("name", SENT)
@pytest.mark.filterwarnings("ignore:Google shut text-embedding-004 down")
async def test_request_and_vectors_are_the_recorded_ones(
    server: Standin, recorded: Callable[[str], Exchange], name: str, way: Callable[..., Any]
) -> None:
    """Each way in sends what Google accepted, and returns the vectors Google gave for it."""
    call, exchange = SENT[name], recorded(name)
    if "test_vertex_query" in name and sdk_version() >= (3, 4):
        pytest.skip("recorded with google-genai 2, which asks for this model by predict")
    server.script.append((200, exchange.answered, {}))
    expected_warning = (
        pytest.warns(UserWarning, match=call.warns) if call.warns else contextlib.nullcontext()
    )
    with expected_warning:
        vectors = way(call, api_key="a-key", base_url=server.url, max_retries=0)
        if not isinstance(vectors, (list, np.ndarray)):
            vectors = await vectors
    (sent,) = server.log
    assert sent.path.partition("/models/")[2] == exchange.path.partition("/models/")[2]
    assert _plain(sent.body) == _plain(exchange.asked)
    _assert_same_vectors(vectors, exchange.vectors)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("name", ANSWERED)
@pytest.mark.filterwarnings("ignore:output_dimensionality=")
def test_a_real_answer_is_read_exactly(
    embedder: Callable[..., ge.GeminiEmbedder],
    server: Standin,
    recorded: Callable[[str], Exchange],
    name: str,
    fast: bool,
) -> None:
    """Vectors arrive unchanged, whoever reads them; tokens are counted where they are told."""
    exchange = recorded(name)
    server.script.append((200, exchange.answered, {}))
    texts = [f"text {index}" for index in range(len(exchange.vectors))]
    dimension = len(exchange.vectors[0])
    core = embedder(
        model="gemini-embedding-001" if "gemini-embedding-001" in exchange.path else NEWEST,
        output_dimensionality=dimension,
        fast_decode=fast,
    )
    result = core.embed(texts, role="document")
    _assert_same_vectors(result.vectors, exchange.vectors)
    tokens = exchange.answered.get("usageMetadata", {}).get("promptTokenCount")
    assert result.usage.prompt_tokens == (tokens if sdk_version() >= (3, 4) else None)


@pytest.mark.parametrize("name", [name for name in SENT if "vertex" in name])
def test_a_real_answer_of_vertex_is_decoded_exactly(
    recorded: Callable[[str], Exchange], name: str
) -> None:
    """The numbers of Vertex AI's answers are the same to the bit, and the rest stays."""
    exchange = recorded(name)

    parted = part(json.dumps(exchange.answered).encode())

    assert parted is not None
    assert np.array_equal(np.array(parted.rows, np.float32), np.array(exchange.vectors, np.float32))
    assert json.loads(parted.rest).keys() == exchange.answered.keys()


def test_a_vector_cut_here_is_the_vector_google_cuts(recorded: Callable[[str], Exchange]) -> None:
    """A stored full vector, cut by `truncate`, matches an index made at 768 dimensions."""
    full = recorded("TestGoogle.test_query.yaml").vectors[0]
    asked_for = np.array(recorded("TestGoogle.test_query_with_dimensions.yaml").vectors[0])
    cut = ge.truncate(full, 768)
    assert np.isclose(_lengths(cut), 1, atol=1e-6)
    assert np.dot(cut, asked_for) / _lengths(asked_for) > 0.99999


# Errors.


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What an error answer must be read as."""

    error: type[ge.RequestError]
    retry_after: float | None = None
    quota_id: str | None = None
    quota_value: int | None = None


_FREE = "EmbedContentRequests{}PerUserPerProjectPerModel-FreeTier"

RECORDED_ERRORS: dict[str, Meaning] = {
    "TestGoogle.test_embed_error.yaml": Meaning(error=ge.ModelNotFoundError),
    "TestGoogle.test_count_tokens_error.yaml": Meaning(error=ge.ModelNotFoundError),
    BAD_KEY: Meaning(error=ge.AuthenticationError),
    OVER_QUOTA: Meaning(
        error=ge.QuotaExceededError,
        retry_after=48.939935699,
        quota_id="GenerateContentPaidTierInputTokensPerModelPerMinute",
        quota_value=1_000_000,
    ),
    _named("_scenarios_vertexai_"): Meaning(error=ge.RequestError),  # one text too long
}

QUOTED_ERRORS: dict[str, Meaning] = {
    "REAL-CASSETTE pydantic-ai": Meaning(error=ge.ModelNotFoundError),
    "REAL-CASSETTE ruby_llm": Meaning(error=ge.AuthenticationError),
    "Gemini API batch>100": Meaning(error=ge.RequestError),
    "free tier per-minute": Meaning(
        error=ge.QuotaExceededError,
        retry_after=33.384105706,
        quota_id=_FREE.format("PerMinute"),
        quota_value=100,
    ),
    "free tier per-day": Meaning(
        error=ge.DailyQuotaError,
        retry_after=18.412144672,
        quota_id=_FREE.format("PerDay"),
        quota_value=1000,
    ),
    "paid tier, no RetryInfo": Meaning(  # "limit: 0": there is no quota at all
        error=ge.DailyQuotaError,
        quota_id="EmbedContentPerMinutePerProjectPerUserPerModel-PaidTier",
    ),
    "capacity-style 429": Meaning(error=ge.QuotaExceededError),
    "Vertex 429": Meaning(error=ge.QuotaExceededError),
    "with 56 instances": Meaning(error=ge.RequestError),
    "onyx#2343": Meaning(error=ge.RequestError),
    "Vertex 20k-token cap": Meaning(error=ge.RequestError),
    "zero instances": Meaning(error=ge.RequestError),
    "empty text part": Meaning(error=ge.RequestError),
    ":predict on gemini-embedding-2": Meaning(error=ge.RequestError),
    "generic Gemini 503": Meaning(error=ge.ServiceUnavailableError),
    "no API key sent": Meaning(error=ge.AuthenticationError),
    "leaked key": Meaning(error=ge.AuthenticationError),
    "an unknown field": Meaning(error=ge.RequestError),
    "NEWER wording": Meaning(error=ge.ModelNotFoundError),
    "gemini-embedding-2, free tier, per minute": Meaning(
        error=ge.QuotaExceededError,
        retry_after=15.65861672,
        quota_id=_FREE.format("PerMinute"),
        quota_value=100,
    ),
    "langchain4j#3942": Meaning(error=ge.QuotaExceededError),
    "an entry without model": Meaning(error=ge.RequestError),
    "model lacks models/": Meaning(error=ge.RequestError),
    "part holds no data": Meaning(error=ge.RequestError),
    "prepaid balance used up": Meaning(error=ge.QuotaExceededError),
}


def _assert_means(error: BaseException, status: int, body: Any, meaning: Meaning) -> None:
    assert isinstance(error, ge.RequestError)
    assert type(error) is meaning.error
    assert (error.status, error.reason) == (status, body["error"]["status"])
    assert error.message == body["error"]["message"]
    assert error.retry_after == meaning.retry_after
    if isinstance(error, ge.QuotaExceededError):
        assert (error.quota_id, error.quota_value) == (meaning.quota_id, meaning.quota_value)


def test_every_quoted_error_is_read(folder: Path) -> None:
    """No quoted error answer is left out by accident."""
    listed = _quoted(folder)
    assert len(listed) == len(QUOTED_ERRORS)
    assert all(sum(part in one["_kind"] for part in QUOTED_ERRORS) == 1 for one in listed)


@pytest.mark.parametrize("part", QUOTED_ERRORS)
def test_a_quoted_error_is_understood(quoted: Callable[[str], tuple[int, Any]], part: str) -> None:
    """What users reported of Google's refusals becomes the error that says what to do."""
    status, body = quoted(part)
    _assert_means(refusal(status, body), status, body, QUOTED_ERRORS[part])


@pytest.mark.parametrize("name", RECORDED_ERRORS)
def test_a_recorded_error_is_understood_through_the_sdk(
    embedder: Callable[..., ge.GeminiEmbedder],
    server: Standin,
    recorded: Callable[[str], Exchange],
    name: str,
) -> None:
    """Google's refusal, as it came over the wire, is raised as the error that says what to do."""
    exchange = recorded(name)
    server.script.append((exchange.status, exchange.answered, {}))
    with pytest.raises(ge.RequestError) as caught:
        embedder(max_retries=0, deadline=0.5).embed(["hello"], role="query")
    _assert_means(caught.value, exchange.status, exchange.answered, RECORDED_ERRORS[name])
    assert len(server.log) == 1


# The stand-in.


def _ask(server: Standin, path: str, body: Any, key: str | None = "a-key") -> Exchange:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    headers = {} if key is None else {"x-goog-api-key": key}
    try:
        connection.request("POST", path, json.dumps(body), headers)
        with connection.getresponse() as response:
            return Exchange(
                path,
                body,
                response.status,
                json.loads(response.read()),
                response.headers["content-type"],
            )
    finally:
        connection.close()


def _embed(
    server: Standin, *texts: str, key: str | None = "a-key", model: str = NEWEST
) -> Exchange:
    requests = [
        {"model": f"models/{model}", "content": {"parts": [{"text": text}]}} for text in texts
    ]
    path = f"/v1beta/models/{model}:batchEmbedContents"
    return _ask(server, path, {"requests": requests}, key=key)


def _shape(value: Any) -> Any:
    """Return JSON with the kind of each value in its place; lists by their first entry.

    The details of an error go by their type: their order varies in Google's own answers.
    """
    if isinstance(value, dict):
        return {name: _shape(item) for name, item in value.items()}
    if isinstance(value, list):
        if value and isinstance(value[0], dict) and "@type" in value[0]:
            return {item["@type"]: _shape(item) for item in value}
        return [_shape(item) for item in value[:1]]
    return "number" if isinstance(value, (int, float)) else type(value).__name__


@pytest.mark.parametrize("name", ASKED)
def test_the_standin_answers_as_google_did(
    server: Standin, recorded: Callable[[str], Exchange], name: str
) -> None:
    """A test against the stand-in meets Google's status, keys, dimensions and lengths."""
    google = recorded(name)
    # Google shut the preview down after these were recorded, and the stand-in says so with a
    # 404; its successor answers alike.
    asked = json.loads(json.dumps(google.asked).replace(PREVIEW, NEWEST))
    ours = _ask(server, google.path.replace(PREVIEW, NEWEST), asked)
    assert (ours.status, ours.content_type) == (google.status, google.content_type)
    if google.status != 200:
        assert ours.answered == google.answered
    shape = _shape(ours.answered)
    if PREVIEW in google.path and "usageMetadata" not in google.answered:
        shape.pop("usageMetadata", None)  # the preview told it in its later months only
    assert shape == _shape(google.answered)
    assert [len(vector) for vector in ours.vectors] == [len(vector) for vector in google.vectors]
    for length, theirs in zip(
        map(_lengths, ours.vectors), map(_lengths, google.vectors), strict=True
    ):
        if abs(theirs - 1) < 1e-3:
            assert length == pytest.approx(1, abs=1e-3)
        else:
            assert theirs < 0.95
            assert length < 0.95


def test_the_standin_refuses_a_bad_key_as_google_did(
    server: Standin, recorded: Callable[[str], Exchange]
) -> None:
    """Handling of a bad key, tried out on the stand-in, works with Google."""
    google, ours = recorded(BAD_KEY), _embed(server, "hello", key="invalid-key")
    assert (ours.status, ours.answered) == (google.status, google.answered)


@pytest.mark.parametrize(
    ("part", "limits"),
    [("free tier per-minute", {"requests": 1}), ("free tier per-day", {"requests_per_day": 1})],
)
def test_the_standin_refuses_over_a_quota_as_google_did(
    quoted: Callable[[str], tuple[int, Any]], part: str, limits: dict[str, int]
) -> None:
    """Handling of a quota, tried out on the stand-in, works with Google."""
    status, body = quoted(part)
    with Standin(**limits) as server:  # type: ignore[arg-type] # both take a whole number
        ours = _embed(server, "one", "two", model="gemini-embedding-001")
    assert ours.status == status
    assert _shape(ours.answered) == _shape(body)
    theirs, here = refusal(status, body), refusal(ours.status, ours.answered)
    assert type(here) is type(theirs)
    assert isinstance(here, ge.QuotaExceededError)
    assert isinstance(theirs, ge.QuotaExceededError)
    assert here.quota_id == theirs.quota_id


PROVOKED: dict[str, Callable[[Standin], Exchange]] = {
    "NEWER wording": lambda server: _embed(server, "a", model="no-such-embedding-model"),
    "Gemini API batch>100": lambda server: _embed(server, *map(str, range(101))),
    "empty text part": lambda server: _embed(server, "hello", ""),
    "no API key sent": lambda server: _embed(server, "hello", key=None),
}


@pytest.mark.parametrize("part", PROVOKED)
def test_the_standin_refuses_with_googles_words(
    server: Standin, quoted: Callable[[str], tuple[int, Any]], part: str
) -> None:
    """A limit met on the stand-in is the limit, and the message, that Google's users reported."""
    ours = PROVOKED[part](server)
    assert (ours.status, ours.answered) == quoted(part)


# The folder itself.


def test_recordings_may_be_absent_but_not_lost(tmp_path: Path) -> None:
    """Without the recordings these tests skip; where they are promised, their absence fails."""
    with pytest.raises(pytest.skip.Exception, match=FOLDER):
        folder_of({})
    for named in ("", str(tmp_path), str(tmp_path / "nowhere")):
        with pytest.raises(pytest.fail.Exception, match="no recordings"):
            folder_of({FOLDER: named})
