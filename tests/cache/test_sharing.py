"""One file for many threads and processes, some of which are killed."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cache.numbered import key
from helpers import joined, sent_texts

from gemini_embed import GeminiEmbedder
from gemini_embed.cache import SQLiteCache
from gemini_embed.standin import Standin

FORKING = """
import os, sys, threading, warnings
from gemini_embed.cache import SQLiteCache
warnings.simplefilter("error", UserWarning)
cache, ended = SQLiteCache(sys.argv[1]), threading.Event()
cache.set_many([("aa", b"parent's")])

def write():
    turn = 0
    while not ended.is_set():
        turn += 1
        cache.set_many([(f"{turn * 100 + i:040x}", bytes(3000)) for i in range(100)])

writer = threading.Thread(target=write)
writer.start()
for child in range(10):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside a thread
        pid = os.fork()
    if pid == 0:
        assert cache.get_many(["aa"]) == [b"parent's"]
        cache.set_many([(f"{child:02x}", b"child's")])
        os._exit(0)
    if child == 5:
        cache.close()
    assert os.waitpid(pid, 0)[1] == 0
ended.set()
writer.join()
cache.close()
assert cache.get_many([f"{child:02x}" for child in range(10)]) == [b"child's"] * 10
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform does not fork")
def test_a_forked_child_and_its_parent_both_go_on(path: Path) -> None:
    """A fork while others write leaves both sides a cache that works, and loses nothing."""
    subprocess.run([sys.executable, "-c", FORKING, str(path)], timeout=60, check=True)  # noqa: S603 - our own script


def test_threads_share_one_object(path: Path) -> None:
    """Sixteen threads read and write at once; each finds what it wrote."""
    cache = SQLiteCache(path)

    def work(number: int) -> bool:
        pairs = [(key(number * 100 + i), f"{number} {i}".encode()) for i in range(100)]
        cache.set_many(pairs)
        return cache.get_many([k for k, _ in pairs]) == [value for _, value in pairs]

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(work, range(32)))
    cache.close()


def _write(path: Path, seconds: float) -> None:
    warnings.simplefilter("error")
    cache = SQLiteCache(path)
    end = time.monotonic() + seconds
    turn = 0
    while time.monotonic() < end:
        turn += 1
        pairs = [(key(turn * 100 + i), f"{turn * 100 + i}".encode() * 600) for i in range(100)]
        cache.set_many(pairs)
        if cache.get_many([k for k, _ in pairs]) != [value for _, value in pairs]:
            os._exit(2)
    os._exit(0)


def test_processes_share_one_file(path: Path) -> None:
    """Two processes write the same vectors for a while: no lock error, nothing wrong.

    `GEMINI_EMBED_SHARE_SECONDS` makes the while longer.
    """
    seconds = float(os.environ.get("GEMINI_EMBED_SHARE_SECONDS", "1.5"))
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_write, args=(path, seconds)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(seconds + 60)

    assert [process.exitcode for process in both] == [0, 0]


def test_it_pickles_as_its_options(path: Path) -> None:
    """An embedder with a cache crosses processes; each opens the file itself."""
    cache = SQLiteCache(path, max_bytes=5)
    back = pickle.loads(pickle.dumps(cache))  # noqa: S301 - our own bytes

    assert (back.path, back.max_bytes) == (path, 5)
    assert repr(back) == repr(cache)


def test_a_pickled_embedder_has_its_files_in_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that starts in another folder uses the same cache, and makes none there."""
    monkeypatch.chdir(tmp_path)
    service = GeminiEmbedder(
        vertexai=True, project="p", location="eu", credentials=Path("key.json")
    )
    pickled = pickle.dumps([GeminiEmbedder(api_key="k", cache="vectors.sqlite3"), service])
    monkeypatch.chdir(tmp_path.parent)
    cached, service = pickle.loads(pickled)  # noqa: S301 - our own bytes

    assert cached.cache == str(tmp_path / "vectors.sqlite3")
    assert service.credentials == str(tmp_path / "key.json")


INDEXING = """
import sys
from gemini_embed import GeminiEmbedder
embedder = GeminiEmbedder(
    api_key="k", base_url=sys.argv[1], cache=sys.argv[2], output_dimensionality=128,
    max_concurrency=4, timeout=20,
)
vectors = embedder.embed([f"text {i}" for i in range(5000)], role="document").vectors
print(vectors.shape)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_job_goes_on_where_it_was(how: signal.Signals, path: Path) -> None:
    """Killed in the middle and started again, at most what was under way is paid for twice."""
    with Standin(latency=0.1) as server:
        command = [sys.executable, "-c", INDEXING, server.url, str(path)]
        first = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603 - our own script
        while len(server.log) < 25:
            time.sleep(0.01)
        first.send_signal(how)
        first.wait(30)
        assert first.returncode != 0
        done = subprocess.run(  # noqa: S603 - likewise
            command, capture_output=True, text=True, timeout=60, check=True
        )

    assert done.stdout.strip() == "(5000, 128)"
    sent = joined(sent_texts(server))
    assert len(set(sent)) == 5000
    assert len(sent) - 5000 <= 4 * 100
