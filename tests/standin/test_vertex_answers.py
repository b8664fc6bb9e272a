"""What the stand-in answers as Vertex AI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from standin.messages import (
    EXPRESS,
    GLOBAL,
    NEW,
    OLD,
    OLDER,
    REGION,
    content,
    instances,
    prediction,
    requests,
    usage,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin import Standin

    Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
@pytest.mark.parametrize("place", [GLOBAL, REGION, EXPRESS])
def test_predict(server: Standin, post: Ask, place: str, version: str) -> None:
    """`predict` answers in order, with the tokens of each text and the characters of all."""
    body = instances("Hello, world!", "7 8", task_type="RETRIEVAL_QUERY")
    body["parameters"] = {"outputDimensionality": 8}
    expected = [
        prediction(server.vector("Hello, world!", "RETRIEVAL_QUERY", dimension=8), 4),
        prediction(server.vector("7 8", "RETRIEVAL_QUERY", dimension=8), 3),
    ]
    assert post(server, "predict", body, place=place, version=version) == (
        200,
        {"predictions": expected, "metadata": {"billableCharacterCount": 14}},
    )


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
@pytest.mark.parametrize("place", [GLOBAL, "projects/example.com:p/locations/eu/", EXPRESS])
@pytest.mark.parametrize("model", [OLD, NEW, "gemini-embedding-2-preview"])
def test_embed_content(server: Standin, post: Ask, model: str, place: str, version: str) -> None:
    """`embedContent` answers one vector, and the usage of every model."""
    body = content("Hello, world!", {"outputDimensionality": 8})
    assert post(server, "embedContent", body, model, place=place, version=version) == (
        200,
        {
            "embedding": {"values": server.vector("Hello, world!", model=model, dimension=8)},
            "usageMetadata": usage(4),
        },
    )


@pytest.mark.parametrize("model", [OLD, NEW])
def test_batch_embed_contents(server: Standin, post: Ask, model: str) -> None:
    """A batch names no model, has options of its own for each text, and one total of usage."""
    body = {"requests": [content("a"), content("12", {"outputDimensionality": 8})]}
    assert post(server, "batchEmbedContents", body, model) == (
        200,
        {
            "embeddings": [
                {"values": server.vector("a", model=model)},
                {"values": server.vector("12", model=model, dimension=8)},
            ],
            "usageMetadata": usage(3),
        },
    )


def test_a_batch_may_name_its_model(server: Standin, post: Ask) -> None:
    """The full name is accepted, and the publisher's; another model's is not."""
    for named, status in (
        (f"{GLOBAL}publishers/google/models/{OLD}", 200),
        (f"publishers/google/models/{OLD}", 200),
        (f"publishers/google/models/{NEW}", 400),
    ):
        entry = {"model": named, **content("a", {"outputDimensionality": 1})}
        assert post(server, "batchEmbedContents", {"requests": [entry]})[0] == status
        assert post(server, "embedContent", entry)[0] == status


@pytest.mark.parametrize("place", [REGION, "projects/p/locations/europe-west1/"])
@pytest.mark.parametrize("model", [OLDER, "text-embedding-004", "text-multilingual-embedding-002"])
def test_older_models(server: Standin, post: Ask, model: str, place: str) -> None:
    """Models that the Gemini API does not have answer `predict`, in the regions."""
    assert post(server, "predict", instances("a"), model, place=place) == (
        200,
        {
            "predictions": [prediction(server.vector("a", model=model), 1)],
            "metadata": {"billableCharacterCount": 1},
        },
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"taskType": "RETRIEVAL_QUERY"},
        {"taskType": "RETRIEVAL_DOCUMENT", "title": "T"},
        {"outputDimensionality": 768},
    ],
)
def test_both_services_give_the_same_vector(
    server: Standin, ask: Ask, post: Ask, options: dict[str, Any]
) -> None:
    """Same text, model, task, title and dimension: the same vector, by every method."""
    (gemini,) = ask(server, "a", **options)[1]["embeddings"]
    told = dict(options)
    parameters = {"outputDimensionality": told.pop("outputDimensionality", None)}
    predict = {**instances("a", **told), "parameters": parameters}
    (predicted,) = post(server, "predict", predict)[1]["predictions"]
    single = post(server, "embedContent", content("a", options))[1]
    batch = post(server, "batchEmbedContents", requests("a", config=options))[1]
    assert predicted["embeddings"]["values"] == gemini["values"]
    assert single["embedding"] == batch["embeddings"][0] == gemini
    newer = ask(server, "a", model=NEW, **options)[1]["embeddings"]
    assert post(server, "embedContent", content("a", options), NEW)[1]["embedding"] == newer[0]


def test_every_spelling_of_the_options(server: Standin, post: Ask) -> None:
    """Either casing, and the options of `embedContent` beside the content or in a config."""
    expected = {"values": server.vector("a", "CLUSTERING", dimension=8)}
    for options in (
        {"embedContentConfig": {"taskType": "CLUSTERING", "outputDimensionality": 8}},
        {"embed_content_config": {"task_type": "CLUSTERING", "output_dimensionality": "8"}},
        {"taskType": "CLUSTERING", "outputDimensionality": 8, "autoTruncate": True},
    ):
        body = {**content("a"), **options}
        assert post(server, "embedContent", body)[1]["embedding"] == expected
    for task in ("task_type", "taskType"):
        for dimension in ("outputDimensionality", "output_dimensionality"):
            body = {**instances("a", **{task: "CLUSTERING"}), "parameters": {dimension: 8}}
            (answered,) = post(server, "predict", body)[1]["predictions"]
            assert answered["embeddings"]["values"] == expected["values"]


def test_no_task_has_another_name(server: Standin, post: Ask) -> None:
    """UNSPECIFIED is no task; the Gemini API's name for that, and lower case, are refused."""
    for name, status in (
        ("UNSPECIFIED", 200),
        ("TASK_TYPE_UNSPECIFIED", 400),
        ("clustering", 400),
        (5, 400),
    ):
        single = post(server, "embedContent", content("a", {"taskType": name}))
        batch = post(server, "batchEmbedContents", requests("a", config={"taskType": name}))
        predicted = post(server, "predict", instances("a", task_type=name))
        assert [single[0], batch[0], predicted[0]] == [status] * 3
        if status == 200:
            assert single[1]["embedding"]["values"] == server.vector("a")


def test_the_newer_model_ignores_the_task(server: Standin, post: Ask) -> None:
    """gemini-embedding-2 answers the same, whatever task and title it is told."""
    for config in ({"taskType": "RETRIEVAL_QUERY"}, {"taskType": "UNSPECIFIED"}, {"title": "T"}):
        status, answer = post(server, "embedContent", content("a", config), NEW)
        assert (status, answer["embedding"]["values"]) == (200, server.vector("a", model=NEW))
