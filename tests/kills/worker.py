"""One process that works a run of a batch API to its end, if nobody kills it before.

    python tests/kills/worker.py FOLDER NUMBER URL LAG SERVICE

The folder holds the cache file. At the end it holds `vectors.npy` too, and `said.json`: what the
run says of itself when the list has named all there is.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from google.oauth2.credentials import Credentials

from gemini_embed import GeminiEmbedder
from gemini_embed.batch.clock import Clock

if TYPE_CHECKING:
    from gemini_embed.models import BackendName

TEXTS = 5000
PARTS = 4
DIMENSION = 128
SPEED = 1000.0
"""Seconds of the run in a second."""

TIMEOUT = 1.0
"""Seconds for a request: real ones."""

SETTLE = 600.0
"""Seconds of the run for which a job that may exist is looked for."""

TOKENS_OF_TEXT = 18
"""What each of them has by the estimate."""


def texts_of(number: int) -> list[str]:
    """Return the texts of a round, which no other round has."""
    return [f"round {number:03}, text {i:04}" for i in range(TEXTS)]


def embedder_in(folder: Path, url: str, service: BackendName) -> GeminiEmbedder:
    """Return an embedder whose hours pass in moments."""
    access: dict[str, Any] = {"api_key": "k"}
    if service == "vertex":
        os.environ["STORAGE_EMULATOR_HOST"] = url
        token = Credentials(token="t")  # type: ignore[no-untyped-call] # noqa: S106 - opens nothing
        access = {"project": "p", "location": "us", "credentials": token, "bucket": "gs://bucket/a"}
    embedder = GeminiEmbedder(
        **access,
        base_url=url,
        output_dimensionality=DIMENSION,
        cache=folder / "vectors.sqlite3",
        batch_tokens=TOKENS_OF_TEXT * TEXTS // PARTS,
        batch_settle=SETTLE,
        timeout=TIMEOUT,
    )
    embedder._clock = Clock(SPEED)
    return embedder


def main() -> None:
    """Work a run to its end, and tell what came of it."""
    folder, number, url, lag = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
    service: BackendName = "vertex" if sys.argv[5] == "vertex" else "gemini"
    warnings.simplefilter("ignore")  # of duplicates, which `said.json` holds
    with embedder_in(folder, url, service) as embedder:
        run = embedder.batch(texts_of(number), role="document")
        run.wait()
        np.save(folder / "vectors.npy", run.result().vectors)
        time.sleep(lag / SPEED)
        (said,) = (one for one in embedder.batches() if one.id == run.id)
        if not (folder / "said.json").exists():  # an earlier process was killed while it cleaned
            told = {"state": said.state, "duplicates": list(said.duplicates)}
            (folder / "draft").write_text(json.dumps(told), encoding="utf-8")
            (folder / "draft").replace(folder / "said.json")
        run.clean()


if __name__ == "__main__":
    main()
