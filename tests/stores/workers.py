"""Run ingestion pipelines with two workers, and print what each node's vector became.

A program of its own, as a user's is: the workers of `run` are new processes, those of `arun` are
forked where that is the platform's way, here from a process that has embedded already.
"""

from __future__ import annotations

import asyncio
import json
import sys

from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import Document

from llamaindex_gemini_embed import GeminiEmbedding


def main(url: str, dimension: int, count: int) -> None:
    """Embed `count` documents both ways."""
    model = GeminiEmbedding(api_key="a-key", base_url=url, output_dimensionality=dimension)
    model.get_query_embedding("before any worker")

    def pipeline() -> IngestionPipeline:
        return IngestionPipeline(transformations=[SentenceSplitter(), model])

    documents = [Document(text=f"text number {i}") for i in range(count)]
    done = {
        "run": pipeline().run(documents=documents, num_workers=2),
        "arun": asyncio.run(pipeline().arun(documents=documents, num_workers=2)),
    }
    json.dump(
        {way: [[node.get_content(), node.embedding] for node in done[way]] for way in done},
        sys.stdout,
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
