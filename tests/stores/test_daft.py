"""Columns of Daft, embedded through the provider."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers import joined, sent_texts, vectors_of
from pages import DOCS, blocks, run
from stores.gate import needed

from gemini_embed import ConfigurationError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gemini_embed import GeminiEmbedder
    from gemini_embed.standin import Standin

    Provider = Callable[..., Any]
    Maker = Callable[..., GeminiEmbedder]

TEXTS = [f"text number {number}" for number in range(150)]


@pytest.fixture
def provider() -> Provider:
    needed("daft")
    from gemini_embed.scale.daft import GeminiProvider  # noqa: PLC0415 - may be missing

    return GeminiProvider


def column_of(texts: list[str | None], **call: Any) -> Any:
    """Return a frame with a column of texts, and one of their vectors."""
    daft, functions = needed("daft"), needed("daft.functions")
    frame = daft.from_pydict({"text": texts})
    return frame.with_column("vector", functions.embed_text(daft.col("text"), **call))


@pytest.mark.parametrize(
    ("role", "prefix"),
    [("document", "title: none | text: "), ("query", "task: search result | query: ")],
)
def test_each_row_has_the_vector_of_its_text(
    provider: Provider, embedder: Maker, server: Standin, role: str, prefix: str
) -> None:
    """In a column of fixed length, as documents or as queries."""
    core = embedder(output_dimensionality=128)

    frame = column_of([*TEXTS], provider=provider(core, role=role), batch_size=60)
    rows = frame.to_pydict()

    sent = [prefix + text for text in rows["text"]]
    right = vectors_of(server, sent, model="gemini-embedding-2", dimension=128)
    assert sorted(rows["text"]) == sorted(TEXTS)  # Daft may hand batches on in another order
    assert (np.array(rows["vector"]) == right).all()
    assert sorted(joined(sent_texts(server))) == sorted(sent)
    assert str(frame.schema()["vector"].dtype) == "Embedding[Float32; 128]"
    assert core.usage.texts == 150


@pytest.mark.parametrize(
    ("role", "task_type"), [("document", "RETRIEVAL_DOCUMENT"), ("query", "RETRIEVAL_QUERY")]
)
def test_another_model_and_dimension_of_a_column(
    provider: Provider, embedder: Maker, server: Standin, role: str, task_type: str
) -> None:
    """Daft's own arguments go before the embedder's options; the model gets its task type."""
    asked = provider(embedder(), role=role)

    rows = column_of(
        ["a text"], provider=asked, model="gemini-embedding-001", dimensions=256
    ).to_pydict()

    (request,) = joined(one.body["requests"] for one in server.log if one.body is not None)
    assert (request["taskType"], request["outputDimensionality"]) == (task_type, 256)
    assert len(rows["vector"][0]) == 256


def test_the_column_is_as_long_as_the_model_makes_vectors(
    provider: Provider, embedder: Maker
) -> None:
    """Where no dimension is told, the type of the column is right before anything is sent."""
    frame = column_of(["a text"], provider=provider(embedder()))

    assert str(frame.schema()["vector"].dtype) == "Embedding[Float32; 3072]"


@pytest.mark.parametrize("text", [None, " "])
def test_a_row_without_a_text_is_an_error(
    provider: Provider, embedder: Maker, text: str | None
) -> None:
    """It is our own, and Daft does not try it again."""
    with pytest.raises(InvalidInputError) as caught:
        column_of(["a text", text], provider=provider(embedder())).to_pydict()

    assert caught.value.index == 1


def test_options_that_would_lose_rows_in_silence_are_refused(
    provider: Provider, embedder: Maker
) -> None:
    """Daft's `on_error="ignore"` would leave all rows of a batch without vectors."""
    with pytest.raises(ConfigurationError, match="on_error"):
        column_of(["a text"], provider=provider(embedder()), on_error="ignore")


def test_no_key_is_in_a_plan(provider: Provider, embedder: Maker) -> None:
    """Plans are printed and logged."""
    key = "AIza-a-key-that-nobody-may-see"
    frame = column_of(["a text"], provider=provider(embedder(api_key=key)))

    plan = needed("io").StringIO()
    frame.explain(show_all=True, file=plan)
    assert plan.getvalue()
    assert key not in plan.getvalue()


def test_the_page_shows_what_works(server: Standin, tmp_path: Path) -> None:
    """A reader who pastes the program gets to its end."""
    needed("daft")
    programs = blocks((DOCS / "engines.md").read_text(encoding="utf-8"), "needs: daft")

    done = run(
        "\n".join(programs), tmp_path, url=server.url, python=(sys.executable, "-W", "error")
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "1 (768,)\n"
