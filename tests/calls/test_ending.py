"""The end of a process: within seconds, without a word, and what can still be done is done."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAD = """
import atexit, os, signal, sys, threading, time
def late(work):
    try:
        print(work())
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
def embed():
    return embedder.embed(["late"], role="query").vectors.shape
def close():
    embedder.close()
"""
IMPORT = """
from gemini_embed import GeminiEmbedder
embedder = GeminiEmbedder(api_key="k", base_url=sys.argv[1], cache=sys.argv[2] or None)
"""
FIRST = """
embedder.embed(["first"], role="document")
"""
IS_OVER = "GeminiEmbedError: the process is ending; nothing can be embedded any more\n"


def run(script: str, server: Standin, cache: Path | str = "") -> tuple[int, str, str]:
    """Run a script; a hang is an error here."""
    options = ["-X", "dev", "-W", "error", "-W", "ignore::DeprecationWarning"]
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, *options, "-c", HEAD + script, server.url, str(cache)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    told = done.stderr.splitlines()
    # asyncio's debug mode tells of slow imports.
    complaints = "\n".join(line for line in told if not line.startswith("Executing <"))
    return done.returncode, done.stdout, complaints


@pytest.fixture(params=["", "cache"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    return tmp_path / "vectors.sqlite3" if request.param else ""


@pytest.fixture
def slow() -> Iterator[Standin]:
    with Standin(latency=20) as server:
        yield server


def test_a_hook_of_the_caller_still_embeds(server: Standin, cache: Path | str) -> None:
    """A hook that was registered after the import runs before our own: everything works in it."""
    hook = "atexit.register(late, embed)"

    assert run(IMPORT + hook + FIRST, server, cache) == (0, "(1, 3072)\n", "")


def test_a_hook_that_comes_too_late_is_told(server: Standin, cache: Path | str) -> None:
    """A hook that was registered before the import runs when nothing can be sent any more."""
    hook = "atexit.register(late, embed)"

    assert run(hook + IMPORT + FIRST, server, cache) == (0, IS_OVER, "")


@pytest.mark.parametrize("script", ["{hook}{build}{first}", "{build}{hook}{first}"])
def test_closing_in_a_hook_is_never_too_late(
    script: str, server: Standin, cache: Path | str
) -> None:
    """Whenever it comes, what was open is closed, and nothing is said."""
    hook = "atexit.register(late, close)"

    done = run(script.format(hook=hook, build=IMPORT, first=FIRST), server, cache)

    assert done == (0, "None\n", "")


WRAPPER = """
class Service:
    def __del__(self):
        late({work})
service = Service()
"""


@pytest.mark.parametrize(("work", "said"), [("embed", IS_OVER), ("close", "None\n")])
def test_an_object_that_outlives_the_process(
    work: str, said: str, server: Standin, cache: Path | str
) -> None:
    """A `__del__` that runs while the interpreter is taken apart neither hangs nor is noisy."""
    done = run(IMPORT + FIRST + WRAPPER.format(work=work), server, cache)

    assert done == (0, said, "")


def test_what_closing_begins_is_ended(server: Standin) -> None:
    """As google-genai 2 does when its client, closed or not, is collected on the I/O thread."""
    script = """
import asyncio
from gemini_embed.background import loop
async def close():
    asyncio.create_task(asyncio.sleep(60))
loop.before_stop(close)
"""
    assert run(IMPORT + script + FIRST, server) == (0, "", "")


def test_garbage_on_the_io_thread_is_closed() -> None:
    """A `__del__` that closes an embedder may run on any thread, the I/O thread too."""
    script = """
import asyncio, gc
async def collect():
    embedder.close()
from gemini_embed.background import loop
loop.run(collect)
print(embedder.embed(["again"], role="query").vectors.shape)
"""
    with Standin() as server:
        assert run(IMPORT + FIRST + script, server) == (0, "(1, 3072)\n", "")


THREAD = """
import asyncio
def work():
    {call}
    print("not reached by a daemon")
threading.Thread(target=work, daemon={daemon}).start()
while {waits}:
    time.sleep(0.01)
"""
SYNC = 'embedder.embed(["slow"], role="document")'
ASYNC = 'asyncio.run(embedder.aembed(["slow"], role="document"))'


@pytest.mark.parametrize("call", [SYNC, ASYNC])
def test_a_daemon_thread_ends_with_the_process(call: str, slow: Standin, cache: Path | str) -> None:
    """Its call is broken off, as all that such threads do is, without a traceback."""
    sent = "not embedder._engine"
    script = THREAD.format(call=call, daemon=True, waits=sent) + "time.sleep(0.5)"

    assert run(IMPORT + script, slow, cache) == (0, "", "")


def test_a_thread_that_is_waited_for_finishes(server: Standin, cache: Path | str) -> None:
    """Python waits for such threads, and their calls go on after the main thread's end."""
    script = FIRST + THREAD.format(call=SYNC, daemon=False, waits="False")

    assert run(IMPORT + script, server, cache) == (0, "not reached by a daemon\n", "")


CTRL_C = """
signal.signal(signal.SIGINT, signal.default_int_handler)
def soon():
    while not ({reached}):
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=soon, daemon=True).start()
try:
    embedder.embed(["a"], role="document")
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize(
    "reached",
    [
        "'numpy' in sys.modules",
        "'google.genai' in sys.modules",
        "'aiohttp' in sys.modules",
        "'gemini_embed.service.transport' in sys.modules",
        "embedder._engine",
        "embedder._engine and not time.sleep(0.2)",
    ],
)
def test_ctrl_c_at_any_moment_of_the_first_call(reached: str, slow: Standin) -> None:
    """Whatever was being loaded or opened, the process ends at once and says nothing of it."""
    done = run(IMPORT + CTRL_C.format(reached=reached), slow)

    assert done == (0, "interrupted\n", "")


HUNG = """
class Hung:
    def get_many(self, keys):
        threading.Event().wait()
    def set_many(self, pairs):
        pass
from gemini_embed import GeminiEmbedder
embedder = GeminiEmbedder(api_key="k", base_url=sys.argv[1], cache=Hung(), deadline=0.5)
late(embed)
"""


def test_work_that_hangs_holds_up_neither_call_nor_end(server: Standin) -> None:
    """A thread that waits for ever for a cache, a file or a token is left behind."""
    code, out, complaints = run(HUNG, server)

    assert code == 0
    assert out
    assert "Traceback" not in complaints
