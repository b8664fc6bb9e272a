"""Ask Python's standard library ten questions, through LangChain and through LlamaIndex.

Run it from the top of the repository with `make demo`, or `python -m examples.demo`. With a key in
GOOGLE_API_KEY or GEMINI_API_KEY it talks to Google; without one it starts the local stand-in.
Exits with 1 when either framework finds fewer than eight right passages in its top three.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from langchain_core.documents import Document
from langchain_core.language_models import FakeListChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableParallel, RunnablePassthrough, chain
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import VectorStoreIndex
from llama_index.core.llms import MockLLM
from llama_index.core.schema import TextNode

from examples.corpus import Passage, passages
from examples.questions import QUESTIONS, Question
from examples.service import DIMENSIONS, MODEL, announce, connect, key_of_user
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

TOP = 3
NEEDED = 8


class Found(NamedTuple):
    """A passage that a framework found, and how near to the question it is."""

    name: str
    score: float


Search = Callable[[str], list[Found]]
Index = Callable[[Sequence[Passage], Mapping[str, Any]], Search]


class Result(NamedTuple):
    """What one framework did, and how well."""

    framework: str
    texts: int
    requests: int | None
    seconds: float
    in_top: int
    at_top: int


def index_with_langchain(corpus: Sequence[Passage], options: Mapping[str, Any]) -> Search:
    """Put the corpus into a vector store, and a chain in front of it."""
    embeddings = GeminiEmbeddings(
        model=MODEL, output_dimensionality=DIMENSIONS, show_progress=True, **options
    )
    store = InMemoryVectorStore(embeddings)
    store.add_documents([Document(id=name, page_content=text) for name, text in corpus])

    @chain
    def retriever(question: str) -> list[Document]:
        scored = store.similarity_search_with_score(question, k=TOP)
        return [
            Document(id=passage.id, page_content=passage.page_content, metadata={"score": score})
            for passage, score in scored
        ]

    @chain
    def context(inputs: dict[str, Any]) -> dict[str, str]:
        texts = [passage.page_content for passage in inputs["passages"]]
        return {"question": inputs["question"], "context": "\n\n".join(texts)}

    prompt = ChatPromptTemplate.from_template("{context}\n\nFrom this, answer: {question}")
    model = FakeListChatModel(responses=["A chat model's answer would stand here."])
    rag = RunnableParallel(
        passages=retriever, question=RunnablePassthrough()
    ) | RunnablePassthrough.assign(answer=context | prompt | model | StrOutputParser())

    def search(question: str) -> list[Found]:
        used = rag.invoke(question)["passages"]
        return [Found(passage.id, passage.metadata["score"]) for passage in used]

    return search


def index_with_llamaindex(corpus: Sequence[Passage], options: Mapping[str, Any]) -> Search:
    """Put the corpus into a vector store index, and a query engine in front of it."""
    embed_model = GeminiEmbedding(model_name=MODEL, output_dimensionality=DIMENSIONS, **options)
    nodes = [TextNode(id_=name, text=text) for name, text in corpus]
    index = VectorStoreIndex(nodes, embed_model=embed_model, show_progress=True)
    engine = index.as_query_engine(llm=MockLLM(), similarity_top_k=TOP)

    def search(question: str) -> list[Found]:
        response = engine.query(question)
        return [Found(source.node.node_id, source.get_score()) for source in response.source_nodes]

    return search


FRAMEWORKS = {"LangChain": index_with_langchain, "LlamaIndex": index_with_llamaindex}


def run(framework: str, index: Index, corpus: Sequence[Passage], key: str | None) -> Result:
    """Index the corpus with one framework, and ask it every question."""
    print(f"\n{framework}", flush=True)
    ranks = []
    # A stand-in of its own for each framework: it remembers texts, and the second would seem fast.
    with connect(key) as service:
        started = time.perf_counter()
        search = index(corpus, service.options)
        for number, question in enumerate(QUESTIONS, start=1):
            found = search(question.text)
            ranks.append(rank_of_answer(question, found))
            print(f"{number:3}. {question.text}\n     {describe(found, ranks[-1])}", flush=True)
        seconds = time.perf_counter() - started
        requests = len(service.standin.log) if service.standin else None
    return Result(
        framework,
        texts=len(corpus) + len(QUESTIONS),
        requests=requests,
        seconds=seconds,
        in_top=sum(rank is not None for rank in ranks),
        at_top=sum(rank == 1 for rank in ranks),
    )


def rank_of_answer(question: Question, found: Sequence[Found]) -> int | None:
    """Return the place of the first right passage, from 1, or None when there is none."""
    places = (place for place, hit in enumerate(found, start=1) if hit.name in question.answers)
    return next(places, None)


def describe(found: Sequence[Found], rank: int | None) -> str:
    """Return the passage at the top with its score, and where the right one is."""
    verdict = "right" if rank == 1 else f"wrong, and so are the other {TOP - 1}"
    if rank is not None and rank > 1:
        right = found[rank - 1]
        verdict = f"number {rank} is right: {right.name} {right.score:.3f}"
    return f"{found[0].name:<28} {found[0].score:.3f}  {verdict}"


def print_results(results: Sequence[Result]) -> None:
    """Print one line of figures for each framework."""
    print("\n            texts     requests  seconds  right in top 3  right at the top")
    for result in results:
        requests = "not counted" if result.requests is None else result.requests
        in_top, at_top = (f"{n} of {len(QUESTIONS)}" for n in (result.in_top, result.at_top))
        print(
            f"{result.framework:<10} {result.texts:>6} {requests:>12} {result.seconds:>8.1f}"
            f" {in_top:>15} {at_top:>17}"
        )


def main() -> int:
    """Run the demo, and return its exit code."""
    corpus = passages()
    key = key_of_user()
    print(f"{len(corpus)} passages: what Python's standard library says about its own functions.")
    announce(key, [passage.text for passage in corpus], [one.text for one in QUESTIONS])
    results = [run(framework, index, corpus, key) for framework, index in FRAMEWORKS.items()]
    print_results(results)
    return 0 if all(result.in_top >= NEEDED for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
