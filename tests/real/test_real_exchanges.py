"""Recorded traffic between other projects and Google, played against this one, both ways."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from real.catalogue import (
    ANSWERED,
    BAD_KEY,
    LISTED,
    NEWEST,
    NO_VALUES,
    NOT_SENT,
    OVER_QUOTA,
    SENT,
    Call,
    named,
)
from real.recordings import FOLDER, Exchange, folder_of, quoted_refusals

import gemini_embed as ge
from gemini_embed.model_names import bare_name
from gemini_embed.models import MODELS
from gemini_embed.service.backend import sdk_version
from gemini_embed.service.json_vectors import split_answer
from gemini_embed.service.refusals import refusal
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gemini_embed.standin import Standin

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


def _details(told: Any) -> dict[str, int]:
    """Return the tokens of each kind of input, as the Gemini API or Vertex AI tells them."""
    listed = told.get("promptTokenDetails") or told.get("promptTokensDetails") or []
    return {one["modality"]: one["tokenCount"] for one in listed}


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
    # Long enough to have as many tokens as what was sent, a picture among it.
    texts = [f"text {index}" + " of many words" * 20 for index in range(len(exchange.vectors))]
    dimension = len(exchange.vectors[0])
    core = embedder(
        model="gemini-embedding-001" if "gemini-embedding-001" in exchange.path else NEWEST,
        output_dimensionality=dimension,
        fast_decode=fast,
    )
    result = core.embed(texts, role="document")
    _assert_same_vectors(result.vectors, exchange.vectors)
    told = exchange.answered.get("usageMetadata", {})
    assert result.usage.prompt_tokens == told.get("promptTokenCount")
    assert result.usage.by_modality == _details(told)


@pytest.mark.parametrize("name", SENT)
@pytest.mark.filterwarnings("ignore:Google shut text-embedding-004 down")
@pytest.mark.filterwarnings("ignore:titles are ignored")
@pytest.mark.filterwarnings("ignore:output_dimensionality=")
def test_the_usage_is_the_recorded_one(
    server: Standin, recorded: Callable[[str], Exchange], name: str
) -> None:
    """Tokens of a call, and of each kind of input, are those that Google told of it."""
    call, exchange = SENT[name], recorded(name)
    if "test_vertex_query" in name and sdk_version() >= (3, 4):
        pytest.skip("recorded with google-genai 2, which asks for this model by predict")
    server.script.append((200, exchange.answered, {}))
    embedder = ge.GeminiEmbedder(api_key="a-key", base_url=server.url, **call.options)

    usage = embedder.embed(call.texts, role=call.role, titles=call.titles).usage

    told = exchange.answered.get("usageMetadata", {})
    of_each = [
        one["embeddings"]["statistics"]["token_count"]
        for one in exchange.answered.get("predictions", [])
    ]
    assert usage.prompt_tokens == told.get("promptTokenCount", sum(of_each) or None)
    assert usage.by_modality == _details(told)
    assert (usage.estimated_tokens > 0) == (usage.prompt_tokens is None)


def test_an_image_costs_what_images_cost(
    embedder: Callable[..., ge.GeminiEmbedder],
    server: Standin,
    recorded: Callable[[str], Exchange],
) -> None:
    """Each kind of input has its own price: 258 tokens of an image, and three of text."""
    exchange = recorded(named("_embeds_an_image_"))
    server.script.append((200, exchange.answered, {}))
    made = embedder(output_dimensionality=len(exchange.vectors[0]))

    usage = made.embed(["words enough for so many " * 20], role="document").usage

    assert usage.by_modality == {"IMAGE": 258, "TEXT": 3}
    assert usage.cost() == Decimal("0.0001167")


@pytest.mark.parametrize("fast", [True, False])
def test_an_embedding_without_values_is_no_vector(
    embedder: Callable[..., ge.GeminiEmbedder],
    server: Standin,
    recorded: Callable[[str], Exchange],
    fast: bool,
) -> None:
    """Google's 200 may hold an embedding and no numbers: an error that names the text, at once."""
    server.script.append((200, recorded(NO_VALUES).answered, {}))
    with pytest.raises(ge.NoVectorError) as caught:
        embedder(fast_decode=fast).embed(["a text"], role="document")
    assert caught.value.indexes == (0,)
    assert caught.value.partial == {}


@pytest.mark.parametrize("name", [name for name in SENT if "vertex" in name])
def test_a_real_answer_of_vertex_is_decoded_exactly(
    recorded: Callable[[str], Exchange], name: str
) -> None:
    """The numbers of Vertex AI's answers are the same to the bit; tokens and cuts are kept."""
    exchange = recorded(name)

    parted = split_answer(json.dumps(exchange.answered).encode())

    assert np.array_equal(np.array(parted.rows, np.float32), np.array(exchange.vectors, np.float32))
    whole = exchange.answered
    each = [one["embeddings"]["statistics"] for one in whole.get("predictions", [])]
    usage = whole.get("usageMetadata", {})
    assert parted.report.tokens == usage.get(
        "promptTokenCount", sum(one["token_count"] for one in each) if each else None
    )
    assert list(parted.report.truncated) == [
        row for row, one in enumerate(each) if one["truncated"]
    ]


def test_a_vector_cut_here_is_the_vector_google_cuts(recorded: Callable[[str], Exchange]) -> None:
    """A stored full vector, cut by `truncate`, matches an index made at 768 dimensions."""
    full = recorded("TestGoogle.test_query.yaml").vectors[0]
    asked_for = np.array(recorded("TestGoogle.test_query_with_dimensions.yaml").vectors[0])
    cut = ge.truncate(full, 768)
    assert np.isclose(_lengths(cut), 1, atol=1e-6)
    assert np.dot(cut, asked_for) / _lengths(asked_for) > 0.99999


@pytest.mark.parametrize("place", [0, 1])
def test_the_table_of_models_has_googles_limits(
    recorded: Callable[[str], Exchange], place: int
) -> None:
    """What Google lists of its embedding models is what the table says of them."""
    listed = [
        row
        for row in recorded(f"{LISTED}#{place}").answered["models"]
        if "embedContent" in row["supportedGenerationMethods"]
    ]
    assert len(listed) >= 3
    for row in listed:
        assert MODELS[bare_name(row["name"])].max_input_tokens == row["inputTokenLimit"]


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
    named("_scenarios_vertexai_"): Meaning(error=ge.RequestError),  # one text too long
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
    "with an unknown field": Meaning(error=ge.RequestError),
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
    assert isinstance(error, meaning.error)
    # One that comes through the SDK is of a class that is also the SDK's.
    assert type(error).__name__ == meaning.error.__name__
    assert (error.status, error.reason) == (status, body["error"]["status"])
    assert error.message == body["error"]["message"]
    assert error.retry_after == meaning.retry_after
    if isinstance(error, ge.QuotaExceededError):
        assert (error.quota_id, error.quota_value) == (meaning.quota_id, meaning.quota_value)


def test_every_quoted_error_is_read(folder: Path) -> None:
    """No quoted error answer is left out by accident."""
    listed = quoted_refusals(folder)
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
    """Google's refusal, as it came, is raised as the error that says what to do."""
    exchange = recorded(name)
    server.script.append((exchange.status, exchange.answered, {}))
    with pytest.raises(ge.RequestError) as caught:
        embedder(max_retries=0, deadline=0.5).embed(["hello"], role="query")
    _assert_means(caught.value, exchange.status, exchange.answered, RECORDED_ERRORS[name])
    assert len(server.log) == 1


# The folder itself.


def test_recordings_may_be_absent_but_not_lost(tmp_path: Path) -> None:
    """Without the recordings these tests skip; where they are promised, their absence fails."""
    with pytest.raises(pytest.skip.Exception, match=FOLDER):
        folder_of({})
    for place in ("", str(tmp_path), str(tmp_path / "nowhere")):
        with pytest.raises(pytest.fail.Exception, match="no recordings"):
            folder_of({FOLDER: place})
