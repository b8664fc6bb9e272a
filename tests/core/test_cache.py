"""The cache: what is in it, what is not sent, and what happens when its file is not well."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import pickle
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from concurrent.futures import CancelledError, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers import joined, sent_texts, vectors_of
from hypothesis import given
from hypothesis import strategies as st

from gemini_embed import ConfigurationError, DailyQuotaError, GeminiEmbedder, RequestError
from gemini_embed.cache import SQLiteCache, cache_keys, default_path, sqlite
from gemini_embed.cache.__main__ import main
from gemini_embed.standin import Standin
from gemini_embed.tasks import WireText

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Maker = Callable[..., GeminiEmbedder]

TEXTS = [f"text number {i}" for i in range(250)]
TWO = "gemini-embedding-2"
ONE = "gemini-embedding-001"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "vectors.sqlite3"


def key(number: int) -> str:
    return cache_keys([WireText(str(number))], model=TWO, dimension=8, service=None)[0]


def test_a_second_run_sends_nothing(server: Standin, embedder: Maker, path: Path) -> None:
    """What was embedded once is never paid for again, by any embedder on that file."""
    first = embedder(cache=path).embed(TEXTS, role="document").vectors
    sent = len(server.log)

    again = embedder(cache=str(path)).embed([*TEXTS, "new"], role="document")

    assert (again.vectors[:250] == first).all()
    assert sent_texts(server)[sent:] == [["title: none | text: new"]]
    assert again.usage.requests == 1


def test_what_is_new_here_and_there_travels_together(
    server: Standin, embedder: Maker, path: Path
) -> None:
    """However many texts are looked up between them, new ones leave in full requests, in order."""
    texts = [f"text number {i}" for i in range(3500)]
    new = texts[::30]
    embedder(cache=path).embed([t for t in texts if t not in new], role="document")
    sent = len(server.log)

    vectors = embedder(cache=path).embed(texts, role="document").vectors

    asked = [f"title: none | text: {text}" for text in new]
    assert sent_texts(server)[sent:] == [asked[:100], asked[100:]]
    assert (vectors == embedder(cache=path).embed(texts, role="document").vectors).all()


class Watched:
    """A cache that knows nothing, and looks further texts up only when `meanwhile` is true."""

    def __init__(self, meanwhile: Callable[[], bool]) -> None:
        self.meanwhile = meanwhile
        self.looked_up: list[int] = []

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        end = time.monotonic() + 20
        while self.looked_up and not self.meanwhile():
            assert time.monotonic() < end
            time.sleep(0.001)
        self.looked_up.append(len(keys))
        return [None] * len(keys)

    def set_many(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        """Forget them."""


def test_the_first_are_sent_while_others_are_looked_up(server: Standin, embedder: Maker) -> None:
    """A long list is on its way long before all of it was looked up."""
    cache = Watched(lambda: len(server.log) >= 10)
    texts = [str(i) for i in range(2050)]

    embedder(cache=cache).embed(texts, role="document")

    assert cache.looked_up == [1000, 1000, 50]
    assert sorted(map(len, sent_texts(server))) == [50] + [100] * 20


def test_what_is_known_is_finished_whatever_happens_to_the_rest(
    server: Standin, embedder: Maker, path: Path
) -> None:
    """A call that fails at its first text still hands over the known ones, the last included."""
    texts = [str(i) for i in range(2500)]
    kept = embedder(cache=path).embed(texts[1100:], role="document").vectors
    server.script.extend([(400, {"error": {"code": 400, "message": "no"}}, {})] * 50)

    with pytest.raises(RequestError) as caught:
        embedder(cache=path, max_concurrency=1).embed(texts, role="document")

    assert sorted(caught.value.partial) == list(range(1100, 2500))
    assert all((caught.value.partial[1100 + i] == kept[i]).all() for i in range(1400))


class Stuck:
    """A cache whose writes take as long as they are let."""

    def __init__(self) -> None:
        self.entered, self.leave = threading.Event(), threading.Event()

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return [None] * len(keys)

    def set_many(self, pairs: Sequence[tuple[str, bytes]]) -> None:  # noqa: ARG002 - of the protocol
        self.entered.set()
        assert self.leave.wait(20)


def test_a_slow_cache_holds_nobody_else_up(embedder: Maker) -> None:
    """While one call waits for its cache, other calls are answered."""
    cache = Stuck()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(embedder(cache=cache).embed, ["a"], role="document")
        assert cache.entered.wait(20)

        other = embedder().embed(["b"], role="query").vectors

        assert not slow.done()
        cache.leave.set()
        assert slow.result(20).vectors.shape == other.shape


class Failing:
    """A cache that fails as few would expect."""

    def __init__(self, error: type[BaseException], *, when: str) -> None:
        self.error, self.when = error, when

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        if self.when == "get":
            raise self.error
        return [None] * len(keys)

    def set_many(self, pairs: Sequence[tuple[str, bytes]]) -> None:  # noqa: ARG002 - of the protocol
        if self.when == "set":
            time.sleep(0.02)  # longer than is waited for on the spot
            raise self.error


@pytest.mark.parametrize("when", ["get", "set"])
@pytest.mark.parametrize("error", [CancelledError, asyncio.CancelledError, StopIteration, OSError])
def test_however_a_cache_fails_it_costs_no_vector(
    when: str, error: type[BaseException], embedder: Maker
) -> None:
    """Errors that asyncio takes for its own are a warning as any other, and nothing hangs."""
    with pytest.warns(UserWarning, match="the cache (is not used|keeps nothing)"):
        result = embedder(cache=Failing(error, when=when)).embed(TEXTS, role="document")

    assert (result.vectors == embedder().embed(TEXTS, role="document").vectors).all()


def test_each_kind_of_request_has_its_own_vector(embedder: Maker, path: Path) -> None:
    """The same text as query, document, titled, in another model or dimension is never mixed up."""
    asked: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"model": model, "output_dimensionality": size}, {"role": role, "titles": titles})
        for model in (ONE, TWO)
        for size in (256, 128)
        for role, titles in (("query", None), ("document", None), ("document", ["T"]))
    ]
    uncached = [embedder(**o).embed(["a"], **c).vectors for o, c in asked]

    for _ in range(2):
        for (options, call), right in zip(asked, uncached, strict=True):
            got = embedder(cache=path, **options).embed(["a"], **call).vectors
            assert np.allclose(got, right, atol=1e-6)
    assert len({vector.tobytes() for vector in uncached}) == len(asked)


@pytest.mark.parametrize("model", [ONE, TWO])
def test_a_smaller_vector_comes_from_the_full_one(
    model: str, server: Standin, embedder: Maker, path: Path
) -> None:
    """A vector kept at the model's own dimension serves every smaller one, as the service would."""
    embedder(model=model, cache=path).embed(TEXTS, role="document")
    sent = len(server.log)

    small = embedder(model=model, cache=path, output_dimensionality=256)
    vectors = small.embed(TEXTS, role="document").vectors

    assert len(server.log) == sent
    right = embedder(model=model, output_dimensionality=256).embed(TEXTS, role="document").vectors
    assert np.allclose(vectors, right, atol=1e-6)


@pytest.mark.parametrize("normalize", ["auto", False])
@pytest.mark.parametrize("model", [ONE, TWO])
def test_the_full_dimension_can_be_kept_and_cut_here(
    model: str, normalize: Any, server: Standin, embedder: Maker, path: Path
) -> None:
    """`cache_full_dimension` asks for 3072 once; any dimension is then free."""
    options = {"model": model, "normalize": normalize}
    for size in (256, 128):
        made = embedder(
            cache=path, cache_full_dimension=True, output_dimensionality=size, **options
        )
        vectors = made.embed(TEXTS[:20], role="query").vectors
        bare = embedder(output_dimensionality=size, **options).embed(TEXTS[:20], role="query")
        assert np.allclose(vectors, bare.vectors, atol=1e-6)

    asked = [exchange.body["requests"][0].get("outputDimensionality") for exchange in server.log]
    assert asked == [None, 256, 128]


def test_what_arrived_before_an_error_is_kept(embedder: Maker, path: Path) -> None:
    """After a spent day the next run pays for the rest only."""
    with Standin(requests_per_day=200) as poor:
        for _ in range(2):
            made = embedder(cache=path, max_concurrency=1, base_url=poor.url)
            with pytest.raises(DailyQuotaError) as caught:
                made.embed(TEXTS, role="document")
            assert len(caught.value.partial) == 200
        assert [len(texts) for texts in sent_texts(poor)] == [100, 100, 50, 50]


def test_another_services_vectors_are_other_vectors(embedder: Maker, path: Path) -> None:
    """A file filled from the stand-in is not believed when talking to another address."""
    embedder(cache=path).embed(["a"], role="query")
    with Standin() as other:
        embedder(cache=path, base_url=other.url).embed(["a"], role="query")

        assert len(other.log) == 1


class Broken:
    """A cache whose server is down."""

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        raise ConnectionError(f"no route, {len(keys)}")

    def set_many(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        raise ConnectionError(f"no route, {len(pairs)}")


class Lying(Broken):
    """A cache that returns what is not a vector."""

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        sizes = [b"", b"abc", bytes(4 * 3072), np.full(3072, np.nan, np.float32).tobytes()]
        return [sizes[i % 4] for i, _ in enumerate(keys)]

    def set_many(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        """Forget them."""


@pytest.mark.parametrize("cache", [Broken(), Lying()])
def test_a_bad_cache_never_costs_or_spoils_a_vector(
    cache: Any, server: Standin, embedder: Maker
) -> None:
    """What a cache cannot do is warned about; what it returns is checked."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        vectors = embedder(cache=cache).embed(TEXTS, role="document").vectors

    wires = [f"title: none | text: {text}" for text in TEXTS]
    assert (vectors == vectors_of(server, wires, model=TWO)).all()
    told = [str(one.message) for one in caught if "cache" in str(one.message)]
    assert len(told) == 1
    assert ("no route" if type(cache) is Broken else "250; their texts") in told[0]


class Kept(dict[str, bytes]):
    """A cache in memory, for tests to look into."""

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return [self.get(key) for key in keys]

    def set_many(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        self.update(pairs)


def test_what_is_not_as_it_was_kept_is_asked_for_again(server: Standin, embedder: Maker) -> None:
    """A flipped bit, another text's vector: told once a call, never served, and mended."""
    cache = Kept()
    right = embedder(cache=cache).embed(TEXTS, role="document").vectors
    keys = list(cache)
    flipped = bytearray(cache[keys[0]])
    flipped[100] ^= 1
    cache[keys[0]] = bytes(flipped)
    cache[keys[1]], cache[keys[2]] = cache[keys[2]], cache[keys[1]]
    sent = len(server.log)

    with pytest.warns(UserWarning, match="damaged vectors in the cache Kept: 3") as told:
        again = embedder(cache=cache).embed(TEXTS, role="document").vectors

    assert len(told) == 1
    assert (again == right).all()
    assert [len(texts) for texts in sent_texts(server)[sent:]] == [3]
    assert (embedder(cache=cache).embed(TEXTS, role="document").vectors == right).all()
    assert len(server.log) == sent + 1


def test_a_damaged_row_of_the_file_is_mended(server: Standin, embedder: Maker, path: Path) -> None:
    """The file that comes with the project keeps the fresh vector in the damaged one's place."""
    right = embedder(cache=path).embed(["a"], role="query").vectors
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE vectors SET value = zeroblob(length(value)) WHERE value <> ''")
    connection.close()

    with pytest.warns(UserWarning, match=re.escape(f"damaged vectors in the cache {path}: 1")):
        again = embedder(cache=path).embed(["a"], role="query").vectors

    assert (again == right).all()
    assert (embedder(cache=path).embed(["a"], role="query").vectors == right).all()
    assert len(server.log) == 2


def test_a_damaged_vector_of_the_models_own_size_is_told_of(
    server: Standin, embedder: Maker
) -> None:
    """It would have served the smaller one; the next call has that from the cache."""
    cache = Kept()
    embedder(cache=cache).embed(["a"], role="query")
    (key,) = cache
    cache[key] = b"\1" + cache[key][1:]
    small = embedder(cache=cache, output_dimensionality=128)

    with pytest.warns(UserWarning, match="damaged vectors .*: 1"):
        first = small.embed(["a"], role="query").vectors

    assert (small.embed(["a"], role="query").vectors == first).all()
    assert len(server.log) == 2


def test_vectors_that_were_kept_before_there_were_seals_are_used(
    server: Standin, embedder: Maker
) -> None:
    """A file of an older release goes on being worth what was paid for it."""
    cache = Kept()
    right = embedder(cache=cache).embed(TEXTS, role="document").vectors
    cache.update({key: value[: 4 * 3072] for key, value in cache.items()})
    sent = len(server.log)

    assert (embedder(cache=cache).embed(TEXTS, role="document").vectors == right).all()
    assert len(server.log) == sent


class Short(Kept):
    """A cache that leaves out what it does not know."""

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return [value for value in super().get_many(keys) if value is not None]


def test_a_cache_that_returns_too_few_values_is_not_used(embedder: Maker) -> None:
    """Which value is whose could not be told."""
    cache = Short()

    with pytest.warns(UserWarning, match="0 values came back for 250 keys"):
        vectors = embedder(cache=cache).embed(TEXTS, role="document").vectors

    assert (vectors == embedder().embed(TEXTS, role="document").vectors).all()


class Leaving(Broken):
    """A cache that ends the program."""

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        raise SystemExit(len(keys))


def test_a_cache_that_exits_ends_its_caller_only(embedder: Maker) -> None:
    """`sys.exit()` in a cache ends the caller, not what others do at the time."""
    with Standin(latency=0.3) as slow, ThreadPoolExecutor(1) as pool:
        bystander = pool.submit(embedder(base_url=slow.url).embed, ["a"], role="query")
        while not slow.log:
            time.sleep(0.001)
        with pytest.raises(SystemExit):
            embedder(cache=Leaving()).embed(["a"], role="query")

        assert bystander.result().vectors.shape == (1, 3072)


@pytest.mark.parametrize("content", [b"this is a text file, not a database" * 100, None])
def test_a_foreign_file_is_refused_and_left_alone(
    content: bytes | None, server: Standin, embedder: Maker, tmp_path: Path
) -> None:
    """Somebody else's file is never overwritten; the error says what to do."""
    foreign = tmp_path / "notes.db"
    if content is None:
        connection = sqlite3.connect(foreign)
        connection.execute("CREATE TABLE notes (text)")
        connection.close()
    else:
        foreign.write_bytes(content)
    before = foreign.read_bytes()

    with pytest.raises(ConfigurationError, match=r"[Nn]ame another file"):
        embedder(cache=foreign).embed(["a"], role="query")

    assert foreign.read_bytes() == before
    assert server.log == []


def test_a_file_that_cannot_be_written_is_a_warning(embedder: Maker, tmp_path: Path) -> None:
    """A folder that cannot be made costs the cache, not the vectors."""
    (tmp_path / "file").write_text("in the way")

    with pytest.warns(UserWarning, match="the cache"):
        vectors = embedder(cache=tmp_path / "file" / "cache").embed(["a"], role="query").vectors

    assert vectors.shape == (1, 3072)


def test_a_full_disk_is_an_error_that_passes(path: Path) -> None:
    """It names the file; what is there can be read, and when there is room, more is kept."""
    cache = SQLiteCache(path)
    cache.set_many([(key(0), b"kept")])
    connection = cache._writer._connect(1)
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(OSError, match=f"full: '{path}'"):
        cache.set_many([(key(i), bytes(20_000)) for i in range(1, 50)])

    assert cache.get_many([key(0), key(1)]) == [b"kept", None]
    cache.set_many([(key(1), b"kept, too")])  # there is room again
    assert cache.get_many([key(0), key(1)]) == [b"kept", b"kept, too"]
    cache.close()


@given(st.dictionaries(st.integers(0, 50), st.binary(min_size=1), max_size=20), st.data())
def test_what_is_put_in_comes_out(values: dict[int, bytes], data: st.DataObject) -> None:
    """Any values, asked for in any order, repeatedly, and with keys that are not there."""
    asked = data.draw(st.lists(st.integers(0, 60)))
    with tempfile.TemporaryDirectory() as folder:
        cache = SQLiteCache(Path(folder) / "vectors")
        cache.set_many([(key(number), value) for number, value in values.items()])

        assert cache.get_many([key(n) for n in asked]) == [values.get(n) for n in asked]
        cache.close()


def test_the_least_recently_used_make_room(path: Path) -> None:
    """The file stays below its limit, and what was used today stays in it."""
    cache = SQLiteCache(path, max_bytes=4 * 2**20)
    cache._today = lambda: 100
    cache.set_many([(key(i), bytes(12_000)) for i in range(200)])
    cache._today = lambda: 101
    used = [key(i) for i in range(0, 200, 2)]
    assert None not in cache.get_many(used)

    cache.set_many([(key(i), bytes(12_000)) for i in range(200, 350)])

    assert cache.stats().bytes <= 4 * 2**20
    assert None not in cache.get_many(used)
    assert cache.get_many([key(i) for i in range(1, 200, 2)]).count(None) > 40
    cache.close()


def test_the_day_of_a_vector_is_known_from_the_first_of_it_on(path: Path) -> None:
    """What came today outlives what came yesterday, though nobody has asked for either."""
    cache = SQLiteCache(path, max_bytes=3 * 2**20)
    for day, numbers in ((100, range(100)), (101, range(99, 200)), (103, range(0))):
        cache._today = partial(int, day)
        cache.set_many([(key(i), bytes(12_000)) for i in numbers])
    assert cache.stats().oldest_use == 3
    assert cache.stats().vectors == 200

    cache.prune(3 * 2**19)

    left = [value is not None for value in cache.get_many([key(i) for i in range(200)])]
    assert not any(left[:100])
    assert sum(left[100:]) == cache.stats().vectors > 80
    cache.close()


def test_the_log_begins_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much is written without a pause, what waits to be copied stays small."""
    monkeypatch.setattr(sqlite, "_SETTLED_AT_ONCE", 2**20)
    cache = SQLiteCache(path)
    for turn in range(60):
        cache.set_many([(key(turn * 100 + i), bytes([turn]) * 3072) for i in range(100)])
        if cache._settling is not None:
            cache._settling.result(20)

    written = 60 * 100 * 3072
    assert path.stat().st_size > 0.9 * written
    assert path.with_name(f"{path.name}-wal").stat().st_size < written / 2
    found = cache.get_many([key(i) for i in range(6000)])
    assert found == [bytes([i // 100]) * 3072 for i in range(6000)]
    cache.close()


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


def test_what_takes_another_vectors_place_is_not_taken_for_it(path: Path) -> None:
    """While one process looks a text up, another may give its place in the file away."""
    reader, other = SQLiteCache(path), SQLiteCache(path)
    reader.set_many([("aa", b"vector of aa")])
    connection = reader._reader._connect(1)

    def meanwhile(statement: str) -> None:
        if "JOIN uses" in statement:
            connection.set_trace_callback(None)
            other.clear()
            other.set_many([("bb", b"vector of bb")])

    connection.set_trace_callback(meanwhile)

    assert reader.get_many(["aa"]) == [None]
    assert reader.get_many(["bb"]) == [b"vector of bb"]


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


def test_the_command_looks_after_a_file(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """stats, prune and clear say what is in the file, and give the space back."""
    cache = SQLiteCache(path)
    cache.set_many([(key(i), bytes(12_000)) for i in range(500)])
    cache.close()

    assert main(["stats", "--path", str(path)]) == 0
    assert "500 vectors, 6." in capsys.readouterr().out
    assert main(["prune", "--path", str(path), "--max-mib", "3"]) == 0
    assert path.stat().st_size <= 3 * 2**20
    assert main(["clear", "--path", str(path)]) == 0
    assert ": 0 vectors" in capsys.readouterr().out.splitlines()[-1]
    assert main(["stats", "--path", str(path.parent / "none")]) == 1
    path.write_bytes(b"something else" * 1000)
    assert main(["stats", "--path", str(path)]) == 1
    assert "not a cache file" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["prune", "--path", str(path)])


def test_the_default_file_is_the_users(
    server: Standin, embedder: Maker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`cache=True` keeps vectors where the platform keeps caches."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")

    embedder(cache=True).embed(["a"], role="query")

    assert default_path() == tmp_path / "gemini-embed" / "vectors.sqlite3"
    assert default_path().exists()
    assert len(server.log) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"cache": 3},
        {"cache_full_dimension": True},
        {"cache": True, "cache_full_dimension": True, "model": "text-embedding-005"},
    ],
)
@pytest.mark.filterwarnings("ignore:text-embedding-005")
def test_options_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    """A mistake is told when the embedder is built."""
    with pytest.raises(ConfigurationError, match="cache"):
        GeminiEmbedder(**wrong)


def test_a_limit_of_nothing_is_refused() -> None:
    """It would keep nothing, at some cost."""
    with pytest.raises(ConfigurationError, match="max_bytes"):
        SQLiteCache("x", max_bytes=0)


def test_keys_are_stable() -> None:
    """A file written by one release, process or Python is read by the next."""
    wire = WireText("task: search result | query: h\u00e9llo \u6587", None, None)

    assert cache_keys([wire], model=TWO, dimension=768, service=None) == [
        "25fa562b93523459c3236f21c809f08ccd70bd97"
    ]


@given(st.lists(st.tuples(st.text(), st.sampled_from([None, "CLUSTERING"]), st.none() | st.text())))
def test_no_two_requests_share_a_key(asked: list[tuple[str, Any, str | None]]) -> None:
    """However a text, a task and a title are put together, another request has another key."""
    wires = {WireText(*one) for one in asked}

    keys = cache_keys(wires, model=TWO, dimension=768, service=None)

    assert len(set(keys)) == len(wires)
