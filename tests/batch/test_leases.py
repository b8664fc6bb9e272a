"""Who may work a run, and what lies on the disk meanwhile."""

from __future__ import annotations

import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from batch.standing import SPEED, TEXTS, embedder, left_over, right, standing

import gemini_embed as ge
from gemini_embed.batch.ledger import Lease, Ledger
from gemini_embed.cache import SQLiteCache

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gemini_embed.standin import Standin

FOR_EVER = 1e12


@pytest.fixture
def server() -> Iterator[Standin]:
    with standing(batch_seconds=0.3 * SPEED) as running:
        yield running


def test_who_was_held_up_for_too_long_stops(server: Standin, tmp_path: Path) -> None:
    """Another process has taken the run over: the first one says so, and changes nothing more."""
    file = tmp_path / "vectors.sqlite3"
    with embedder(server, tmp_path) as mine, ThreadPoolExecutor(1) as pool:
        run = mine.batch(TEXTS, role="document")
        waiting = pool.submit(run.wait)
        while not server.jobs:
            time.sleep(0.005)
        # As if its lease had ended while the machine slept.
        taken = Ledger(SQLiteCache(file)).take(run.id, FOR_EVER, FOR_EVER)
        assert isinstance(taken, Lease)
        with pytest.raises(ge.BatchLeaseError, match="has taken over") as caught:
            waiting.result(30)
        sent = len(server.log)
        assert caught.value.run == run.id
        Ledger(SQLiteCache(file)).give_back(taken)
        assert len(server.log) == sent
        run.wait()
        assert run.result().vectors == pytest.approx(right(server, TEXTS))
    assert set(server.paid().values()) == {1}
    assert len(server.paid()) == len(TEXTS)


def test_texts_lie_in_a_private_file_until_the_end(server: Standin, tmp_path: Path) -> None:
    """Nobody else of the machine reads them, and they are gone when the run is over."""
    with embedder(server, tmp_path) as mine:
        run = mine.batch(TEXTS, role="document")
        run.submit()
        (spool,) = tmp_path.glob("*.batch-*")
        assert stat.S_IMODE(spool.stat().st_mode) == 0o600
        assert "text number 1" in spool.read_text(encoding="utf-8")
        assert len(left_over(server)) == 1
        run.wait()
        assert list(tmp_path.glob("*.batch-*")) == []
        assert left_over(server) == []


def test_two_threads_that_wait_for_one_run(server: Standin, tmp_path: Path) -> None:
    """Both get all vectors, and no text is paid for twice."""
    started = threading.Barrier(2)

    def work() -> ge.EmbeddingResult:
        with embedder(server, tmp_path) as mine:
            run = mine.batch(TEXTS, role="document")
            started.wait()
            run.wait()
            return run.result()

    with ThreadPoolExecutor(2) as pool:
        results = [one.result() for one in [pool.submit(work) for _ in range(2)]]
    for result in results:
        assert result.vectors == pytest.approx(right(server, TEXTS))
    assert set(server.paid().values()) == {1}
    assert len(server.jobs) == 3
