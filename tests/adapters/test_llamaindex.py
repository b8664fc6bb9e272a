"""`GeminiEmbedding` against the stand-in: the requests that leave, and whose vectors come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from helpers import TEXTS, sent_texts
from llama_index.core import Settings, VectorStoreIndex
from llama_index.core.schema import TextNode

from gemini_embed import (
    InvalidInputError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin import Standin
    from llamaindex_gemini_embed import GeminiEmbedding

    Maker = Callable[..., GeminiEmbedding]


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
