"""Web servers and Celery with several workers on one quota: what all together send."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import numpy as np
import pytest
from helpers import vectors_of
from pacing.tasks import celery
from pacing.workers import DIMENSION, LIMIT, PERIOD, texts_of
from programs import needs, running

from benchmarks.windows import most_in_a_window, refused, sent_to
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs forks")

ASKED = range(4)
"""Numbers whose texts are embedded, each in one request to a worker."""


@pytest.fixture
def limited() -> Iterator[Standin]:
    """Return a service that refuses what exceeds the limit in any window of its own clock."""
    with Standin(requests=LIMIT, window=PERIOD) as server:
        yield server


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """Return what the apps find in their environment."""
    return {
        "QUOTA": str(tmp_path / "quota.sqlite3"),
        "EMBEDDED_BEFORE": "100",
        "PYTHONPATH": os.pathsep.join(PATHS),
    }


PATHS = [str(Path(__file__).parent.parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]


def hold(server: Standin, ask: Callable[[], list[str]]) -> None:
    """Ask until two workers had a part in it; hold what they all promise.

    Each text has its own vector, and nobody sent more than all may together.
    """
    workers: set[int] = set()
    while len(workers) < 2:
        for number, answer in zip(ASKED, ask(), strict=True):
            worker, vectors = json.loads(answer)
            workers.add(worker)
            as_sent = [f"title: none | text: {text}" for text in texts_of(number)]
            right = vectors_of(server, as_sent, model="gemini-embedding-2", dimension=DIMENSION)
            assert np.array_equal(np.array(vectors, np.float32), right)
    sent = sent_to(server)
    assert refused(sent) == []
    assert most_in_a_window(sent, PERIOD) <= LIMIT


UVICORN = "uvicorn.workers.UvicornWorker"
SERVERS = {
    "sync": ["pacing.apps:wsgi"],
    "gthread": ["pacing.apps:wsgi", "--worker-class", "gthread", "--threads", "2"],
    "uvicorn-worker": ["pacing.apps:asgi", "--worker-class", UVICORN],
}


@needs("gunicorn")
@needs("uvicorn")
@pytest.mark.parametrize("server", [*SERVERS])
def test_the_workers_of_a_web_server(
    server: str, limited: Standin, tmp_path: Path, settings: dict[str, str]
) -> None:
    """Workers of every kind, forked from a process whose embedder was used already."""
    command = ["gunicorn", *SERVERS[server], "--preload", "--workers", "3"]
    command += ["--bind", "127.0.0.1:0"]

    def ask(number: int) -> str:
        with urlopen(f"{address}/?{number}", timeout=30) as answer:  # noqa: S310
            told: bytes = answer.read()
        return told.decode()

    with running(tmp_path, limited.url, *command, **settings) as program:
        address = program.read_until(r"Listening at: (http://\S+:\d+)")[1]
        with ThreadPoolExecutor(len(ASKED)) as pool:
            hold(limited, lambda: list(pool.map(ask, ASKED)))
        program.end()


@needs("celery")
def test_the_workers_of_celery(limited: Standin, tmp_path: Path, settings: dict[str, str]) -> None:
    """The processes of its pool `prefork`, forked likewise."""
    settings["BROKER"] = str(tmp_path / "broker")
    Path(settings["BROKER"]).mkdir()
    client = celery(settings["BROKER"])
    command = ["celery", "--app", "pacing.tasks", "worker", "--pool", "prefork"]
    command += ["--concurrency", "3", "--loglevel", "info", "--without-gossip"]
    command += ["--without-mingle", "--without-heartbeat"]

    def ask() -> list[str]:
        waiting = [client.send_task("embed", [number]) for number in ASKED]
        return [one.get(timeout=30, interval=0.01) for one in waiting]

    with running(tmp_path, limited.url, *command, **settings) as program:
        program.read_until(r" ready\.")
        hold(limited, ask)
        program.end()
