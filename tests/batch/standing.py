"""A service whose hours pass in moments, and an embedder on the same clock."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from google.oauth2.credentials import Credentials

from gemini_embed import GeminiEmbedder
from gemini_embed.batch.clock import Clock
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from gemini_embed.models import BackendName
    from gemini_embed.standin import Exchange

SPEED = 2000.0
SETTLE = 600.0
DIMENSION = 128
TEXTS = [f"text number {i}" for i in range(60)]

_BEGAN = time.time()


def service_time() -> float:
    """Return the time of the service, which is as fast as a run's."""
    return _BEGAN + (time.time() - _BEGAN) * SPEED


@contextmanager
def standing(**options: Any) -> Generator[Standin]:
    """Run a service whose jobs take 20 seconds of its clock."""
    given: dict[str, Any] = {"batch_seconds": 20.0, "clock": service_time, **options}
    with Standin(**given) as server, pytest.MonkeyPatch.context() as patched:
        patched.setenv("STORAGE_EMULATOR_HOST", server.url)
        yield server


def access(service: BackendName) -> dict[str, Any]:
    """Return the options that let an embedder into a service, and into a bucket of its own."""
    if service == "gemini":
        return {"api_key": "k"}
    token = Credentials(token="t")  # type: ignore[no-untyped-call] # noqa: S106 - opens nothing
    place = {"project": "p", "location": "us", "bucket": "gs://bucket/a folder"}
    return {"credentials": token, **place}


def embedder(
    server: Standin, folder: Path, service: BackendName = "gemini", **options: Any
) -> GeminiEmbedder:
    """Return an embedder that works runs fast, in parts of about twenty of the texts."""
    given: dict[str, Any] = {
        **access(service),
        "base_url": server.url,
        "cache": folder / "vectors.sqlite3",
        "output_dimensionality": DIMENSION,
        "batch_tokens": 250,
        "batch_settle": SETTLE,
        "timeout": 1.0,
        **options,
    }
    made = GeminiEmbedder(**given)
    made._clock = Clock(SPEED)
    return made


def right(server: Standin, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the vectors of documents."""
    of: dict[str, Any] = {"model": "gemini-embedding-2", "dimension": DIMENSION}
    sent = [f"title: none | text: {text}" for text in texts]
    return np.array([server.vector(text, **of) for text in sent], np.float32)


def online(server: Standin) -> list[Exchange]:
    """Return the requests that embedded at full price."""
    return [
        one for one in server.log if one.path.endswith((":batchEmbedContents", ":embedContent"))
    ]


def sent_online(server: Standin) -> list[str]:
    """Return the texts that were embedded at full price."""
    return [
        entry["content"]["parts"][0]["text"].removeprefix("title: none | text: ")
        for one in online(server)
        for entry in one.body.get("requests", [one.body])
    ]


def paid_twice(server: Standin) -> list[str]:
    """Return the texts that jobs were paid for more than once."""
    return [text for text, count in server.paid().items() if count > 1]


def left_over(server: Standin) -> list[str]:
    """Return the names of the uploaded files that are left, and of all objects."""
    files = [file.name for file in server.files if file.path is not None]
    return files + [one.uri for one in server.objects]
