"""LlamaIndex's pipeline with several workers, whose embed models share a quota by its file."""

from __future__ import annotations

import sys

from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import Document

from gemini_embed import Quota
from llamaindex_gemini_embed import GeminiEmbedding

if __name__ == "__main__":
    url, path, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    model = GeminiEmbedding(
        api_key="k",
        base_url=url,
        output_dimensionality=128,
        embed_batch_size=7,
        timeout=5,
        quota=Quota(60, period=0.5, path=path),
    )
    documents = [Document(text=f"text number {i}") for i in range(count)]
    nodes = IngestionPipeline(transformations=[model]).run(documents=documents, num_workers=3)
    for node in nodes:
        assert node.embedding is not None
        print(node.get_content(), node.embedding[0])  # noqa: T201 - for the test
