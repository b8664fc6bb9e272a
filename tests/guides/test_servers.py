"""The programs of the page on servers, run by the servers themselves."""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from pages import ROOT, marked, run
from programs import needs, running

from gemini_embed import GeminiEmbedder

if TYPE_CHECKING:
    from pathlib import Path

    from gemini_embed.standin import Standin
    from gemini_embed.standin.faults import Verbatim

FILES = marked((ROOT / "docs" / "servers.md").read_text(encoding="utf-8"))
REFUSAL: Verbatim = (
    403,
    {"error": {"code": 403, "message": "no", "status": "PERMISSION_DENIED"}},
    {},
)

TEXTS = [f"question {number}" for number in range(30)]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs forks")


def put(name: str, folder: Path, more: str = "") -> None:
    (folder / name).write_text(FILES[f"file: {name}"] + more, encoding="utf-8")


def ask(address: str, text: str) -> list[float]:
    with urlopen(f"{address}?{urlencode({'text': text})}", timeout=30) as answer:  # noqa: S310
        vector: list[float] = json.load(answer)
    return vector


def asked_at_once(address: str) -> list[list[float]]:
    with ThreadPoolExecutor(10) as threads:
        return list(threads.map(lambda text: ask(address, text), TEXTS))


def expected(server: Standin) -> list[list[float]]:
    """Return the vectors of the questions, as the core makes them in this process."""
    one = GeminiEmbedder(api_key="a-key", base_url=server.url, output_dimensionality=768)
    vectors: list[list[float]] = one.embed(TEXTS, role="query").vectors.tolist()
    return vectors


@needs("fastapi")
@needs("uvicorn")
def test_fastapi(server: Standin, tmp_path: Path) -> None:
    """Requests at once get their own vectors; a blank text is the client's fault; it ends well."""
    put("app.py", tmp_path)
    right = expected(server)

    with running(tmp_path, server.url, "uvicorn", "app:app", "--port", "0") as program:
        address = program.read_until(r"running on (http://\S+:\d+)")[1] + "/vector"
        assert asked_at_once(address) == right
        with pytest.raises(HTTPError, match="422"):
            ask(address, " ")
        server.script.append(REFUSAL)
        with pytest.raises(HTTPError, match="503"):
            ask(address, "another")
        program.end()

    assert "Application shutdown complete" in program.said
    assert "Traceback" not in program.said


@needs("gunicorn")
@pytest.mark.parametrize(
    "kind",
    [
        ["--workers", "2"],
        ["--worker-class", "gthread", "--threads", "8"],
        pytest.param(["--worker-class", "gevent"], marks=needs("gevent")),
    ],
    ids=["sync", "gthread", "gevent"],
)
@pytest.mark.parametrize(
    "used", ["", '\nembedder.embed(["before"], role="query")\n'], ids=["unused", "used"]
)
def test_gunicorn(server: Standin, tmp_path: Path, kind: list[str], used: str) -> None:
    """Workers that are forked from a process with an embedder, used or not, give right vectors."""
    put("wsgi.py", tmp_path, used)
    right = expected(server)
    options = ["gunicorn", "wsgi:app", "--preload", "--bind", "127.0.0.1:0", *kind]
    if "gevent" in kind:
        options.remove("--preload")  # gunicorn replaces threads by greenlets in the worker

    with running(tmp_path, server.url, *options) as program:
        address = program.read_until(r"Listening at: (http://\S+:\d+)")[1] + "/"
        assert asked_at_once(address) == right
        assert program.end() == 0
    assert "Traceback" not in program.said


@needs("celery")
def test_celery(server: Standin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks in forked workers return each text's vector, and share the cache."""
    put("tasks.py", tmp_path)
    for folder in ("data_in", "results"):
        (tmp_path / folder).mkdir()
    (tmp_path / "data_out").symlink_to("data_in")  # what one side puts in, the other takes out
    monkeypatch.setenv("CELERY_BROKER_URL", "filesystem://")
    monkeypatch.setenv("CELERY_RESULT_BACKEND", f"file://{tmp_path / 'results'}")
    client = (
        "from tasks import embed\n"
        "tasks = [embed.delay([f'text {number}', 'both']) for number in range(10)]\n"
        "vectors = [task.get(timeout=60) for task in tasks]\n"
        "print(len({tuple(one) for one, _ in vectors}), len({tuple(both) for _, both in vectors}))"
    )

    command = ["celery", "--app", "tasks", "worker", "--concurrency", "2", "--loglevel", "info"]
    with running(tmp_path, server.url, *command) as program:
        program.read_until(r" ready\.")
        done = run(client, tmp_path, url=server.url)
        assert program.end() == 0

    assert (done.returncode, done.stdout) == (0, "10 1\n")
    assert "Traceback" not in program.said


def test_a_pool_of_forks(server: Standin, tmp_path: Path) -> None:
    """A pool of one's own works as the page shows."""
    put("pool.py", tmp_path)

    ignored = (sys.executable, "-W", "ignore::DeprecationWarning")
    program = "import runpy; runpy.run_path('pool.py', run_name='__main__')"
    done = run(program, tmp_path, url=server.url, python=ignored)

    assert (done.returncode, done.stdout, done.stderr) == (0, "40 vectors\n", "")
