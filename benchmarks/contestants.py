"""Everything that is compared, under one face. Runs in both environments; imports when asked."""

from __future__ import annotations

import asyncio
import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from benchmarks.texts import BATCH, MODEL, TASK_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_KEY = "any"  # the stand-in accepts every key


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a contestant is built.

    Attributes:
        base_url: The stand-in's.
        dimension: Numbers per vector; None for the model's own.
        concurrency: Requests at once; None for the contestant's own default.
        options: Further constructor options; for our own contestants only.
    """

    base_url: str
    dimension: int | None = None
    concurrency: int | None = None
    options: dict[str, Any] = field(default_factory=dict)


class Contestant(Protocol):
    """What is timed. The bare SDK has no sync side: a careful user drives it async."""

    def documents(self, texts: list[str]) -> Any:
        """Return one vector per text."""

    async def adocuments(self, texts: list[str]) -> Any:
        """Return one vector per text."""

    def query(self, text: str) -> Any:
        """Return the vector of a query."""

    async def aquery(self, text: str) -> Any:
        """Return the vector of a query."""


class BareSdk:
    """The SDK alone, as a careful user drives it: plain dicts, a semaphore, values kept only."""

    def __init__(self, genai: Any, settings: Settings) -> None:
        self._client = genai.Client(
            vertexai=False,
            api_key=_KEY,
            http_options={"base_url": settings.base_url, "retry_options": {"attempts": 1}},
        )
        self._concurrency = settings.concurrency or 8
        self._config: dict[str, Any] = {"task_type": TASK_TYPE}
        if settings.dimension is not None:
            self._config["output_dimensionality"] = settings.dimension

    def documents(self, texts: list[str]) -> Any:
        """Not compared."""
        raise NotImplementedError

    async def adocuments(self, texts: list[str]) -> Any:
        """Send 100 texts a call, at most so many calls at once."""
        slots = asyncio.Semaphore(self._concurrency)

        async def one(batch: list[str]) -> list[Any]:
            async with slots:
                return await self._send(batch, self._config)

        batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
        blocks = await asyncio.gather(*map(one, batches))
        return [vector for block in blocks for vector in block]

    def query(self, text: str) -> Any:
        """Not compared."""
        raise NotImplementedError

    async def aquery(self, text: str) -> Any:
        """Send one text."""
        return (await self._send([text], self._config | {"task_type": "RETRIEVAL_QUERY"}))[0]

    async def _send(self, batch: list[str], config: dict[str, Any]) -> list[Any]:
        response = await self._client.aio.models.embed_content(
            model=MODEL,
            contents=[{"parts": [{"text": text}]} for text in batch],
            config=config,
        )
        return [embedding.values for embedding in response.embeddings]


class LangChain:
    """Anything with LangChain's `Embeddings` interface."""

    def __init__(self, embeddings: Any) -> None:
        self._embeddings = embeddings

    def documents(self, texts: list[str]) -> Any:
        """Call `embed_documents`."""
        return self._embeddings.embed_documents(texts)

    async def adocuments(self, texts: list[str]) -> Any:
        """Call `aembed_documents`."""
        return await self._embeddings.aembed_documents(texts)

    def query(self, text: str) -> Any:
        """Call `embed_query`."""
        return self._embeddings.embed_query(text)

    async def aquery(self, text: str) -> Any:
        """Call `aembed_query`."""
        return await self._embeddings.aembed_query(text)


class LlamaIndex:
    """Anything with LlamaIndex's `BaseEmbedding` interface."""

    def __init__(self, embed_model: Any) -> None:
        self._model = embed_model

    def documents(self, texts: list[str]) -> Any:
        """Call `get_text_embedding_batch`."""
        return self._model.get_text_embedding_batch(texts)

    async def adocuments(self, texts: list[str]) -> Any:
        """Call `aget_text_embedding_batch`."""
        return await self._model.aget_text_embedding_batch(texts)

    def query(self, text: str) -> Any:
        """Call `get_query_embedding`."""
        return self._model.get_query_embedding(text)

    async def aquery(self, text: str) -> Any:
        """Call `aget_query_embedding`."""
        return await self._model.aget_query_embedding(text)


class Core:
    """`GeminiEmbedder` without a framework; its vectors stay one numpy array."""

    def __init__(self, embedder: Any) -> None:
        self._embedder = embedder

    def documents(self, texts: list[str]) -> Any:
        """Call `embed`."""
        return self._embedder.embed(texts, role="document").vectors

    async def adocuments(self, texts: list[str]) -> Any:
        """Call `aembed`."""
        return (await self._embedder.aembed(texts, role="document")).vectors

    def query(self, text: str) -> Any:
        """Call `embed` for one query."""
        return self._embedder.embed([text], role="query").vectors[0]

    async def aquery(self, text: str) -> Any:
        """Call `aembed` for one query."""
        return (await self._embedder.aembed([text], role="query")).vectors[0]


@dataclass(frozen=True)
class Passed:
    """Vectors that came and went: nothing of them is kept."""

    count: int
    nbytes = 0

    def __len__(self) -> int:
        return self.count


class Stream(Core):
    """`embed_stream`, whose blocks are let go as they come."""

    def documents(self, texts: Iterable[str]) -> Passed:
        """Read all blocks."""
        blocks = self._embedder.embed_stream(texts, role="document")
        return Passed(sum(len(block.vectors) for block in blocks))


def load(kind: str) -> Callable[[Settings], Contestant]:
    """Import what a contestant needs, and return what builds it.

    Raises:
        KeyError: Unknown kind.
    """
    return _LOADERS[kind]()


def _bare() -> Callable[[Settings], Contestant]:
    genai = importlib.import_module("google.genai")
    return lambda settings: BareSdk(genai, settings)


def _langchain_official() -> Callable[[Settings], Contestant]:
    made = importlib.import_module("langchain_google_genai").GoogleGenerativeAIEmbeddings

    def build(settings: Settings) -> Contestant:
        return LangChain(
            made(
                model=MODEL,
                api_key=_KEY,
                base_url=settings.base_url,
                output_dimensionality=settings.dimension,
            )
        )

    return build


def _llamaindex_official() -> Callable[[Settings], Contestant]:
    made = importlib.import_module("llama_index.embeddings.google_genai").GoogleGenAIEmbedding

    def build(settings: Settings) -> Contestant:
        size = settings.dimension
        return LlamaIndex(
            made(
                model_name=MODEL,
                api_key=_KEY,
                http_options={"base_url": settings.base_url},
                embed_batch_size=BATCH,  # its default is 10, which would be unfair to it
                embedding_config=None if size is None else {"output_dimensionality": size},
            )
        )

    return build


def _own_options(settings: Settings) -> dict[str, Any]:
    options = {
        "api_key": _KEY,
        "base_url": settings.base_url,
        "output_dimensionality": settings.dimension,
        **settings.options,
    }
    if settings.concurrency is not None:
        options["max_concurrency"] = settings.concurrency
    return options


def _core(kind: type[Core] = Core) -> Callable[[Settings], Contestant]:
    made = importlib.import_module("gemini_embed").GeminiEmbedder
    return lambda settings: kind(made(model=MODEL, **_own_options(settings)))


def _langchain() -> Callable[[Settings], Contestant]:
    made = importlib.import_module("langchain_gemini_embed").GeminiEmbeddings
    return lambda settings: LangChain(made(model=MODEL, **_own_options(settings)))


def _llamaindex() -> Callable[[Settings], Contestant]:
    made = importlib.import_module("llamaindex_gemini_embed").GeminiEmbedding
    return lambda settings: LlamaIndex(made(model_name=MODEL, **_own_options(settings)))


_LOADERS = {
    "bare": _bare,
    "bare-2": _bare,
    "langchain-official": _langchain_official,
    "llamaindex-official": _llamaindex_official,
    "core": _core,
    "stream": lambda: _core(Stream),
    "langchain": _langchain,
    "llamaindex": _llamaindex,
}
