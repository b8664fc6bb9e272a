"""Vertex AI, played by the stand-in: the same vectors, by other routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from helpers import joined, vectors_of
from service.vertex import TOKEN, credentials, texts_of

from gemini_embed import GeminiEmbedder, ModelNotFoundError, RequestError
from gemini_embed.service.backend import sdk_version
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Maker = Callable[..., GeminiEmbedder]


TEXTS = [f"text number {i}" for i in range(250)]


THREE = sdk_version() >= (3, 4)
"""Whether this SDK asks for gemini-embedding models in batches on Vertex AI."""


def methods(server: Standin) -> set[str]:
    return {exchange.path.rpartition(":")[2] for exchange in server.log}


@pytest.mark.parametrize("fast", [True, False])
def test_600_long_texts_of_text_embedding_005(server: Standin, vertex: Maker, fast: bool) -> None:
    """Requests stay within 250 instances and 20,000 tokens; each text gets its own vector."""
    texts = [f"{i} " + "some words of a text " * 12 for i in range(600)]
    made = vertex(model="text-embedding-005", fast_decode=fast, batch_size=250)

    result = made.embed(texts, role="document")

    expected = vectors_of(server, texts, model="text-embedding-005", task_type="RETRIEVAL_DOCUMENT")
    assert (result.vectors == expected).all()
    assert all(exchange.status == 200 for exchange in server.log)
    assert sorted(joined(texts_of(e.body) for e in server.log)) == sorted(texts)
    assert {e.path.rpartition("/locations/")[2] for e in server.log} == {
        "us-central1/publishers/google/models/text-embedding-005:predict"
    }
    assert result.usage.prompt_tokens is not None


def test_what_is_too_much_after_all_is_sent_in_parts(server: Standin, vertex: Maker) -> None:
    """An estimate that was too low costs a refused request, not the call."""
    texts = [f"{i} " + "\u6f22" * 150 for i in range(200)]
    server.script.append(
        (
            400,
            {
                "error": {
                    "code": 400,
                    "message": "Unable to submit request because the input token count is 21000 "
                    "but the model supports up to 20000. Reduce the input token count and try "
                    "again.",
                    "status": "INVALID_ARGUMENT",
                }
            },
            {},
        )
    )

    vectors = vertex(model="text-embedding-005").embed(texts, role="document").vectors

    expected = vectors_of(server, texts, model="text-embedding-005", task_type="RETRIEVAL_DOCUMENT")
    assert (vectors == expected).all()
    assert [e.status for e in server.log].count(400) == 1


def test_a_service_that_takes_one_instance(embedder: Maker) -> None:
    """gemini-embedding-001 took one text a request once; it says so, and is believed from then."""
    texts = TEXTS[:40]
    with Standin(model="hash", vertex_001_instances=1) as server:
        options = {"model": "gemini-embedding-001", "base_url": server.url, "max_concurrency": 1}
        made = embedder(api_key=None, project="p", credentials=credentials(), **options)
        vectors = made.embed(texts, role="document").vectors
        refused = [exchange.status for exchange in server.log].count(400)
        server.log.clear()
        again = made.embed(texts, role="document").vectors

        expected = vectors_of(
            server, texts, model="gemini-embedding-001", task_type="RETRIEVAL_DOCUMENT"
        )
        assert (vectors == expected).all()
        assert (again == expected).all()
        assert refused == (0 if THREE else 1)
        assert {exchange.status for exchange in server.log} == {200}
        assert methods(server) == ({"batchEmbedContents"} if THREE else {"predict"})


def test_a_limit_that_makes_no_sense_ends_in_an_error(server: Standin, vertex: Maker) -> None:
    """A service that refuses any number of texts with the same words is not asked for ever."""
    body = {
        "error": {
            "code": 400,
            "message": "250 instance(s) is allowed per prediction. Actual: 4",
            "status": "INVALID_ARGUMENT",
        }
    }
    server.script.extend([(400, body, {})] * 50)

    with pytest.raises(RequestError, match=r"250 instance\(s\)"):
        vertex(model="text-embedding-005").embed(["a", "b", "c", "d"], role="document")

    assert len(server.log) <= 7


@pytest.mark.parametrize("fast", [True, False])
async def test_250_texts_of_gemini_embedding_2(server: Standin, vertex: Maker, fast: bool) -> None:
    """In batches where the SDK has them, one by one where not; the caller sees no difference."""
    made = vertex(fast_decode=fast)

    vectors = (await made.aembed(TEXTS, role="document")).vectors

    as_sent = [f"title: none | text: {text}" for text in TEXTS]
    assert (vectors == vectors_of(server, as_sent, model="gemini-embedding-2")).all()
    assert sorted(joined(texts_of(e.body) for e in server.log)) == sorted(as_sent)
    assert methods(server) == ({"batchEmbedContents"} if THREE else {"embedContent"})
    assert len(server.log) == (3 if THREE else 250)
    assert server.log[0].path.startswith(
        "/v1beta1/projects/a-project/locations/global/publishers/google/models/gemini-embedding-2:"
    )
    assert {e.headers["authorization"] for e in server.log} == {f"Bearer {TOKEN}"}
    assert not any("x-goog-api-key" in e.headers for e in server.log)


@pytest.mark.parametrize(
    ("model", "method"),
    [
        ("gemini-embedding-2", "embedContent"),
        ("gemini-embedding-001", "embedContent" if THREE else "predict"),
        ("publishers/google/models/gemini-embedding-001", "embedContent" if THREE else "predict"),
        ("text-embedding-005", "predict"),
        ("text-multilingual-embedding-002", "predict"),
    ],
)
def test_the_sdk_still_takes_this_route(
    model: str, method: str, server: Standin, vertex: Maker
) -> None:
    """An SDK that asks for a model in another way than the table says makes this fail."""
    vertex(model=model).embed(["a"], role="query")

    assert methods(server) == {method}


@pytest.mark.parametrize("like", ["gemini-embedding-2", "gemini-embedding-001"])
@pytest.mark.parametrize("name", ["gemini-ours", "ours"])
def test_a_gateways_own_name_is_sent_as_the_sdk_takes_it(
    name: str, like: str, server: Standin, vertex: Maker
) -> None:
    """However many texts: the older SDK takes one only where "gemini" is in the name."""
    with pytest.raises(ModelNotFoundError, match=f"{name}` was not"):
        vertex(model=name, behaves_like=like).embed(["a", "b"], role="query")

    assert server.log


@pytest.mark.parametrize(
    "front", ["google/", "publishers/google/models/", "projects/a-project/locations/global/"]
)
def test_googles_own_paths_of_a_model_are_the_model(
    front: str, server: Standin, vertex: Maker
) -> None:
    """By whichever SDK: the same address, task and vectors as by the bare id."""
    rest = "publishers/google/models/" if front.startswith("projects") else ""
    made = vertex(model=f"{front}{rest}gemini-embedding-001")

    vectors = made.embed(TEXTS[:3], role="document").vectors

    of = {"model": "gemini-embedding-001", "task_type": "RETRIEVAL_DOCUMENT"}
    assert (vectors == vectors_of(server, TEXTS[:3], **of)).all()
    assert methods(server) == ({"batchEmbedContents"} if THREE else {"predict"})


def test_task_title_and_dimension_reach_the_service(server: Standin, vertex: Maker) -> None:
    """Each is where the route wants it, and the vectors are of unit length."""
    made = vertex(model="gemini-embedding-001", output_dimensionality=256)

    made.embed(["a", "b"], role="document", titles=["T", "T"])
    made.embed(["q"], role="query")

    document, query = (exchange.body for exchange in server.log)
    if THREE:
        config = {"taskType": "RETRIEVAL_DOCUMENT", "title": "T", "outputDimensionality": 256}
        assert [r["embedContentConfig"] for r in document["requests"]] == [config, config]
        assert query["embedContentConfig"] == {
            "taskType": "RETRIEVAL_QUERY",
            "outputDimensionality": 256,
        }
    else:
        assert document == {
            "instances": [
                {"content": text, "task_type": "RETRIEVAL_DOCUMENT", "title": "T"} for text in "ab"
            ],
            "parameters": {"outputDimensionality": 256},
        }
        assert query["instances"] == [{"content": "q", "task_type": "RETRIEVAL_QUERY"}]


def test_both_services_share_a_cache(
    server: Standin, vertex: Maker, embedder: Maker, tmp_path: Path
) -> None:
    """Google's vectors are the same on both, so what one gave is not paid for at the other."""
    path = tmp_path / "vectors"
    embedder(cache=path).embed(["a"], role="query")

    vertex(cache=path).embed(["a"], role="query")

    assert len(server.log) == 1


def test_a_ready_client_of_vertex_is_used_as_it_is(server: Standin) -> None:
    """Its own service is believed: routes and limits are those of Vertex AI."""
    from google import genai  # noqa: PLC0415 - loads for a second

    client = genai.Client(
        vertexai=True,
        project="p",
        location="global",
        credentials=credentials(),
        http_options={"base_url": server.url},
    )

    vectors = GeminiEmbedder(client=client).embed(TEXTS[:3], role="document").vectors

    as_sent = [f"title: none | text: {text}" for text in TEXTS[:3]]
    assert (vectors == vectors_of(server, as_sent, model="gemini-embedding-2")).all()


def test_limits_are_remembered_for_one_service(vertex: Maker) -> None:
    """What one gateway said does not slow another down."""
    body = {"error": {"code": 400, "message": "batchSize must be 1", "status": "INVALID_ARGUMENT"}}
    with Standin(model="hash") as one, Standin(model="hash") as other:
        one.script.append((400, body, {}))
        for server in (one, other):
            made = vertex(model="text-embedding-005", base_url=server.url)
            made.embed(["a", "b", "c"], role="document")

        assert [len(texts_of(e.body)) for e in other.log] == [3]
        assert {len(texts_of(e.body)) for e in one.log[1:]} == {1}
