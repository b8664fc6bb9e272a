"""Texts in, vectors out, with each framework: what three of the examples need of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from examples.service import DIMENSIONS, MODEL
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

Embed = Callable[[Sequence[str], str, Mapping[str, Any]], NDArray[np.float64]]
"""Texts, a task type, and how to reach the service."""


def embed_with_langchain(
    texts: Sequence[str], task_type: str, options: Mapping[str, Any]
) -> NDArray[np.float64]:
    """Return a row for each text."""
    embeddings = GeminiEmbeddings(
        model=MODEL, output_dimensionality=DIMENSIONS, task_type=task_type, **options
    )
    return np.array(embeddings.embed_documents(list(texts)))


def embed_with_llamaindex(
    texts: Sequence[str], task_type: str, options: Mapping[str, Any]
) -> NDArray[np.float64]:
    """Return a row for each text."""
    embed_model = GeminiEmbedding(
        model_name=MODEL, output_dimensionality=DIMENSIONS, task_type=task_type, **options
    )
    return np.array(embed_model.get_text_embedding_batch(list(texts)))


FRAMEWORKS: Mapping[str, Embed] = {
    "LangChain": embed_with_langchain,
    "LlamaIndex": embed_with_llamaindex,
}
