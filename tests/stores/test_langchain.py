"""Real LangChain stores with `GeminiEmbeddings`: what goes in is what is found."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from helpers import joined, sent_texts
from langchain_classic.indexes import SQLRecordManager
from langchain_core.documents import Document
from langchain_core.indexing import InMemoryRecordManager, aindex, index
from langchain_core.language_models import ParrotFakeChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda, RunnablePassthrough
from langchain_core.vectorstores import InMemoryVectorStore
from sqlalchemy import NullPool
from stores.corpus import ANSWERS, TEXTS
from stores.gate import needed
from stores.langchain_stores import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from langchain_core.indexing import RecordManager
    from langchain_core.runnables import Runnable
    from langchain_core.vectorstores import VectorStore
    from stores.langchain_stores import Ways

    from gemini_embed.standin import Standin
    from langchain_gemini_embed import GeminiEmbeddings

    Maker = Callable[..., GeminiEmbeddings]

MANY = [f"text number {i}" for i in range(250)]
SOME = MANY[::50]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def ways(request: pytest.FixtureRequest) -> Ways:
    made: Ways = request.param(request)
    return made


def documents_of(texts: list[str]) -> list[Document]:
    return [Document(text, metadata={"length": len(text)}) for text in texts]


def texts_of(documents: list[Document]) -> list[str]:
    return [document.page_content for document in documents]


def test_from_documents_gives_each_text_its_own_vector(
    ways: Ways, server: Standin, embeddings: Maker
) -> None:
    """250 documents go in through `from_documents`; a search for one finds it, with its data."""
    made = embeddings(server, task_type="SEMANTIC_SIMILARITY")

    store = ways.from_documents(documents_of(MANY), made)

    found = joined(store.similarity_search(text, k=1) for text in SOME)
    assert texts_of(found) == SOME
    assert [document.metadata["length"] for document in found] == [len(text) for text in SOME]


def test_add_documents_gives_each_text_its_own_vector(
    ways: Ways, server: Standin, embeddings: Maker
) -> None:
    """The same through `add_documents`, in an existing store."""
    store = ways.empty(embeddings(server, task_type="SEMANTIC_SIMILARITY"))

    ids = store.add_documents(documents_of(MANY))

    assert len(set(ids)) == len(MANY)
    assert texts_of(joined(store.similarity_search(text, k=1) for text in SOME)) == SOME


async def test_aadd_documents_gives_each_text_its_own_vector(
    ways: Ways, server: Standin, embeddings: Maker
) -> None:
    """The same inside a running loop, with many searches at the same time."""
    store = ways.empty_for_async(embeddings(server, task_type="SEMANTIC_SIMILARITY"))

    ids = await store.aadd_documents(documents_of(MANY))

    assert len(set(ids)) == len(MANY)
    found = await asyncio.gather(*(store.asimilarity_search(text, k=1) for text in SOME))
    assert texts_of(joined(found)) == SOME


async def test_a_retriever_finds_the_answer(
    ways: Ways, meaning: Standin, embeddings: Maker
) -> None:
    """`as_retriever` finds the text that answers a question, sync and async."""
    store = ways.from_documents(documents_of(TEXTS), embeddings(meaning))
    async_store = ways.empty_for_async(embeddings(meaning))
    await async_store.aadd_documents(documents_of(TEXTS))

    retriever = store.as_retriever(search_kwargs={"k": 1})
    async_retriever = async_store.as_retriever(search_kwargs={"k": 1})

    for question, answer in ANSWERS.items():
        assert texts_of(retriever.invoke(question)) == [answer]
        assert texts_of(await async_retriever.ainvoke(question)) == [answer]


def test_mmr_passes_over_what_says_the_same(
    ways: Ways, meaning: Standin, embeddings: Maker
) -> None:
    """With two texts that say the same, MMR takes one of them, and something else."""
    bread = TEXTS[1]
    again = "Bread is made of flour, yeast and water and baked in an oven."
    store = ways.from_documents(documents_of([*TEXTS, again]), embeddings(meaning))
    question = "What is bread made of?"

    nearest = store.as_retriever(search_kwargs={"k": 2}).invoke(question)
    varied = store.as_retriever(
        search_type="mmr", search_kwargs={"k": 2, "fetch_k": 11, "lambda_mult": 0.5}
    ).invoke(question)

    assert set(texts_of(nearest)) == {bread, again}
    assert varied[0] == nearest[0]
    assert texts_of(varied)[1] not in {bread, again}


@pytest.fixture(params=["in memory", "SQL"])
def records(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., RecordManager]:
    def make(*, async_mode: bool = False) -> RecordManager:
        if request.param == "in memory":
            manager: RecordManager = InMemoryRecordManager("texts")
        else:
            driver = "sqlite+aiosqlite" if async_mode else "sqlite"
            manager = SQLRecordManager(
                "texts",
                db_url=f"{driver}:///{tmp_path / 'records.sqlite3'}",
                engine_kwargs={"poolclass": NullPool},
                async_mode=async_mode,
            )
        return manager

    return make


def counts(added: int = 0, skipped: int = 0, deleted: int = 0) -> dict[str, int]:
    return {
        "num_added": added,
        "num_updated": 0,
        "num_skipped": skipped,
        "num_deleted": deleted,
    }


# Qdrant and PGVectorStore take UUIDs as ids, which only this encoder makes.
INDEXING: dict[str, Any] = {"cleanup": "full", "key_encoder": "sha1"}


def test_index_embeds_only_what_is_new(
    ways: Ways, records: Callable[..., RecordManager], server: Standin, embeddings: Maker
) -> None:
    """`index` with a record manager: a second run sends nothing, a changed text goes alone."""
    store, manager = ways.empty(embeddings(server, task_type="SEMANTIC_SIMILARITY")), records()
    manager.create_schema()
    server.log.clear()

    first = index(documents_of(MANY), manager, store, **INDEXING)
    sent = len(server.log)
    second = index(documents_of(MANY), manager, store, **INDEXING)
    third = index(documents_of([*MANY[1:], "a new text"]), manager, store, **INDEXING)

    assert first == counts(added=250)
    assert second == counts(skipped=250)
    assert third == counts(added=1, skipped=249, deleted=1)
    assert len(joined(sent_texts(server)[:sent])) == 250
    (text,) = joined(sent_texts(server)[sent:])
    assert text.endswith(": a new text")
    kept = [*SOME[1:], "a new text"]
    assert texts_of(joined(store.similarity_search(text, k=1) for text in kept)) == kept
    assert MANY[0] not in texts_of(store.similarity_search(MANY[0], k=250))


async def test_aindex_embeds_only_what_is_new(
    ways: Ways, records: Callable[..., RecordManager], server: Standin, embeddings: Maker
) -> None:
    """`aindex` the same."""
    store = ways.empty_for_async(embeddings(server, task_type="SEMANTIC_SIMILARITY"))
    manager = records(async_mode=True)
    await manager.acreate_schema()

    first = await aindex(documents_of(MANY), manager, store, **INDEXING)
    sent = len(server.log)
    second = await aindex(documents_of(MANY), manager, store, **INDEXING)
    assert len(server.log) == sent
    third = await aindex(documents_of([*MANY[1:], "a new text"]), manager, store, **INDEXING)

    assert first == counts(added=250)
    assert second == counts(skipped=250)
    assert third == counts(added=1, skipped=249, deleted=1)
    for kept in [*SOME[1:], "a new text"]:
        assert texts_of(await store.asimilarity_search(kept, k=1)) == [kept]
    assert MANY[0] not in texts_of(await store.asimilarity_search(MANY[0], k=250))


def answering(store: VectorStore) -> Runnable[str, str]:
    """Return a whole retrieval chain; its chat model repeats what it was told."""

    def together(documents: list[Document]) -> str:
        return "\n".join(texts_of(documents))

    prompt = ChatPromptTemplate.from_template("Known: {context} Asked: {question}")
    inputs: dict[str, Any] = {
        "context": store.as_retriever(search_kwargs={"k": 1}) | RunnableLambda(together),
        "question": RunnablePassthrough(),
    }
    return inputs | prompt | ParrotFakeChatModel() | StrOutputParser()


async def test_a_chain_answers_from_the_right_text(
    ways: Ways, meaning: Standin, embeddings: Maker
) -> None:
    """Retriever, prompt, chat model, parser: the model is told the right text, however it runs.

    One by one and many at a time, from threads and from a running loop.
    """
    store = ways.from_documents(documents_of(TEXTS), embeddings(meaning))
    async_store = ways.empty_for_async(embeddings(meaning))
    await async_store.aadd_documents(documents_of(TEXTS))
    chain, async_chain = answering(store), answering(async_store)
    questions = list(ANSWERS)
    right = [f"Known: {answer} Asked: {question}" for question, answer in ANSWERS.items()]

    assert chain.invoke(questions[0]) == right[0]
    assert await asyncio.to_thread(chain.batch, questions) == right
    assert await async_chain.ainvoke(questions[0]) == right[0]
    assert await async_chain.abatch(questions) == right
    assert "".join([part async for part in async_chain.astream(questions[1])]) == right[1]


def test_stores_in_files_are_found_again(
    meaning: Standin, embeddings: Maker, tmp_path: Path
) -> None:
    """What a store has written is read back by a new one, without embedding a document again."""
    made, documents, path = embeddings(meaning), documents_of(TEXTS), str(tmp_path / "index")
    InMemoryVectorStore.from_documents(documents, made).dump(path)
    sent = len(meaning.log)

    again = InMemoryVectorStore.load(path, made)

    assert len(meaning.log) == sent
    for question, answer in ANSWERS.items():
        assert texts_of(again.similarity_search(question, k=1)) == [answer]


def test_faiss_in_a_file_is_found_again(
    meaning: Standin, embeddings: Maker, tmp_path: Path
) -> None:
    """FAISS's `save_local` and `load_local` alike."""
    needed("faiss")
    store: Any = needed("langchain_community.vectorstores").FAISS
    made = embeddings(meaning)
    store.from_documents(documents_of(TEXTS), made).save_local(str(tmp_path))
    sent = len(meaning.log)

    again = store.load_local(str(tmp_path), made, allow_dangerous_deserialization=True)

    assert len(meaning.log) == sent
    for question, answer in ANSWERS.items():
        assert texts_of(again.similarity_search(question, k=1)) == [answer]
