"""What `make mteb` sends for what mteb feeds. Needs no mteb: `make test-mteb` runs mteb itself."""

from __future__ import annotations

import inspect
from decimal import Decimal
from enum import Enum
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers import joined, sent_texts, vectors_of

from benchmarks.mteb.encoders import BudgetError, Encoder, Listener, Payer, check_budget
from gemini_embed import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gemini_embed import GeminiEmbedder
    from gemini_embed.standin import Standin

    Maker = Callable[..., GeminiEmbedder]

# What mteb 2.26.24 has for types of tasks, and for one task. `make test-mteb` compares.
PROMPTS_2 = {
    "Classification": "CLASSIFICATION",
    "MultilabelClassification": "CLASSIFICATION",
    "Clustering": "CLUSTERING",
    "STS": "SEMANTIC_SIMILARITY",
    "PairClassification": "CLASSIFICATION",
    "BitextMining": "SEMANTIC_SIMILARITY",
    "Reranking": "RETRIEVAL_DOCUMENT",
    "Summarization": "SEMANTIC_SIMILARITY",
    "InstructionRetrieval": "RETRIEVAL_DOCUMENT",
    "InstructionReranking": "RETRIEVAL_DOCUMENT",
    "query": "RETRIEVAL_QUERY",
    "document": "RETRIEVAL_DOCUMENT",
    "ArguAna": "FACT_VERIFICATION",
}
PROMPTS_001 = {
    "Classification": "CLASSIFICATION",
    "MultilabelClassification": "CLASSIFICATION",
    "Clustering": "CLUSTERING",
    "STS": "SIMILARITY",
    "query": "RETRIEVAL_QUERY",
    "document": "RETRIEVAL_DOCUMENT",
}
PROMPTS = {"gemini-embedding-2": PROMPTS_2, "gemini-embedding-001": PROMPTS_001}


class Side(Enum):
    """mteb's `PromptType`."""

    QUERY = "query"
    DOCUMENT = "document"


def task(kind: str, *, name: str = "ATask", modalities: tuple[str, ...] = ("text",)) -> Any:
    return SimpleNamespace(name=name, type=kind, modalities=modalities)


def fed(encoder: Encoder, kind: Any, side: Side | None, *batches: dict[str, list[str]]) -> Any:
    """Return what the encoder answers when it is fed as mteb's DataLoader feeds it."""
    kind = task(kind) if isinstance(kind, str) else kind
    return encoder.encode(
        list(batches),
        task_metadata=kind,
        hf_split="test",
        hf_subset="default",
        prompt_type=side,
        batch_size=2,
        show_progress_bar=False,
    )


@pytest.fixture
def payer(embedder: Maker) -> Callable[..., Payer]:
    def make(model: str = "gemini-embedding-2", budget: str = "1", **options: Any) -> Payer:
        made = embedder(model=model, **options)
        return Payer(made, None, PROMPTS[model], budget=Decimal(budget))

    return make


def test_the_encoder_is_called_as_mteb_calls_it() -> None:
    """It has the methods of mteb's `EncoderProtocol`, with the same names of arguments."""
    encode = inspect.signature(Encoder.encode).parameters

    kinds = {name: parameter.kind for name, parameter in encode.items()}
    assert kinds.pop("inputs") == inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert kinds.pop("_options") == inspect.Parameter.VAR_KEYWORD
    del kinds["self"]
    assert kinds == dict.fromkeys(
        ["task_metadata", "hf_split", "hf_subset", "prompt_type"], inspect.Parameter.KEYWORD_ONLY
    )
    for name in ("similarity", "similarity_pairwise"):
        found = inspect.signature(getattr(Encoder, name)).parameters
        assert [*found] == ["self", "embeddings1", "embeddings2"]


@pytest.mark.parametrize(
    ("kind", "side", "sent"),
    [
        ("Classification", None, "task: classification | query: a text"),
        ("MultilabelClassification", None, "task: classification | query: a text"),
        ("PairClassification", None, "task: classification | query: a text"),
        ("Clustering", None, "task: clustering | query: a text"),
        ("STS", None, "task: sentence similarity | query: a text"),
        ("BitextMining", None, "task: sentence similarity | query: a text"),
        ("Summarization", None, "task: sentence similarity | query: a text"),
        ("Retrieval", Side.QUERY, "task: search result | query: a text"),
        ("Retrieval", Side.DOCUMENT, "title: none | text: a text"),
        ("Reranking", Side.QUERY, "a text"),
        ("Reranking", Side.DOCUMENT, "title: none | text: a text"),
        ("InstructionRetrieval", Side.QUERY, "a text"),
        ("InstructionReranking", Side.DOCUMENT, "title: none | text: a text"),
        ("Regression", None, "a text"),
        (task("Retrieval", name="ArguAna"), Side.QUERY, "task: fact checking | query: a text"),
        (task("Retrieval", name="ArguAna"), Side.DOCUMENT, "title: none | text: a text"),
    ],
)
def test_gemini_embedding_2_gets_the_prefix_of_each_type_of_task(
    kind: Any, side: Side | None, sent: str, payer: Callable[..., Payer], server: Standin
) -> None:
    """The text says what it is for, as in the published runs; a task may have its own."""
    fed(payer(), kind, side, {"text": ["a text"]})

    assert sent_texts(server) == [[sent]]


@pytest.mark.parametrize(
    ("kind", "side", "field"),
    [
        ("Classification", None, "CLASSIFICATION"),
        ("MultilabelClassification", None, "CLASSIFICATION"),
        ("Clustering", None, "CLUSTERING"),
        ("STS", None, "SEMANTIC_SIMILARITY"),
        ("Retrieval", Side.QUERY, "RETRIEVAL_QUERY"),
        ("Retrieval", Side.DOCUMENT, "RETRIEVAL_DOCUMENT"),
        ("Reranking", Side.QUERY, "RETRIEVAL_QUERY"),
        ("PairClassification", None, None),
        ("BitextMining", None, None),
        ("Summarization", None, None),
    ],
)
def test_gemini_embedding_001_gets_the_field_of_each_type_of_task(
    kind: str, side: Side | None, field: str | None, payer: Callable[..., Payer], server: Standin
) -> None:
    """The field says it, and there is none where mteb has none."""
    fed(payer("gemini-embedding-001"), kind, side, {"text": ["a text"]})

    (exchange,) = server.log
    assert exchange.body is not None
    (request,) = exchange.body["requests"]
    assert request.get("taskType") == field
    assert request["content"]["parts"][0]["text"] == "a text"


def test_a_title_goes_where_the_model_reads_it(
    payer: Callable[..., Payer], server: Standin
) -> None:
    """gemini-embedding-2 has a place for it; the older model gets the two in one, as in mteb."""
    batch = {
        "text": ["A title and a text", "no title"],
        "body": ["and a text", "no title"],
        "title": ["A title", ""],
    }

    fed(payer(), "Retrieval", Side.DOCUMENT, batch)
    fed(payer("gemini-embedding-001"), "Retrieval", Side.DOCUMENT, batch)

    new, old = sent_texts(server)
    assert new == ["title: A title | text: and a text", "title: none | text: no title"]
    assert old == batch["text"]


def test_every_row_gets_its_own_vector(payer: Callable[..., Payer], server: Standin) -> None:
    """In order, over more batches than requests, with texts that come twice and empty ones."""
    texts = [f"text {number % 2500}" for number in range(3000)] + [""]
    batches = [{"text": texts[start : start + 32]} for start in range(0, len(texts), 32)]

    vectors = fed(payer(output_dimensionality=128, on_blank="placeholder"), "STS", None, *batches)

    assert (vectors.shape, vectors.dtype) == ((3001, 128), np.float32)
    as_sent = [f"task: sentence similarity | query: {text or '(blank)'}" for text in texts]
    as_sent[2500:3000] = []
    expected = vectors_of(server, as_sent, model="gemini-embedding-2", dimension=128)
    np.testing.assert_array_equal(vectors[:2500], expected[:-1])
    np.testing.assert_array_equal(vectors[2500:3000], vectors[:500])
    np.testing.assert_array_equal(vectors[3000], expected[-1])


def test_the_forecast_is_what_is_sent(
    payer: Callable[..., Payer], embedder: Maker, server: Standin, tmp_path: Path
) -> None:
    """It sends nothing, and counts a text once that mteb feeds twice."""
    cache = tmp_path / "vectors.sqlite3"
    listener = Listener(embedder(cache=cache), None, PROMPTS_2)
    queries, documents = {"text": ["a question", "a text"]}, {"text": ["a text", "another"]}

    for encoder in (listener, payer(cache=cache)):
        assert server.log == []
        for _ in range(2):
            assert len(fed(encoder, "Retrieval", Side.QUERY, queries)) == 2
            assert len(fed(encoder, "Retrieval", Side.DOCUMENT, documents, documents)) == 4

    said = listener.estimates()
    assert sum(one.to_send for one in said) == 0  # now the cache has them
    assert len(joined(sent_texts(server))) == 4


def test_the_forecast_knows_the_cost(embedder: Maker, server: Standin) -> None:
    """By task type, in texts and dollars."""
    listener = Listener(embedder(), None, PROMPTS_2)

    fed(listener, "Retrieval", Side.QUERY, {"text": ["a question"]}, {"text": ["a question"]})
    fed(listener, "Retrieval", Side.DOCUMENT, {"text": ["a text", "another"]})

    said = listener.estimates()
    assert [one.to_send for one in said] == [1, 2]
    assert all(one.cost for one in said)
    assert server.log == []


def test_a_budget_stops_before_it_is_overdrawn(
    payer: Callable[..., Payer], server: Standin, tmp_path: Path
) -> None:
    """Of 3,500 texts 2,000 are paid; with more money the next run pays only for the others."""
    batch = {"text": [f"a text of some tokens, number {number}" for number in range(3500)]}
    options = {"cache": tmp_path / "vectors.sqlite3", "output_dimensionality": 128}

    with pytest.raises(BudgetError, match=r"^\$0\.\d+ is spent, .* more than the budget of"):
        fed(payer(budget="0.009", **options), "STS", None, batch)
    first = joined(sent_texts(server))
    vectors = fed(payer(budget="0.1", **options), "STS", None, batch)

    assert len(first) == 2000
    sent = joined(sent_texts(server))
    assert len(vectors) == len(sent) == len(set(sent)) == 3500


def test_what_has_no_price_has_no_budget(embedder: Maker) -> None:
    """Where nobody knows what a model costs, nothing is sent."""
    with pytest.raises(BudgetError, match="is not known"):
        check_budget(None, embedder(), Decimal(1000))


def test_a_task_of_pictures_is_refused(payer: Callable[..., Payer], server: Standin) -> None:
    """Only texts are run."""
    pictures = task("ImageClassification", modalities=("image", "text"))

    with pytest.raises(ConfigurationError, match="ATask has image, text"):
        fed(payer(), pictures, None, {"text": ["a text"]})
    assert server.log == []
