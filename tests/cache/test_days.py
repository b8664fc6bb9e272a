"""The count of a day's texts in the cache's file, which several processes share."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from helpers import joined, sent_texts

from gemini_embed import DailyQuotaError
from gemini_embed.cache import SQLiteCache
from gemini_embed.pacing.day import Entry
from gemini_embed.pacing.quota import limiter_of
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gemini_embed import GeminiEmbedder

    Maker = Callable[..., GeminiEmbedder]

NOON = datetime(2026, 11, 20, 12, tzinfo=ZoneInfo("America/Los_Angeles")).timestamp()
DAY = 86_400.0


def count(cache: SQLiteCache, day: int, texts: int, account: str = "ours") -> Entry:
    book = cache.day_book(account)
    return book.change(day, lambda entry: entry.with_sent(texts), patient=True)[1]


def read(path: Path, day: int, account: str = "ours") -> Entry:
    """Return an entry as another process finds it."""
    cache = SQLiteCache(path)
    entry = count(cache, day, 0, account)
    cache.close()
    return entry


def test_days_and_accounts_are_counted_apart(path: Path) -> None:
    """What one key sent is not held against another, nor yesterday against today."""
    cache = SQLiteCache(path)
    count(cache, 7, 100)
    count(cache, 7, 50)
    count(cache, 8, 10)
    count(cache, 7, 1, "another's")
    cache.close()

    assert read(path, 7).sent == 150
    assert read(path, 8).sent == 10
    assert read(path, 9).sent == 0
    assert read(path, 7, "another's").sent == 1


def test_what_a_refusal_named_outlives_the_day(path: Path) -> None:
    """The next day begins with the limit known, and with nothing sent."""
    cache = SQLiteCache(path)
    cache.day_book("ours").change(
        7, lambda entry: entry.with_sent(9).with_refusal(1000, None, 7, 5.5), patient=True
    )
    cache.close()

    assert read(path, 7) == Entry(9, 5.5, 1000, 7)
    assert read(path, 9) == Entry(0, 0.0, 1000, 7)
    assert read(path, 6) == Entry()


def test_old_days_are_forgotten(path: Path) -> None:
    """The file does not grow by a row a day for ever."""
    cache = SQLiteCache(path)
    for day in range(100):
        count(cache, day, 1)
    cache.close()
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT count(*) FROM days").fetchone()[0] == 31


def test_threads_count_every_text(path: Path) -> None:
    """Nothing that is counted at the same moment gets lost."""
    cache = SQLiteCache(path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: count(cache, 7, 1), range(200)))

    assert count(cache, 7, 0).sent == 200
    cache.close()


def test_a_file_of_an_earlier_release_is_taken(
    server: Standin, embedder: Maker, path: Path
) -> None:
    """It gets the table at the first count; its vectors stay, and an earlier release reads on."""
    embedder(cache=path).embed(["a"], role="query")
    with closing(sqlite3.connect(path)) as file:
        file.execute("DROP TABLE days")

    embedder(cache=path, requests_per_day=10).embed(["a", "b"], role="query")

    assert len(server.log) == 2
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT sum(sent) FROM days").fetchone()[0] == 1
        tables = {name for (name,) in file.execute("SELECT name FROM sqlite_schema")}
        assert {"vectors", "uses"} <= tables
        file.execute("INSERT INTO vectors (key, value) VALUES (x'aa', x'bb')")


def test_the_account_shows_no_key(server: Standin, path: Path, embedder: Maker) -> None:
    """The file says how much was sent, and not with what; two keys have two counts."""
    for key in ("a-very-secret-key", "another-secret-key"):
        embedder(api_key=key, cache=path, requests_per_day=10).embed([key], role="query")
    everything = b"".join(file.read_bytes() for file in path.parent.iterdir())

    assert b"secret" not in everything
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT sent FROM days").fetchall() == [(1,), (1,)]
    assert len(server.log) == 2


DAMAGES: list[str] = [
    "UPDATE days SET sent = 'x'",
    "UPDATE days SET sent = -1000",
    "UPDATE days SET sent = 9223372036854775807",
    "UPDATE days SET full_until = x'00'",
    "UPDATE days SET named = NULL",
    "UPDATE days SET named = -1",
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_row_counts_as_none(path: Path, damage: str) -> None:
    """Anything may stand in the place of a number."""
    cache = SQLiteCache(path)
    count(cache, 7, 5)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute(damage)

    assert count(cache, 7, 1).sent == 1
    cache.close()


def test_a_file_that_was_replaced_lets_nobody_send_more(
    server: Standin, embedder: Maker, path: Path
) -> None:
    """Who deletes the cache of an embedder does not make it exceed the limit that it was told."""
    made = embedder(cache=path, requests_per_day=10)
    made.embed([f"before {i}" for i in range(6)], role="document")
    for file in path.parent.iterdir():
        file.unlink()

    more = [f"after {i}" for i in range(6)]
    made.embed(more[:1], role="document")
    assert made.estimate(more, role="document").days == 2
    with pytest.raises(DailyQuotaError) as caught:
        made.embed(more, role="document")

    assert sorted(caught.value.partial) == [0, 1, 2, 3]
    assert len(joined(sent_texts(server))) == 10
    with pytest.raises(DailyQuotaError):
        embedder(cache=path, requests_per_day=10).embed(["another process"], role="document")


@pytest.mark.parametrize("in_file", [False, True])
def test_a_clock_that_was_far_ahead_lets_nobody_send_more(
    embedder: Maker, path: Path, in_file: bool
) -> None:
    """A day's count is found again, though the file keeps days of the last weeks only."""
    made = embedder(requests_per_day=10, cache=path if in_file else None)
    times = [NOON]
    limiter_of(made._quota).daily.clock = lambda: times[-1]
    for days, texts in ((0, 6), (40, 1), (41, 1)):
        times.append(NOON + days * DAY)
        made.embed([f"{days} {i}" for i in range(texts)], role="document")

    times.append(NOON)
    with pytest.raises(DailyQuotaError) as caught:
        made.embed([f"again {i}" for i in range(6)], role="document")
    assert sorted(caught.value.partial) == [0, 1, 2, 3]


def hold(path: Path) -> sqlite3.Connection:
    other = sqlite3.connect(path, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    return other


def test_a_file_that_cannot_be_used_is_told_of_once(
    server: Standin, embedder: Maker, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process counts for itself then, and adds that to the file's count when it can."""
    monkeypatch.setattr("gemini_embed.cache.file._PATIENCE", 0.05)
    monkeypatch.setattr("gemini_embed.pacing.counting._PAUSE", 0.0)
    made = embedder(cache=path, requests_per_day=5)
    made.embed(["a"], role="query")
    with closing(hold(path)), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        made.embed(["b"], role="query")
        made.embed(["c"], role="query")
    made.embed(["d"], role="query")

    (ours,) = [str(one.message) for one in told if "the day's texts" in str(one.message)]
    assert str(path) in ours
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT sent FROM days").fetchall() == [(4,)]
    with pytest.raises(DailyQuotaError):
        made.embed(["e", "f"], role="query")
    assert len(joined(sent_texts(server))) == 5


def test_without_a_limit_nobody_is_told_nor_waits_long(
    server: Standin, embedder: Maker, path: Path
) -> None:
    """A locked file is in the way of those who have a limit only."""
    made = embedder(cache=path)
    made.embed(["a"], role="query")
    lock = hold(path)
    release = threading.Timer(3, lock.close)
    release.start()

    made.embed(["b"], role="query")

    assert len(server.log) == 2
    release.join()


LOADING = """
import sys, time
from gemini_embed import DailyQuotaError, GeminiEmbedder
from gemini_embed.pacing.quota import limiter_of
url, cache, name, base, limit = sys.argv[1:]
embedder = GeminiEmbedder(
    api_key="k", base_url=url, cache=cache, output_dimensionality=128, timeout=20,
    requests_per_day=int(limit) or None, max_concurrency=2, batch_size=50,
)
began = time.time()
limiter_of(embedder._quota).daily.clock = lambda: float(base) + time.time() - began
try:
    print(len(embedder.embed([f"{name} {i}" for i in range(1000)], role="document").vectors))
except DailyQuotaError as error:
    print(len(error.partial), error.resets_at)
"""


def begin(url: str, path: Path, name: str, *, base: float = NOON, limit: int = 0) -> Any:
    command = [sys.executable, "-c", LOADING, url, str(path), name, str(base), str(limit)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own


def ended(process: Any) -> str:
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return str(said)


def test_processes_share_the_limit_of_a_day(path: Path) -> None:
    """Together they send what the day allows, to the last text, and no more."""
    with Standin(latency=0.02) as server:
        both = [begin(server.url, path, name, limit=730) for name in ("one", "other")]
        done = [int(ended(process).split()[0]) for process in both]

        assert sum(done) == 730
        assert len(joined(sent_texts(server))) == 730


@pytest.mark.parametrize("limit", [0, 400])
def test_a_job_killed_on_day_two_goes_on_on_day_three(limit: int, path: Path) -> None:
    """Nothing is paid for twice but what was under way, and nothing is refused in vain."""
    now = [NOON]
    with Standin(requests_per_day=400, latency=0.05, clock=lambda: now[0]) as server:
        run = partial(begin, server.url, path, "text", limit=limit)
        assert ended(run(base=now[0])).startswith("400 ")
        refused = [one for one in server.log if one.status == 429]

        now[0] += DAY
        before = len(server.log)
        killed = run(base=now[0])
        while len(server.log) < before + 4:
            time.sleep(0.005)
        killed.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        killed.wait(30)
        killed.stdout.close()

        now[0] += DAY
        assert ended(run(base=now[0])).split()[0] in {"800", "850", "900", "950", "1000"}
        now[0] += DAY
        assert ended(run(base=now[0])) == "1000\n"

        accepted = [one for one in server.log if one.status != 429]
        texts = sum(len(one.body["requests"]) for one in accepted if one.body)
        assert 1000 <= texts <= 1000 + 2 * 50
        assert [one for one in server.log if one.status == 429] == refused
        assert len(refused) <= (0 if limit else 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_counts_in_the_same_file(
    server: Standin, embedder: Maker, path: Path
) -> None:
    """A limit that was nearly reached before a fork is so after it, on both sides."""
    made = embedder(cache=path, requests_per_day=5)
    made.embed(["a", "b"], role="query")
    if (child := os.fork()) == 0:
        made.embed(["c", "d"], role="query")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0

    with pytest.raises(DailyQuotaError) as caught:
        made.embed(["e", "f"], role="query")

    assert len(caught.value.partial) == 1
    assert len(joined(sent_texts(server))) == 5


def test_loads_may_leave_something_to_queries(server: Standin, embedder: Maker, path: Path) -> None:
    """Who tells a smaller limit ends earlier; the count is the same for all."""
    loads = embedder(cache=path, requests_per_day=3)
    queries = embedder(cache=path, requests_per_day=5)

    with pytest.raises(DailyQuotaError) as caught:
        loads.embed(["a", "b", "c", "d"], role="document")
    assert len(caught.value.partial) == 3
    queries.embed(["q", "r"], role="query")
    with pytest.raises(DailyQuotaError):
        queries.embed(["s"], role="query")
    assert len(joined(sent_texts(server))) == 5
