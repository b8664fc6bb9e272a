"""Recommendation: from what readers have looked up, what to read next, and not all of one kind.

Run it from the top of the repository with `python -m examples.recommendation`. Each reader has
looked up three texts of two chapters of Python's documentation. What is recommended should be of
these chapters, and of both: the nearest alone tend to be all of one kind. Exits with 1 where that
is no better than guessing.
"""

import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import SimpleVectorStore, VectorStoreQuery
from llama_index.core.vector_stores.types import VectorStoreQueryMode

from examples.chapters import CHAPTERS, Entry, entries
from examples.service import DIMENSIONS, MODEL, announce, connect, key_of_user
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

TASK = "SEMANTIC_SIMILARITY"  # Google names it for recommendation, too
LOOKED_UP = 3  # of each chapter
RECOMMENDED = 8
CANDIDATES = 40
DIVERSITY = 0.3  # 0: the nearest, whatever they have in common
NEEDED = 0.6  # guessing gets a quarter: two chapters of eight

Recommend = Callable[[Sequence[str], float], list[str]]
"""From the names that were looked up, and how much diversity is wanted, to names."""
Store = Callable[[Sequence[Entry], Mapping[str, Any]], Recommend]


class Scores(NamedTuple):
    """Means over all readers."""

    wanted: float  # the share that is of the reader's chapters
    both: float  # the share of readers who got something of both chapters


def store_with_langchain(corpus: Sequence[Entry], options: Mapping[str, Any]) -> Recommend:
    """Put the corpus into a vector store, and search it by the mean of what was looked up."""
    store = InMemoryVectorStore(
        GeminiEmbeddings(model=MODEL, output_dimensionality=DIMENSIONS, task_type=TASK, **options)
    )
    store.add_documents([Document(entry.text, id=entry.name) for entry in corpus])

    def recommend(looked_up: Sequence[str], diversity: float) -> list[str]:
        mean = np.mean([store.store[name]["vector"] for name in looked_up], axis=0)
        found = store.max_marginal_relevance_search_by_vector(
            mean.tolist(),
            k=RECOMMENDED,
            fetch_k=CANDIDATES,
            lambda_mult=1 - diversity,
            filter=lambda document: document.id not in looked_up,
        )
        return [document.id or "" for document in found]

    return recommend


def store_with_llamaindex(corpus: Sequence[Entry], options: Mapping[str, Any]) -> Recommend:
    """Put the corpus into an index, and search its store by the mean of what was looked up."""
    embed_model = GeminiEmbedding(
        model_name=MODEL, output_dimensionality=DIMENSIONS, task_type=TASK, **options
    )
    nodes = [TextNode(id_=entry.name, text=entry.text) for entry in corpus]
    store = SimpleVectorStore()
    VectorStoreIndex(
        nodes,
        storage_context=StorageContext.from_defaults(vector_store=store),
        embed_model=embed_model,
    )

    def ids(mean: list[float], among: Sequence[str], count: int, **how: Any) -> list[str]:
        query = VectorStoreQuery(mean, similarity_top_k=count, node_ids=list(among))
        if how:
            query.mode = VectorStoreQueryMode.MMR
        return store.query(query, **how).ids or []

    def recommend(looked_up: Sequence[str], diversity: float) -> list[str]:
        mean = np.mean([store.get(name) for name in looked_up], axis=0).tolist()
        others = [entry.name for entry in corpus if entry.name not in looked_up]
        nearest = ids(mean, others, CANDIDATES)
        return ids(mean, nearest, RECOMMENDED, mmr_threshold=1 - diversity)

    return recommend


STORES: Mapping[str, Store] = {
    "LangChain": store_with_langchain,
    "LlamaIndex": store_with_llamaindex,
}


def readers(corpus: Sequence[Entry]) -> list[tuple[set[str], list[str]]]:
    """Return a reader for each two chapters: these, and the names of what was looked up."""
    first = {
        chapter: [entry.name for entry in corpus if entry.chapter == chapter][:LOOKED_UP]
        for chapter in CHAPTERS
    }
    return [
        ({one, other}, first[one] + first[other])
        for one, other in itertools.combinations(CHAPTERS, 2)
    ]


def judge(recommend: Recommend, corpus: Sequence[Entry], diversity: float) -> Scores:
    """Recommend something to each reader, and see whether it is what they are about."""
    chapter_of = {entry.name: entry.chapter for entry in corpus}
    found = [
        (wanted, [chapter_of[name] for name in recommend(looked_up, diversity)])
        for wanted, looked_up in readers(corpus)
    ]
    return Scores(
        float(np.mean([chapter in wanted for wanted, chapters in found for chapter in chapters])),
        float(np.mean([wanted <= set(chapters) for wanted, chapters in found])),
    )


def main() -> int:
    """Run the example, and return its exit code."""
    corpus = entries()
    print(f"{len(corpus)} docstrings, {len(readers(corpus))} readers, {RECOMMENDED} for each.")
    key = key_of_user()
    announce(key, [entry.text for entry in corpus])
    worst = 1.0
    with connect(key) as service:
        for framework, store in STORES.items():
            recommend = store(corpus, service.options)
            print(f"\n{framework}: of the reader's chapters; readers who get something of both")
            for diversity, label in ((0.0, "the nearest"), (DIVERSITY, "with diversity")):
                scores = judge(recommend, corpus, diversity)
                worst = min(worst, scores.wanted)
                print(f"  {label:<16} {scores.wanted:6.1%} {scores.both:6.1%}")
            _, looked_up = readers(corpus)[0]
            print("  Who looked up", *looked_up, sep="\n    ")
            print("  gets", *recommend(looked_up, DIVERSITY), sep="\n    ")
    return int(worst < NEEDED)


if __name__ == "__main__":
    sys.exit(main())
