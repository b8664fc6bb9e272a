"""RAG: answer questions from the Python Language Reference, and show the sources.

Run it from the top of the repository with `python -m examples.rag`. In place of a chat model stands
one that says nothing of its own: put yours there. Exits with 1 where the passages found are no
better than guessing.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from langchain_core.documents import Document
from langchain_core.language_models import FakeListChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableParallel, RunnablePassthrough
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import VectorStoreIndex
from llama_index.core.llms import MockLLM
from llama_index.core.schema import TextNode

from examples.documentation import QUESTIONS, Chunk, chunks
from examples.service import DIMENSIONS, MODEL, announce, connect, key_of_user
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

TOP = 3
NEEDED = 0.5  # guessing three chunks gets about one in seven
TASK = "RETRIEVAL_DOCUMENT"  # of the index; what is asked becomes a query by itself


class Answer(NamedTuple):
    """What a chat model made of the sources, and which topics these are of, best first."""

    text: str
    topics: list[str]


Ask = Callable[[str], Answer]
Index = Callable[[Sequence[Chunk], Mapping[str, Any]], Ask]


def index_with_langchain(corpus: Sequence[Chunk], options: Mapping[str, Any]) -> Ask:
    """Put the corpus into a vector store, and a chain in front of it."""
    embeddings = GeminiEmbeddings(
        model=MODEL, output_dimensionality=DIMENSIONS, task_type=TASK, **options
    )
    store = InMemoryVectorStore(embeddings)
    store.add_documents(
        [
            Document(f"{chunk.title}\n{chunk.text}", id=chunk.id, metadata={"topic": chunk.topic})
            for chunk in corpus
        ]
    )
    retriever = store.as_retriever(search_kwargs={"k": TOP})
    prompt = ChatPromptTemplate.from_template("{sources}\n\nFrom this, answer: {question}")
    model = FakeListChatModel(responses=["A chat model's answer would stand here."])
    chain = RunnableParallel(
        sources=retriever, question=RunnablePassthrough()
    ) | RunnablePassthrough.assign(answer=prompt | model | StrOutputParser())

    def ask(question: str) -> Answer:
        said = chain.invoke(question)
        return Answer(said["answer"], [source.metadata["topic"] for source in said["sources"]])

    return ask


def index_with_llamaindex(corpus: Sequence[Chunk], options: Mapping[str, Any]) -> Ask:
    """Put the corpus into a vector store index, and a query engine in front of it."""
    embed_model = GeminiEmbedding(
        model_name=MODEL, output_dimensionality=DIMENSIONS, task_type=TASK, **options
    )
    nodes = [
        TextNode(id_=chunk.id, text=f"{chunk.title}\n{chunk.text}", metadata={"topic": chunk.topic})
        for chunk in corpus
    ]
    for node in nodes:
        node.excluded_embed_metadata_keys = ["topic"]
    index = VectorStoreIndex(nodes, embed_model=embed_model)
    engine = index.as_query_engine(llm=MockLLM(max_tokens=12), similarity_top_k=TOP)

    def ask(question: str) -> Answer:
        said = engine.query(question)
        return Answer(str(said), [source.node.metadata["topic"] for source in said.source_nodes])

    return ask


INDEXES: Mapping[str, Index] = {
    "LangChain": index_with_langchain,
    "LlamaIndex": index_with_llamaindex,
}


def run(index: Index, corpus: Sequence[Chunk], options: Mapping[str, Any]) -> float:
    """Ask every question, print the sources of its answer, and return the share of right ones."""
    ask = index(corpus, options)
    right = 0
    for question, answers in QUESTIONS.items():
        found = ask(question).topics
        right += not answers.isdisjoint(found)
        mark = " " if answers.isdisjoint(found) else "+"
        print(f"  {mark} {question}\n      from {', '.join(found)}")
    return right / len(QUESTIONS)


def main() -> int:
    """Run the example, and return its exit code."""
    corpus = chunks()
    print(f"{len(corpus)} chunks of the Python Language Reference, {len(QUESTIONS)} questions.")
    key = key_of_user()
    announce(key, [chunk.text for chunk in corpus], list(QUESTIONS))
    shares: dict[str, float] = {}
    with connect(key) as service:
        for framework, index in INDEXES.items():
            print(f"\n{framework} (+: a right source is among the first {TOP})")
            shares[framework] = run(index, corpus, service.options)
    for framework, share in shares.items():
        print(f"\n{framework}: {share:.0%} of the questions have a right source in the first {TOP}")
    return int(min(shares.values()) < NEEDED)


if __name__ == "__main__":
    sys.exit(main())
