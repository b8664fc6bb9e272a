"""Ask Python's standard library ten questions, through LangChain and through LlamaIndex.

Run it from the top of the repository with `make demo`, or `python -m examples.demo`. With a key in
GOOGLE_API_KEY or GEMINI_API_KEY it talks to Google; without one it starts the local stand-in.
Where the official integrations are installed, they get the same corpus from a stand-in of theirs.
Exits with 1 when either framework finds fewer than eight right passages in its top three.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from http import HTTPStatus
from typing import Any, NamedTuple

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import FakeListChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableParallel, RunnablePassthrough, chain
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.llms import MockLLM
from llama_index.core.schema import TextNode

from examples.corpus import Passage, passages
from examples.official import Make, official
from examples.questions import QUESTIONS, Question
from examples.service import DIMENSIONS, MODEL, announce, connect, key_of_user
from gemini_embed import GeminiEmbedder
from gemini_embed.standin import Exchange
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

TOP = 3
NEEDED = 8
OFFICIAL = "official class"


class Found(NamedTuple):
    """A passage that a framework found, and how near to the question it is."""

    name: str
    score: float


Search = Callable[[str], list[Found]]
Index = Callable[[Sequence[Passage], Any], Search]
"""From a corpus, and an object that embeds."""


class Framework(NamedTuple):
    """How to embed with a framework, and to search with what it has."""

    ours: Make
    put_into_index: Index


class Result(NamedTuple):
    """What one class did, and how well."""

    name: str
    requests: int | None
    seconds: float
    in_top: int
    at_top: int
    cost: Decimal | None


def our_langchain(options: Mapping[str, Any]) -> GeminiEmbeddings:
    """Return LangChain's object of this project."""
    return GeminiEmbeddings(
        model=MODEL, output_dimensionality=DIMENSIONS, show_progress=True, **options
    )


def our_llamaindex(options: Mapping[str, Any]) -> GeminiEmbedding:
    """Return LlamaIndex's object of this project."""
    return GeminiEmbedding(model_name=MODEL, output_dimensionality=DIMENSIONS, **options)


def index_with_langchain(corpus: Sequence[Passage], embeddings: Embeddings) -> Search:
    """Put the corpus into a vector store, and a chain in front of it."""
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


def index_with_llamaindex(corpus: Sequence[Passage], embed_model: BaseEmbedding) -> Search:
    """Put the corpus into a vector store index, and a query engine in front of it."""
    nodes = [TextNode(id_=name, text=text) for name, text in corpus]
    index = VectorStoreIndex(nodes, embed_model=embed_model, show_progress=True)
    engine = index.as_query_engine(llm=MockLLM(), similarity_top_k=TOP)

    def search(question: str) -> list[Found]:
        response = engine.query(question)
        return [Found(source.node.node_id, source.get_score()) for source in response.source_nodes]

    return search


FRAMEWORKS = {
    "LangChain": Framework(our_langchain, index_with_langchain),
    "LlamaIndex": Framework(our_llamaindex, index_with_llamaindex),
}


def run(name: str, corpus: Sequence[Passage], key: str | None) -> Result:
    """Index the corpus with one framework, ask it every question, and print what it finds."""
    print(f"\n{name}", flush=True)
    framework = FRAMEWORKS[name]
    return measure(name, framework.ours, framework.put_into_index, corpus, key=key, tell=print)


def run_official(name: str, make: Make, corpus: Sequence[Passage]) -> list[Result]:
    """Let the official class of a framework do the same, never with a key; nothing if it fails."""
    print(f"\n{name}, {OFFICIAL}", flush=True)
    index = FRAMEWORKS[name].put_into_index
    try:
        return [measure(OFFICIAL, make, index, corpus, key=None, tell=lambda _line: None)]
    except Exception as error:  # noqa: BLE001 - whatever it is, the demo is of ours
        print(f"  failed: {type(error).__name__}: {error}")
        return []


def measure(
    name: str,
    make: Make,
    index: Index,
    corpus: Sequence[Passage],
    *,
    key: str | None,
    tell: Callable[[str], None],
) -> Result:
    """Do what the demo is about with one object that embeds."""
    ranks = []
    # A stand-in of its own for each: it remembers texts, and the second would seem fast.
    with connect(key) as service:
        embeds = make(service.options)
        started = time.perf_counter()
        search = index(corpus, embeds)
        for number, question in enumerate(QUESTIONS, start=1):
            found = search(question.text)
            ranks.append(rank_of_answer(question, found))
            tell(f"{number:3}. {question.text}\n     {describe(found, ranks[-1])}")
        seconds = time.perf_counter() - started
        log = service.standin.log if service.standin else None
    return Result(
        name,
        requests=None if log is None else len(log),
        seconds=seconds,
        in_top=sum(rank is not None for rank in ranks),
        at_top=sum(rank == 1 for rank in ranks),
        cost=embeds.usage.cost()
        if isinstance(embeds, GeminiEmbeddings | GeminiEmbedding)
        else price(log or ()),
    )


def price(log: Sequence[Exchange]) -> Decimal | None:
    """Return what Google asks for the texts that were answered: not every class tells it."""
    answered = [exchange for exchange in log if exchange.status == HTTPStatus.OK]
    sent = [text for exchange in answered for text in texts(exchange)]
    embedder = GeminiEmbedder(model=MODEL, api_key="any", task_prefix=False)
    return embedder.estimate(sent, role="document").cost


def texts(exchange: Exchange) -> list[str]:
    """Return the texts of a request, one or many."""
    requests = exchange.body.get("requests", [exchange.body])
    return [part["text"] for one in requests for part in one["content"]["parts"]]


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


def screen(results: Mapping[str, Sequence[Result]], key: str | None) -> str:
    """Return what is to be seen at the end: a line for each class, and what it means."""
    width = len(OFFICIAL) + 2
    lines = [f"{'':{width}}  right in top 3  right at the top  requests  seconds     cost"]
    for ours, *others in results.values():
        lines.append(f"{ours.name:{width}}{figures(ours)}")
        lines += [f"  {other.name:{width - 2}}{figures(other)}" for other in others]
    return "\n".join([*lines, "", *notes(results, key)])


def figures(result: Result) -> str:
    """Return the numbers of a line."""
    in_top, at_top = (f"{n} of {len(QUESTIONS)}" for n in (result.in_top, result.at_top))
    requests = "?" if result.requests is None else result.requests
    cost = "unknown" if result.cost is None else f"${result.cost:.4f}"
    return f"  {in_top:>14}  {at_top:>16}  {requests:>8}  {result.seconds:>7.1f}  {cost:>7}"


def notes(results: Mapping[str, Sequence[Result]], key: str | None) -> list[str]:
    """Return what one should know to read the figures."""
    said = [f"The cost is Google's price for {MODEL}, where the key is not free."]
    if key:
        return [*said, "The official integrations were left out: they would use your quota again."]
    said.append("Most of the time is the local model's. Google's depends on your quota.")
    if any(len(of_framework) > 1 for of_framework in results.values()):
        said.append("The official classes name this model no task, which a prefix would; the local")
        said.append("model, which knows no tasks, ranks about as well without.")
    if missing := [name for name in FRAMEWORKS if name not in official()]:
        said.append(f"Not installed: the official class of {' and of '.join(missing)}.")
        said.append("To see both: make demo VARIANT=peers SDK=2.34.0")
    return said


def main() -> int:
    """Run the demo, and return its exit code."""
    corpus = passages()
    key = key_of_user()
    print(f"{len(corpus)} passages: what Python's standard library says about its own functions.")
    announce(key, [passage.text for passage in corpus], [one.text for one in QUESTIONS])
    results = {name: [run(name, corpus, key)] for name in FRAMEWORKS}
    for name, make in ({} if key else official()).items():
        results[name] += run_official(name, make, corpus)
    print(f"\n{screen(results, key)}")
    return 0 if all(ours.in_top >= NEEDED for ours, *_ in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
