"""What the stand-in answers as the Gemini API when all is well."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from google import genai
from google.genai import types
from standin.messages import NEW, OLD

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin import Standin

    Ask = Callable[..., tuple[int, dict[str, Any]]]
    Fetch = Callable[..., tuple[int, dict[str, str], bytes]]


def values(answer: dict[str, Any]) -> list[list[float]]:
    return [one["values"] for one in answer["embeddings"]]


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_both_versions_answer_in_order(server: Standin, ask: Ask, version: str) -> None:
    """Vector i is that of text i, under both API versions, and equals `Standin.vector`."""
    status, answer = ask(server, "a", "b", "a", version=version)
    assert status == 200
    assert values(answer) == [server.vector("a"), server.vector("b"), server.vector("a")]
    assert server.vector("a") != server.vector("b")


@pytest.mark.parametrize("dimension", [1, 20, 64, 768, 1000, 3071, 3072])
def test_older_model_gives_the_exact_beginning(server: Standin, ask: Ask, dimension: int) -> None:
    """gemini-embedding-001: a smaller dimension is the bare beginning of the full vector."""
    _, answer = ask(server, "a", outputDimensionality=dimension)
    full = server.vector("a")
    assert values(answer)[0] == full[:dimension]
    assert math.hypot(*full) == pytest.approx(1, abs=1e-5)
    assert dimension > 3000 or math.hypot(*full[:dimension]) < 0.9


@pytest.mark.parametrize("dimension", [1, 20, 64, 768, 1000, 3071, 3072])
def test_newer_model_gives_unit_vectors(server: Standin, ask: Ask, dimension: int) -> None:
    """gemini-embedding-2: every dimension has length 1, in the direction of the beginning."""
    _, answer = ask(server, "a", model=NEW, outputDimensionality=dimension)
    (vector,) = values(answer)
    assert len(vector) == dimension
    assert math.hypot(*vector) == pytest.approx(1, abs=1e-5)
    beginning = server.vector("a", model=NEW)[:dimension]
    assert np.dot(vector, beginning) == pytest.approx(math.hypot(*beginning), abs=1e-5)


def test_only_the_older_model_reads_the_task_type(server: Standin, ask: Ask) -> None:
    """gemini-embedding-2 ignores taskType and title in silence; 001 does not."""
    for model, differs in ((OLD, True), (NEW, False)):
        _, query = ask(server, "a", model=model, taskType="RETRIEVAL_QUERY")
        _, titled = ask(server, "a", model=model, taskType="RETRIEVAL_DOCUMENT", title="T")
        assert (values(query) != values(titled)) is differs
        assert values(query)[0] == server.vector("a", "RETRIEVAL_QUERY", model)


def test_usage_is_told_by_the_newer_model_only(server: Standin, ask: Ask) -> None:
    """One total for the batch, under the Gemini API's name for the details."""
    _, answer = ask(server, "Hello, world!", "a", model=NEW)
    assert answer["usageMetadata"] == {
        "promptTokenCount": 5,
        "promptTokenDetails": [{"modality": "TEXT", "tokenCount": 5}],
    }
    assert ask(server, "a")[1].keys() == {"embeddings"}


def test_every_spelling_of_the_options(server: Standin, ask: Ask) -> None:
    """Names in camelCase, in snake_case, and nested in embedContentConfig mean the same."""
    spellings: list[dict[str, Any]] = [
        {"taskType": "CLUSTERING", "outputDimensionality": 8},
        {"task_type": "CLUSTERING", "output_dimensionality": "8"},
        {"embedContentConfig": {"taskType": "CLUSTERING", "outputDimensionality": 8}},
        {"embed_content_config": {"task_type": "CLUSTERING", "output_dimensionality": 8}},
    ]
    expected = [server.vector("a", "CLUSTERING", dimension=8)]
    for spelling in spellings:
        assert values(ask(server, "a", **spelling)[1]) == expected


def test_several_parts_are_one_vector(server: Standin, ask: Ask) -> None:
    """All parts of one content make one vector, as at Google."""
    content = {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]}
    _, answer = ask(server, requests=[{"model": f"models/{OLD}", "content": content}])
    assert values(answer) == [server.vector("a b")]


def test_single_embedding(server: Standin, fetch: Fetch) -> None:
    """`embedContent` answers one `embedding` and needs no model in the body."""
    url = f"{server.url}/v1/models/{OLD}:embedContent"
    status, headers, raw = fetch(url, {"content": {"parts": [{"text": "a"}]}})
    assert status == 200
    assert headers["Content-Type"] == "application/json; charset=UTF-8"
    assert json.loads(raw) == {"embedding": {"values": server.vector("a")}}


def test_count_tokens(server: Standin, fetch: Fetch) -> None:
    """One more than an embedding counts, as at Google."""
    url = f"{server.url}/v1beta/models/{OLD}:countTokens"
    _, _, raw = fetch(url, {"contents": [{"parts": [{"text": "Hello, world!"}]}]})
    assert json.loads(raw) == {
        "totalTokens": 5,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 5}],
    }


def test_models_can_be_listed(server: Standin, fetch: Fetch) -> None:
    """Only the models which the Gemini API still serves are listed."""
    _, _, raw = fetch(f"{server.url}/v1beta/models?pageSize=5", method="GET")
    models = json.loads(raw)["models"]
    assert {model["name"] for model in models} == {f"models/{OLD}", f"models/{NEW}"}
    _, _, raw = fetch(f"{server.url}/v1/models/{OLD}", method="GET")
    assert json.loads(raw) in models


def test_many_texts_many_vectors(server: Standin) -> None:
    """Different texts have different vectors, even of a few numbers, in the hash mode."""
    vectors = {tuple(server.vector(f"text {i}", dimension=4)) for i in range(2000)}
    assert len(vectors) == 2000


async def test_googles_own_client(server: Standin) -> None:
    """Google's SDK reads the answers, at once and awaited."""
    client = genai.Client(
        api_key="k", vertexai=False, http_options=types.HttpOptions(base_url=server.url)
    )
    contents: list[types.ContentUnion] = [
        types.Content(parts=[types.Part(text=text)]) for text in ("a", "b")
    ]
    config = types.EmbedContentConfig(task_type="CLUSTERING", output_dimensionality=64)
    try:
        asked = client.models.embed_content(model=OLD, contents=contents, config=config)
        awaited = await client.aio.models.embed_content(model=OLD, contents=contents, config=config)
    finally:
        client.close()
        await client.aio.aclose()
    expected = [server.vector(text, "CLUSTERING", dimension=64) for text in ("a", "b")]
    for answer in (asked, awaited):
        assert [one.values for one in answer.embeddings or []] == expected
