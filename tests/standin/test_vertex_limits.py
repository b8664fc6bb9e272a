"""How many texts and tokens the stand-in takes as Vertex AI, and what it says of more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from standin.messages import (
    GLOBAL,
    NEW,
    OLD,
    OLDER,
    REGION,
    content,
    error,
    instances,
    requests,
    too_many_tokens,
)

from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable

    Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.mark.parametrize(("model", "place", "fits"), [(OLD, GLOBAL, 2048), (OLDER, REGION, 2048)])
def test_predict_tells_which_text_was_cut_off(
    server: Standin, post: Ask, model: str, place: str, fits: int
) -> None:
    """A text that is too long is marked; not to cut it off is to refuse it."""
    body = instances("1" * fits, "1" * (fits + 1))
    body["parameters"] = {"outputDimensionality": 1}
    _, answer = post(server, "predict", body, model, place=place)
    statistics = [one["embeddings"]["statistics"] for one in answer["predictions"]]
    assert statistics == [
        {"token_count": 2048, "truncated": False},
        {"token_count": 2048, "truncated": True},  # what is left of it
    ]
    body["parameters"]["autoTruncate"] = False
    assert post(server, "predict", body, model, place=place) == (400, too_many_tokens(2049, 2048))
    body["instances"].pop()
    assert post(server, "predict", body, model, place=place)[0] == 200


@pytest.mark.parametrize(("model", "most"), [(OLD, 2048), (NEW, 8192)])
def test_newer_methods_tell_that_a_text_was_cut_off(
    server: Standin, post: Ask, model: str, most: int
) -> None:
    """`truncated` is said of the whole answer, and only where it is true."""
    fits, long = "1" * most, "1" * (most + 1)  # a token for each digit
    config: dict[str, Any] = {"outputDimensionality": 1}
    for method, body in (
        ("embedContent", content(long, config)),
        ("batchEmbedContents", requests("a", long, config=config)),
    ):
        status, answer = post(server, method, body, model)
        assert (status, answer["truncated"]) == (200, True)
    assert "truncated" not in post(server, "embedContent", content(fits, config), model)[1]
    config["autoTruncate"] = False
    for method, body in (
        ("embedContent", content(long, config)),
        ("batchEmbedContents", requests("a", long, config=config)),
    ):
        refused = (400, too_many_tokens(most + 1, most))
        assert post(server, method, body, model) == refused
    assert post(server, "embedContent", content(fits, config), model)[0] == 200


@pytest.mark.parametrize(("model", "place"), [(OLD, GLOBAL), (OLDER, REGION)])
def test_predict_takes_250_texts(server: Standin, post: Ask, model: str, place: str) -> None:
    """One text more is refused, and so are no texts at all."""
    body: dict[str, Any] = {**instances(*["a"] * 250), "parameters": {"outputDimensionality": 1}}
    assert post(server, "predict", body, model, place=place)[0] == 200
    body["instances"] *= 2
    message = "250 instance(s) is allowed per prediction. Actual: 500"
    refused = (400, error(400, "INVALID_ARGUMENT", message))
    assert post(server, "predict", body, model, place=place) == refused
    expected = error(400, "INVALID_ARGUMENT", "Empty instances.")
    expected["error"]["details"] = [
        {
            "@type": "type.googleapis.com/google.rpc.DebugInfo",
            "detail": "[ORIGINAL ERROR] generic::invalid_argument: Empty instances. "
            '[google.rpc.error_details_ext] { message: "Empty instances." }',
        }
    ]
    for none in (instances(), {}):
        assert post(server, "predict", none, model, place=place) == (400, expected)


def test_gemini_embedding_001_may_take_one_text_only(post: Ask) -> None:
    """`vertex_001_instances` limits that model's `predict`, and nothing else."""
    with Standin(vertex_001_instances=1) as server:
        assert post(server, "predict", instances("a"))[0] == 200
        message = (
            "Unable to submit request because it included too many instances. Reduce the number "
            "of instances and try again. Learn more: https://cloud.google.com/vertex-ai/"
            "generative-ai/docs/model-reference/text-embeddings: Unable to submit request because "
            "batchSize must be 1 but the entered value was 56. Update the batchSize value and try "
            "again."
        )
        expected = (400, error(400, "INVALID_ARGUMENT", message))
        assert post(server, "predict", instances(*["a"] * 56)) == expected
        assert post(server, "predict", instances("a", "b"), OLDER, place=REGION)[0] == 200
        assert post(server, "batchEmbedContents", requests("a", "b"))[0] == 200
    with Standin(vertex_001_instances=5) as server:
        message = "5 instance(s) is allowed per prediction. Actual: 6"
        expected = (400, error(400, "INVALID_ARGUMENT", message))
        assert post(server, "predict", instances(*"abcdef")) == expected
    with pytest.raises(ValueError, match="vertex_001_instances must be at least 1, not 0"):
        Standin(vertex_001_instances=0)


def test_older_models_take_20000_tokens(server: Standin, post: Ask) -> None:
    """All texts of one `predict` together; gemini-embedding-001 takes more."""
    ten, eleven = (instances(*["1" * 2000] * count) for count in (10, 11))
    for body in (ten, eleven):
        body["parameters"] = {"outputDimensionality": 1}
    assert post(server, "predict", ten, OLDER, place=REGION)[0] == 200
    refused = (400, too_many_tokens(22_000, 20_000))
    assert post(server, "predict", eleven, OLDER, place=REGION) == refused
    assert post(server, "predict", eleven)[0] == 200


def test_batch_of_101(server: Standin, post: Ask) -> None:
    """A batch takes a hundred texts, as it does on the Gemini API, and at least one."""
    config = {"outputDimensionality": 1}
    body = requests(*["a"] * 100, config=config)
    assert post(server, "batchEmbedContents", body, NEW)[0] == 200
    body = requests(*["a"] * 101, config=config)
    message = "* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch\n"
    refused = (400, error(400, "INVALID_ARGUMENT", message))
    assert post(server, "batchEmbedContents", body, NEW) == refused
    assert post(server, "batchEmbedContents", {"requests": []}, NEW)[0] == 400


def test_the_quota_is_refused_in_silence(ask: Ask, post: Ask) -> None:
    """A 429 has no details. Every text counts; each place has a quota, and the Gemini API too."""
    with Standin(requests=3) as server:
        assert post(server, "predict", instances("a", "b"))[0] == 200
        message = (
            "Resource exhausted. Please try again later. Please refer to https://cloud.google.com/"
            "vertex-ai/generative-ai/docs/error-code-429 for more details."
        )
        refused = (429, error(429, "RESOURCE_EXHAUSTED", message))
        assert post(server, "batchEmbedContents", requests("c", "d")) == refused
        assert post(server, "embedContent", content("c"))[0] == 200
        assert post(server, "embedContent", content("d")) == refused
        assert post(server, "predict", instances("c", "d"), place=REGION)[0] == 200
        assert ask(server, "a", "b", "c")[0] == 200
    with Standin(tokens=4) as server:
        assert post(server, "embedContent", content("Hello, world!"), NEW)[0] == 200
        assert post(server, "embedContent", content("a"), NEW) == refused
