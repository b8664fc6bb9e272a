"""Processes of every kind that share one quota: all of it is used, and never more."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers import vectors_of
from pacing.workers import DIMENSION, LIMIT, PERIOD, embedded, made, texts_of
from pipelines import printed_by

from benchmarks.windows import most_in_a_window, refused, sent_to
from gemini_embed import GeminiEmbedder, Quota
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy import float32
    from numpy.typing import NDArray

MODEL = "gemini-embedding-2"
HERE = Path(__file__).parent


@pytest.fixture
def limited() -> Iterator[Standin]:
    """Return a service that refuses what exceeds the limit in any window of its own clock."""
    with Standin(requests=LIMIT, window=PERIOD) as server:
        yield server


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "quota.sqlite3")


def right(server: Standin, texts: list[str]) -> NDArray[float32]:
    as_sent = [f"title: none | text: {text}" for text in texts]
    return vectors_of(server, as_sent, model=MODEL, dimension=DIMENSION)


def hold(server: Standin) -> None:
    """Hold that nobody was refused, and that no window had more than all may send together."""
    sent = sent_to(server)
    assert refused(sent) == []
    assert most_in_a_window(sent, PERIOD) <= LIMIT


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_processes_of_every_start_method(method: str, limited: Standin, path: str) -> None:
    """None is refused, by whatever way they came to be; each text has its own vector.

    Web servers such as gunicorn, and Celery, fork their workers as the method `fork` does.
    """
    embedder = made(limited.url, path)
    embedded(embedder, 3)
    context = multiprocessing.get_context(method)

    with context.Pool(3) as pool:
        found = pool.starmap(embedded, [(embedder, number) for number in range(3)])
    embedded(embedder, 4)

    for number, vectors in enumerate(found):
        assert np.array_equal(vectors, right(limited, texts_of(number)))
    hold(limited)
    assert len({exchange.headers.get("x-goog-api-key") for exchange in limited.log}) == 1


def test_the_workers_of_a_pipeline(limited: Standin, path: str) -> None:
    """LlamaIndex's `num_workers` share the quota that their embed model was given."""
    printed = printed_by(HERE / "pipeline.py", limited.url, path, "120")

    texts = [f"text number {i}" for i in range(120)]
    firsts = [float(number) for number in right(limited, texts)[:, 0]]
    assert printed.splitlines() == [
        f"{text} {first}" for text, first in zip(texts, firsts, strict=True)
    ]
    hold(limited)


def test_a_process_that_is_killed(limited: Standin, path: str) -> None:
    """Others go on with the rest of the quota, and exceed it no more than before."""
    command = [sys.executable, str(HERE / "workers.py"), limited.url, path]
    for _ in range(2):
        with subprocess.Popen(command) as victim:  # noqa: S603 - our own program
            before = len(limited.log)
            while len(limited.log) < before + 3:
                time.sleep(0.01)
            victim.send_signal(signal.SIGKILL)
    vectors = embedded(made(limited.url, path), 1)

    assert np.array_equal(vectors, right(limited, texts_of(1)))
    hold(limited)


def test_two_quotas_of_one_process(limited: Standin, path: str) -> None:
    """Quotas with one file are one quota, in the same process too."""
    for number in range(3):
        embedded(made(limited.url, path), number)

    hold(limited)


def test_the_quota_of_a_user(
    limited: Standin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`quota="shared"` is one for all programs of a user with the same key and model."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")

    def other(**options: Any) -> GeminiEmbedder:
        given: dict[str, Any] = {"api_key": "k", "base_url": limited.url, **options}
        given["requests_per_minute"] = 100
        return GeminiEmbedder(output_dimensionality=DIMENSION, quota="shared", **given)

    first, second, third = other(), other(), other(api_key="another")
    first.embed(["a"] * 3 + ["b"], role="document")
    second.embed(["c"], role="document")
    third.embed(["d"], role="document")
    file = tmp_path / "gemini-embed" / "quotas.sqlite3"

    assert file.stat().st_mode & 0o777 == 0o600
    second.embed(["e"], role="document")
    assert second._quota.left().texts == 96  # and not what the third sent, with its own key
    assert b"another" not in file.read_bytes()


def test_a_quota_without_a_file_makes_none(server: Standin, tmp_path: Path) -> None:
    """Who has one process pays nothing for others: no file, and SQLite is not even loaded."""
    program = """
import sys
from gemini_embed import GeminiEmbedder, Quota
embedder = GeminiEmbedder(api_key="k", base_url=sys.argv[1], quota=Quota(100))
embedder.embed(["a"], role="document")
print("sqlite3" in sys.modules, "gemini_embed.cache.ledger" in sys.modules)
"""
    done = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-c", program, server.url],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "False False\n", "")
    assert list(tmp_path.iterdir()) == []


def test_a_shared_quota_takes_limits(tmp_path: Path) -> None:
    """Its options are told as those of any other, and it is pickled with its file."""
    made = GeminiEmbedder(api_key="k", requests_per_minute=100, quota="shared")
    quota = Quota(5, path=tmp_path / "quota.sqlite3")

    assert (made._quota.requests, made._quota.path is not None) == (100, True)
    assert quota.__reduce__()[1][-1] == str(tmp_path / "quota.sqlite3")
