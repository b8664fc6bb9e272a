"""Real LlamaIndex stores with `GeminiEmbedding`: what goes in is what is found."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest
from helpers import sent_texts
from llama_index.core import Settings, StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.llms import MockLLM
from llama_index.core.node_parser import SemanticSplitterNodeParser
from llama_index.core.schema import Document, TextNode
from stores.corpus import ANSWERS, DIMENSION, TEXTS
from stores.gate import needed
from stores.llamaindex_stores import KEEP_TEXTS, KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from llama_index.core.schema import NodeWithScore
    from llama_index.core.vector_stores.types import BasePydanticVectorStore

    from gemini_embed.standin import Standin
    from llamaindex_gemini_embed import GeminiEmbedding

    Maker = Callable[..., GeminiEmbedding]
    Opener = Callable[..., BasePydanticVectorStore]

MANY = [f"text number {i}" for i in range(250)]
SOME = MANY[::50]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def opened(request: pytest.FixtureRequest) -> Opener:
    def make(*, use_async: bool = False) -> BasePydanticVectorStore:
        made: BasePydanticVectorStore = request.param(request, use_async)
        return made

    return make


def index_of(
    texts: list[str],
    store: BasePydanticVectorStore,
    model: GeminiEmbedding,
    *,
    use_async: bool = False,
) -> VectorStoreIndex:
    return VectorStoreIndex(
        [TextNode(text=text) for text in texts],
        embed_model=model,
        storage_context=StorageContext.from_defaults(vector_store=store),
        use_async=use_async,
    )


def texts_of(found: list[NodeWithScore]) -> list[str]:
    return [item.node.get_content() for item in found]


def test_an_index_gives_each_text_its_own_vector(
    opened: Opener, server: Standin, embed_model: Maker
) -> None:
    """250 nodes go into a `VectorStoreIndex`; a search for one finds it."""
    index = index_of(MANY, opened(), embed_model(server, task_type="SEMANTIC_SIMILARITY"))

    retriever = index.as_retriever(similarity_top_k=1)

    assert [texts_of(retriever.retrieve(text)) for text in SOME] == [[text] for text in SOME]
    index.insert_nodes([TextNode(text="one more")])
    again = index.as_retriever(similarity_top_k=1)  # a retriever knows the nodes of its start
    assert texts_of(again.retrieve("one more")) == ["one more"]


async def test_an_async_index_gives_each_text_its_own_vector(
    opened: Opener, server: Standin, embed_model: Maker
) -> None:
    """`use_async=True` the same, from inside a running loop, with searches at the same time."""
    model = embed_model(server, task_type="SEMANTIC_SIMILARITY")
    index = index_of(MANY, opened(use_async=True), model, use_async=True)

    retriever = index.as_retriever(similarity_top_k=1)
    found = await asyncio.gather(*(retriever.aretrieve(text) for text in SOME))

    assert [texts_of(item) for item in found] == [[text] for text in SOME]
    await index.ainsert_nodes([TextNode(text="one more")])
    again = index.as_retriever(similarity_top_k=1)
    assert texts_of(await again.aretrieve("one more")) == ["one more"]


async def test_a_query_engine_answers_from_the_right_text(
    opened: Opener, meaning: Standin, embed_model: Maker
) -> None:
    """`as_query_engine`: the language model is told the right text, sync and async."""
    model = embed_model(meaning)
    options: dict[str, Any] = {"llm": MockLLM(), "similarity_top_k": 1}
    engine = index_of(TEXTS, opened(), model).as_query_engine(**options)
    async_index = index_of(TEXTS, opened(use_async=True), model, use_async=True)
    async_engine = async_index.as_query_engine(**options)

    for question, answer in ANSWERS.items():
        for response in (engine.query(question), await async_engine.aquery(question)):
            assert texts_of(response.source_nodes) == [answer]
            assert answer in str(response)


@pytest.fixture
def settings() -> Iterator[Any]:
    before = Settings._embed_model
    yield Settings
    Settings._embed_model = before


def test_the_global_model_embeds_documents_and_questions(
    settings: Any, meaning: Standin, embed_model: Maker
) -> None:
    """With `Settings.embed_model` set, an index that names no model uses it throughout."""
    settings.embed_model = embed_model(meaning)

    index = VectorStoreIndex.from_documents([Document(text=text) for text in TEXTS])
    retriever = index.as_retriever(similarity_top_k=1)

    for question, answer in ANSWERS.items():
        assert texts_of(retriever.retrieve(question)) == [answer]


async def test_the_semantic_splitter_cuts_where_the_subject_changes(
    meaning: Standin, embed_model: Maker
) -> None:
    """`SemanticSplitterNodeParser` with our vectors keeps what belongs together, sync and async."""
    cats = [
        "Cats sleep for most of the day.",
        "A cat purrs when it is content.",
        "Kittens are playful young cats.",
    ]
    stars = [
        "A star is a ball of hot gas.",
        "Stars shine because hydrogen fuses to helium in them.",
        "The hottest stars are blue.",
    ]
    splitter = SemanticSplitterNodeParser(
        embed_model=embed_model(meaning, task_type="SEMANTIC_SIMILARITY"),
        # NLTK, the default, refuses its data where the installer (uv) has laid hard links.
        sentence_splitter=re.compile(r"(?<=\. )").split,
        buffer_size=0,
        breakpoint_percentile_threshold=80,
    )
    documents = [Document(text=" ".join(cats + stars))]

    for nodes in (
        splitter.get_nodes_from_documents(documents),
        await splitter.aget_nodes_from_documents(documents),
    ):
        assert [node.get_content().strip() for node in nodes] == [" ".join(cats), " ".join(stars)]


def test_an_index_on_disk_is_found_again(
    meaning: Standin, embed_model: Maker, tmp_path: Path
) -> None:
    """A persisted storage context, loaded by a new index: no document is embedded again."""
    index = VectorStoreIndex(
        [TextNode(text=text) for text in TEXTS], embed_model=embed_model(meaning)
    )
    index.storage_context.persist(str(tmp_path))
    sent = len(meaning.log)

    context = StorageContext.from_defaults(persist_dir=str(tmp_path))
    again: Any = load_index_from_storage(context, embed_model=embed_model(meaning))

    assert len(meaning.log) == sent
    retriever = again.as_retriever(similarity_top_k=1)
    for question, answer in ANSWERS.items():
        assert texts_of(retriever.retrieve(question)) == [answer]


def test_a_faiss_index_on_disk_is_found_again(
    meaning: Standin, embed_model: Maker, tmp_path: Path
) -> None:
    """The same with vectors in FAISS and texts beside it."""
    library: Any = needed("llama_index.vector_stores.faiss")
    store = library.FaissVectorStore(faiss_index=needed("faiss").IndexFlatIP(DIMENSION))
    index_of(TEXTS, store, embed_model(meaning)).storage_context.persist(str(tmp_path))
    sent = len(meaning.log)

    context = StorageContext.from_defaults(
        vector_store=library.FaissVectorStore.from_persist_dir(str(tmp_path)),
        persist_dir=str(tmp_path),
    )
    again: Any = load_index_from_storage(context, embed_model=embed_model(meaning))

    assert len(meaning.log) == sent
    retriever = again.as_retriever(similarity_top_k=1)
    for question, answer in ANSWERS.items():
        assert texts_of(retriever.retrieve(question)) == [answer]


@pytest.mark.parametrize("kind", KEEP_TEXTS, ids=lambda kind: kind.__name__)
def test_a_store_that_exists_is_searched(
    kind: Any, meaning: Standin, embed_model: Maker, request: pytest.FixtureRequest
) -> None:
    """`from_vector_store` opens what another index filled; only the question is embedded."""
    store = kind(request, False)
    index_of(TEXTS, store, embed_model(meaning))
    sent = len(meaning.log)

    again = VectorStoreIndex.from_vector_store(store, embed_model=embed_model(meaning))
    question, answer = next(iter(ANSWERS.items()))

    assert texts_of(again.as_retriever(similarity_top_k=1).retrieve(question)) == [answer]
    assert sent_texts(meaning)[sent:] == [[f"task: search result | query: {question}"]]
