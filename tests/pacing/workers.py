"""Processes that share one quota by its file: what they run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from gemini_embed import GeminiEmbedder, Quota

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

LIMIT, PERIOD, DIMENSION = 60, 0.5, 128


def made(url: str, path: str) -> GeminiEmbedder:
    """Return an embedder whose quota others share."""
    return GeminiEmbedder(
        api_key="k",
        base_url=url,
        output_dimensionality=DIMENSION,
        batch_size=7,
        timeout=5,
        quota=Quota(LIMIT, period=PERIOD, path=path),
    )


def texts_of(number: int) -> list[str]:
    return [f"text {i} of process {number}" for i in range(40)]


def embedded(embedder: GeminiEmbedder, number: int) -> NDArray[float32]:
    """Embed the texts of one process; a function that every start method can find."""
    embedder.embed([f"a query of process {number}"], role="query")
    return embedder.embed(texts_of(number), role="document").vectors


if __name__ == "__main__":  # until it is killed
    forever = made(sys.argv[1], sys.argv[2])
    while True:
        forever.embed(texts_of(0), role="document")
