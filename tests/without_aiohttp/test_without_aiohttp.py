"""Where aiohttp is not installed the SDK sends through httpx or httpx2; users notice nothing.

`make test-without-aiohttp` runs these. The stand-in needs aiohttp, so it runs with another
interpreter, which GEMINI_EMBED_STANDIN_PYTHON names.
"""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import os
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gemini_embed import BadResponseError, GeminiEmbedder, RequestError
from langchain_gemini_embed import GeminiEmbeddings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from numpy.typing import NDArray

    Oracle = Callable[[Sequence[str]], NDArray[np.float32]]

STANDIN_PYTHON = os.environ.get("GEMINI_EMBED_STANDIN_PYTHON", "")

if not STANDIN_PYTHON:
    pytest.skip(
        "aiohttp is installed here; `make test-without-aiohttp` runs these where it is not",
        allow_module_level=True,
    )

TEXTS = [f"text {i}" for i in range(250)]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    command = [STANDIN_PYTHON, "-m", "gemini_embed.standin", "--model", "hash"]
    with subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


@pytest.fixture
def oracle(url: str) -> Oracle:
    """Return what asks the stand-in for documents' vectors, without the SDK and us."""

    def ask(texts: Sequence[str]) -> list[list[float]]:
        model = "models/gemini-embedding-2"
        as_sent = [f"title: none | text: {text}" for text in texts]
        body = {
            "requests": [
                {"model": model, "content": {"parts": [{"text": text}]}} for text in as_sent
            ]
        }
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{url}/v1beta/{model}:batchEmbedContents",
            json.dumps(body).encode(),
            {"x-goog-api-key": "a-key", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - likewise
            return [embedding["values"] for embedding in json.load(answer)["embeddings"]]

    def vectors(texts: Sequence[str]) -> NDArray[np.float32]:
        parts = [ask(texts[i : i + 100]) for i in range(0, len(texts), 100)]
        return np.array([row for part in parts for row in part], np.float32)

    return vectors


@pytest.fixture(params=[True, False], ids=["fast", "plain"])
def options(url: str, request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """Return an embedder's options; what a test left open is an error when it ends."""
    yield {"api_key": "a-key", "base_url": url, "fast_decode": request.param}
    gc.collect()


def test_aiohttp_is_not_installed() -> None:
    """Else the other tests would say nothing."""
    assert find_spec("aiohttp") is None


def test_every_text_gets_its_own_vector(options: dict[str, Any], oracle: Oracle) -> None:
    """250 texts in three requests, sync and async: each vector is its text's, in order."""
    embedder = GeminiEmbedder(**options)
    expected = oracle(TEXTS)

    synchronous = embedder.embed(TEXTS, role="document").vectors
    asynchronous = asyncio.run(embedder.aembed(TEXTS, role="document")).vectors

    assert (synchronous == expected).all()
    assert (asynchronous == expected).all()


def test_langchain_gets_every_texts_vector(options: dict[str, Any], oracle: Oracle) -> None:
    """The same through LangChain's methods, and its lists hold the very same numbers."""
    embeddings = GeminiEmbeddings(**options)
    expected = oracle(TEXTS)

    synchronous = embeddings.embed_documents(TEXTS)
    asynchronous = asyncio.run(embeddings.aembed_documents(TEXTS))

    assert synchronous == asynchronous
    assert (np.array(synchronous, np.float32) == expected).all()


def test_one_embedder_serves_loops_one_after_another(
    options: dict[str, Any], oracle: Oracle
) -> None:
    """`asyncio.run` ten times in a row: no "Event loop is closed"."""
    embedder = GeminiEmbedder(**options)

    vectors = [
        asyncio.run(embedder.aembed([text], role="document")).vectors[0] for text in TEXTS[:10]
    ]

    assert (np.array(vectors) == oracle(TEXTS[:10])).all()


def test_one_embedder_serves_many_loops_at_once(options: dict[str, Any], oracle: Oracle) -> None:
    """Sixteen threads, each with a loop of its own that awaits ten calls at once."""
    embedder = GeminiEmbedder(**options)

    async def ten(first: int) -> list[NDArray[np.float32]]:
        calls = [embedder.aembed([text], role="document") for text in TEXTS[first : first + 10]]
        return [result.vectors[0] for result in await asyncio.gather(*calls)]

    with ThreadPoolExecutor(16) as pool:
        groups = list(pool.map(lambda number: asyncio.run(ten(10 * number)), range(16)))

    vectors = np.array([vector for group in groups for vector in group])
    assert (vectors == oracle(TEXTS[:160])).all()


async def test_a_sync_call_works_inside_a_running_loop(
    options: dict[str, Any], oracle: Oracle
) -> None:
    """Notebooks run in a loop; a plain call works there."""
    vectors = GeminiEmbedder(**options).embed(TEXTS[:3], role="document").vectors

    assert (vectors == oracle(TEXTS[:3])).all()


USE = """
import asyncio, os, sys
from gemini_embed import GeminiEmbedder

embedder = GeminiEmbedder(api_key="k", base_url=sys.argv[1], fast_decode=sys.argv[2] == "True")
first = embedder.embed(["a"], role="query").vectors
def works():
    found = asyncio.run(embedder.aembed(["a"], role="query")).vectors
    return (found == first).all() and (embedder.embed(["a"], role="query").vectors == first).all()
"""

FORK = """
if (pid := os.fork()) == 0:
    {leave}(0 if works() else 1)
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) + (0 if works() else 2))
"""


def command(script: str, options: dict[str, Any]) -> list[str]:
    """Return a fresh interpreter's command, in which a thing left open is told of."""
    strict = ["-W", "error", "-W", "ignore::DeprecationWarning"]
    arguments = [options["base_url"], str(options["fast_decode"])]
    return [sys.executable, *strict, "-c", script, *arguments]


@pytest.mark.parametrize("leave", ["os._exit", "sys.exit"])
def test_a_forked_child_and_its_parent_both_go_on(leave: str, options: dict[str, Any]) -> None:
    """After a fork each side has connections of its own, and nothing leaks at exit."""
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        command(USE + FORK.replace("{leave}", leave), options),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_the_interpreter_exits_at_once(options: dict[str, Any]) -> None:
    """An embedder in use holds up no exit and leaves nothing open."""
    with subprocess.Popen(  # noqa: S603 - our own interpreter and script
        command(f"{USE}\nprint(works(), flush=True)", options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        told = process.stdout.readline()
        began = time.monotonic()
        _, errors = process.communicate(timeout=60)
        took = time.monotonic() - began

    assert (told, errors, process.returncode) == ("True\n", "", 0)
    assert took < 1


@contextmanager
def server_of(status: int, headers: dict[str, str], body: bytes) -> Generator[str]:
    """Answer every request like this; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_: Any, **__: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def at(address: str, options: dict[str, Any]) -> dict[str, Any]:
    return {**options, "base_url": address}


def test_a_redirect_to_another_place_is_not_followed(options: dict[str, Any], url: str) -> None:
    """Neither key nor texts go there, and nothing is taken from there."""
    path = "/v1beta/models/gemini-embedding-2:batchEmbedContents"
    with server_of(307, {"Location": url + path}, b"") as address:
        embedder = GeminiEmbedder(**at(address, options))
        with pytest.raises(RequestError, match="the redirect from"):
            embedder.embed(["a"], role="document")
        embedder.close()


def test_no_more_is_read_of_an_answer_than_it_can_need(options: dict[str, Any]) -> None:
    """Kilobytes of gzip that hold megabytes are an error."""
    packed = gzip.compress(bytes(2**26))
    with server_of(200, {"Content-Encoding": "gzip"}, packed) as address:
        embedder = GeminiEmbedder(**at(address, options), max_retries=0)
        with pytest.raises(BadResponseError, match="longer than"):
            embedder.embed(["a"], role="document")
        embedder.close()
