"""Batches on Vertex AI: a small Google Cloud, and an embedder whose hours pass in moments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from service.cloud import vector
from service.vertex import credentials

from gemini_embed import GeminiEmbedder
from gemini_embed.batch.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from service.cloud import Cloud

TEXTS = [f"text number {number}" for number in range(12)]
SENT = [f"title: none | text: {text}" for text in TEXTS]
BUCKET = "gs://my-bucket/some/prefix"
SPEED = 20_000.0


def embedder(google: Cloud, folder: Path, **options: Any) -> GeminiEmbedder:
    given: dict[str, Any] = {
        "vertexai": True,
        "project": "p",
        "location": "us",
        "credentials": credentials(),
        "base_url": google.url,
        "cache": folder / "v.sqlite3",
        "output_dimensionality": 128,
        "bucket": BUCKET,
        "batch_fallback": "error",
        "batch_settle": 60.0,
        "timeout": 5.0,
        **options,
    }
    made = GeminiEmbedder(**{name: value for name, value in given.items() if value is not None})
    made._clock = Clock(SPEED)
    return made


def right(texts: Iterable[str] = SENT, dimension: int = 128) -> Any:
    return np.array([vector(text, dimension) for text in texts], np.float32)
