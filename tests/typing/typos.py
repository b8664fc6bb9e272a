# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""Mistakes as users make them: type checkers refuse each, or the comment beside it is too much.

Nobody runs this.
"""

from __future__ import annotations

from gemini_embed import GeminiEmbedder
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

GeminiEmbedder(deadlin=3)  # type: ignore[call-arg]
GeminiEmbeddings(deadlin=3)  # type: ignore[call-arg]
GeminiEmbedding(deadlin=3)  # type: ignore[call-arg]
GeminiEmbedding("m", deadlin=3)  # type: ignore[call-arg]

GeminiEmbedder(on_blank="placehodler")  # type: ignore[arg-type]
GeminiEmbeddings(on_blank="placehodler")  # type: ignore[arg-type]
GeminiEmbedding(on_blank="placehodler")  # type: ignore[arg-type]

GeminiEmbedder(timeout="5")  # type: ignore[arg-type]
GeminiEmbeddings(timeout="5")  # type: ignore[arg-type]
GeminiEmbedding(timeout="5")  # type: ignore[arg-type]

GeminiEmbedder(api_key=5)  # type: ignore[arg-type]
GeminiEmbeddings(api_key=5)  # type: ignore[arg-type]
GeminiEmbeddings(google_api_key=5)  # type: ignore[arg-type]
GeminiEmbedding(api_key=5)  # type: ignore[arg-type]

GeminiEmbedder(credentials=5)  # type: ignore[arg-type]
GeminiEmbeddings(credentials=5)  # type: ignore[arg-type]
GeminiEmbedding(credentials=5)  # type: ignore[arg-type]

GeminiEmbedder(additional_headers={"a": 1})  # type: ignore[dict-item]
GeminiEmbeddings(additional_headers={"a": 1})  # type: ignore[dict-item]
GeminiEmbedding(additional_headers={"a": 1})  # type: ignore[dict-item]

# A name of the other framework.
GeminiEmbeddings(model_name="m")  # type: ignore[call-arg]
GeminiEmbedding(google_api_key="k")  # type: ignore[call-arg]
GeminiEmbedding(dimensions=768)  # type: ignore[call-arg]

GeminiEmbedder().embed(["a"])  # type: ignore[call-arg]
GeminiEmbedder().embed(["a"], role="qeury")  # type: ignore[arg-type]
GeminiEmbedder().embed(["a"], role="query", title="t")  # type: ignore[call-arg]
GeminiEmbeddings().embed_documents(["a"], title=["t"])  # type: ignore[call-arg]


async def call() -> None:
    """Mistakes in async calls, whose options are listed elsewhere."""
    await GeminiEmbedder().aembed(["a"])  # type: ignore[call-arg]
    await GeminiEmbedder().aembed(["a"], role="qeury")  # type: ignore[arg-type]
    await GeminiEmbedder().aembed(["a"], role="query", title="t")  # type: ignore[call-arg]
    await GeminiEmbeddings().aembed_documents(["a"], title=["t"])  # type: ignore[call-arg]
    await GeminiEmbeddings().aembed_query("a", titles=["t"])  # type: ignore[call-arg]
