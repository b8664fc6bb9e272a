"""What else lives in the process: gevent, trio, a frozen clock, credentials that never come."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
import traceback
import warnings
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from gemini_embed import (
    AuthenticationError,
    ConfigurationError,
    GeminiEmbedder,
    ServiceUnavailableError,
)
from gemini_embed.observe.events import Ended, Placed
from gemini_embed.observe.progress import ProgressBar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gemini_embed.standin import Standin

    Maker = Callable[..., GeminiEmbedder]

PATCH = "from gevent import monkey; monkey.patch_all()\n"
IMPORT = "import sys, gemini_embed, langchain_gemini_embed\n"
GREENLETS = """
import asyncio, gevent
embedder = gemini_embed.GeminiEmbedder(api_key="k", base_url=sys.argv[1], cache=sys.argv[2])
def first(number):
    return embedder.embed([f"text {number}"], role="document").vectors.shape
print(*[job.get() for job in [gevent.spawn(first, i % 3) for i in range(6)]])
print(asyncio.run(embedder.aembed(["a query"], role="query")).vectors.shape)
print(*gevent.get_hub().threadpool.map(first, range(3)))
try:
    with gevent.Timeout(1e-6):
        first("of a greenlet that is killed")
except gevent.Timeout:
    print("killed")
print(first("after that"))
"""


@pytest.mark.parametrize("imports", [PATCH + IMPORT, IMPORT + PATCH])
def test_greenlets_before_and_after_the_import(
    imports: str, server: Standin, tmp_path: Path
) -> None:
    """Greenlets wait for the I/O thread without holding each other up, whenever gevent patched.

    No event loop is left running on the thread that `asyncio.run` needs.
    """
    pytest.importorskip("gevent")
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        [
            sys.executable,
            "-W",
            "ignore",  # gevent says that it comes late
            "-c",
            imports + GREENLETS,
            server.url,
            str(tmp_path / "vectors.sqlite3"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    one = "(1, 3072)"
    said = [" ".join([one] * 6), one, " ".join([one] * 3), "killed", one]
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (0, said, "")


def test_trio_is_told_what_to_do(embedder: Maker, server: Standin) -> None:
    """The error names the way, which works; no coroutine is left behind."""
    trio = pytest.importorskip("trio")
    made = embedder()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConfigurationError, match=r"asyncio.*trio\.to_thread\.run_sync"):
            trio.run(partial(made.aembed, ["a"], role="query"))
    result = trio.run(trio.to_thread.run_sync, partial(made.embed, ["a"], role="query"))

    assert result.vectors.shape == (1, 3072)
    assert len(server.log) == 1


FROZEN = """
import sys
import langchain_gemini_embed, llamaindex_gemini_embed
from freezegun import freeze_time
embedder = langchain_gemini_embed.GeminiEmbeddings(
    api_key="k", base_url=sys.argv[1], deadline=60, requests_per_minute=60_000
)
with freeze_time("2031-01-01"):
    print(len(embedder.embed_query("frozen")))
    print(len(embedder.embed_documents([f"text {i}" for i in range(300)])))
print(len(embedder.embed_query("thawed")))
"""


def test_the_first_call_under_a_frozen_clock(server: Standin) -> None:
    """What loads then loads, and deadlines, waits and quotas have a clock that goes."""
    pytest.importorskip("freezegun")
    server.script.append("503")
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", FROZEN, server.url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["3072", "300", "3072"], "")


def test_the_clock_goes_on_where_time_stands_still() -> None:
    """The event loop's clock is not the one that a test freezes."""
    freezegun = pytest.importorskip("freezegun")
    loop = import_module("gemini_embed.background.loop")

    with freezegun.freeze_time(datetime(2031, 1, 1, tzinfo=UTC)):
        before = loop.now(), loop.io_loop().time()
        loop.run(partial(asyncio.sleep, 0.002))
        after = loop.now(), loop.io_loop().time()

    assert min(after) > max(before)


@pytest.fixture
def endless_search(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have google-auth find nothing and not give up, as where a metadata server hangs."""
    leave = threading.Event()
    monkeypatch.setattr(import_module("google.auth"), "default", lambda **_: leave.wait(60))
    yield
    leave.set()


@pytest.mark.usefixtures("endless_search")
def test_the_deadline_covers_the_search_for_credentials() -> None:
    """A search that hangs holds a call no longer than its deadline."""
    embedder = GeminiEmbedder(vertexai=True, deadline=0.2)

    with pytest.raises(ServiceUnavailableError, match=r"deadline passed.*credentials") as caught:
        embedder.embed(["a", "b"], role="document")

    assert caught.value.indexes == (0, 1)


@pytest.mark.usefixtures("endless_search")
async def test_the_search_for_credentials_can_be_cancelled() -> None:
    """Whoever waits for it may go."""
    embedder = GeminiEmbedder(vertexai=True)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(embedder.aembed(["a"], role="document"), 0.2)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
@pytest.mark.parametrize("given", [True, False])
def test_a_pipe_is_no_file_of_credentials(
    given: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening one would wait for ever, wherever its name comes from."""
    pipe = tmp_path / "account.json"
    os.mkfifo(pipe)
    options: dict[str, Any] = {"project": "a-project"}
    if given:
        options["credentials"] = pipe
    else:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(pipe))

    with pytest.raises(ConfigurationError, match="is not a regular file"):
        GeminiEmbedder(vertexai=True, **options).embed(["a"], role="document")


def test_the_sdk_does_not_tell_which_key_is_taken(
    embedder: Maker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It would name another one than is used; clients of the caller's still log it."""
    monkeypatch.setenv("GOOGLE_API_KEY", "one-key")
    monkeypatch.setenv("GEMINI_API_KEY", "another-key")
    embedder().embed(["a"], role="query")
    assert caplog.messages == []

    with caplog.at_level(logging.WARNING):
        import_module("google.genai").Client()
    assert any("GOOGLE_API_KEY" in message for message in caplog.messages)


def test_an_error_shows_the_callers_line(embedder: Maker, server: Standin) -> None:
    """A few frames from there, and none of the I/O thread's; a single text needs no number."""
    made = embedder(max_retries=0)
    server.script.append("503")

    with pytest.raises(ServiceUnavailableError) as caught:
        made.embed(["a"], role="query")

    frames = traceback.extract_tb(caught.value.__traceback__)
    assert len(frames) <= 5
    assert frames[0].filename == __file__
    assert "text 0" not in str(caught.value)
    assert not isinstance(caught.value, AuthenticationError)


class _Broken:
    """A console that fails."""

    encoding = "utf-8"

    def write(self, _: str) -> None:
        raise OSError(28, "No space left on device")

    def flush(self) -> None:
        raise AttributeError("flush")


@pytest.mark.parametrize("stream", [None, _Broken(), object()])
def test_a_progress_bar_costs_no_vector(
    embedder: Maker, monkeypatch: pytest.MonkeyPatch, stream: object
) -> None:
    """Without a console, or with one that fails, there is no bar."""
    monkeypatch.setattr(sys, "stderr", stream)

    result = embedder().embed(["a", "b"], role="document", show_progress=True)

    assert result.vectors.shape == (2, 3072)


def test_a_progress_bar_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    """It goes to standard error, and counts texts."""
    bar = ProgressBar(3)
    bar(Placed(3))
    bar(Ended())

    assert "3/3" in capsys.readouterr().err
