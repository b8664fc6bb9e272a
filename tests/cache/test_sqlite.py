"""The file that comes with the project: what is kept in it, and for how long."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cache.numbered import key
from hypothesis import given
from hypothesis import strategies as st

from gemini_embed import ConfigurationError, GeminiEmbedder
from gemini_embed.cache import SQLiteCache, default_path, sqlite

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin import Standin

    Maker = Callable[..., GeminiEmbedder]


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


def test_a_limit_of_nothing_is_refused() -> None:
    """It would keep nothing, at some cost."""
    with pytest.raises(ConfigurationError, match="max_bytes"):
        SQLiteCache("x", max_bytes=0)
