"""What is written down of a run and is not what it was: a named error, and never another vector."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from batch.standing import embedder, left_over, online, standing
from media.samples import png

from gemini_embed import BatchDamagedError
from gemini_embed.batch.ledger import Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gemini_embed import GeminiEmbedder
    from gemini_embed.media import Item
    from gemini_embed.standin import Standin

LARGE = 16_000_000
ITEMS: list[Item] = ["a text", png(1), ["a caption", png(2, size=LARGE)]]


@pytest.fixture
def server() -> Iterator[Standin]:
    with standing() as running:
        yield running


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1000])


def cut_to_nothing(file: Path) -> None:
    file.write_bytes(b"")


def exchange(file: Path) -> None:
    file.write_bytes(png(3, size=LARGE))


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


def uploaded_long_ago(mine: GeminiEmbedder, run: str) -> None:
    """Let what was uploaded be too old: it is uploaded once more."""
    office = mine._office()
    now = office.clock.now()
    lease = office.ledger.take(run, now, 60)
    assert isinstance(lease, Lease)
    old = [replace(job, at=job.at - 47 * 3600, due=0) for job in office.ledger.jobs(run)]
    office.ledger.write(lease, old, now, 60)
    office.ledger.give_back(lease)


CHANGES = [cut, cut_to_nothing, exchange, flip]


@pytest.mark.parametrize("change", CHANGES)
def test_a_medium_that_changes_before_its_upload_gives_no_vector(
    server: Standin, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    """The error names the item, no job is made; the same items again mend it."""
    server.job_script.append(["refused"])
    with embedder(server, tmp_path, batch_tokens=10**6, timeout=20) as mine:
        run = mine.batch(ITEMS, role="document")
        run.submit()
        uploaded_long_ago(mine, run.id)
        (kept,) = tmp_path.glob("*.media")
        change(kept)
        with pytest.raises(BatchDamagedError, match=rf"item 2: .*{kept.name}") as caught:
            mine.batch_resume(run.id).wait()
        assert (caught.value.indexes, caught.value.run) == ((2,), run.id)
        assert server.jobs == []
        again = mine.batch(ITEMS, role="document")
        again.wait()
        result = again.result()
        assert left_over(server) == []
    assert online(server) == []
    with embedder(server, tmp_path, cache=None, timeout=20) as other:
        assert result.vectors == pytest.approx(other.embed(ITEMS, role="document").vectors)


@pytest.mark.parametrize("change", CHANGES)
def test_a_medium_that_changes_before_it_goes_online_gives_no_vector(
    server: Standin, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    """Likewise, where its job failed; nothing of it is lost for good."""
    server.job_script.append(["failed"])
    with embedder(server, tmp_path, batch_tokens=10**6, timeout=20) as mine:
        run = mine.batch(ITEMS, role="document")
        run.submit()
        (kept,) = tmp_path.glob("*.media")
        change(kept)
        with pytest.raises(BatchDamagedError, match=rf"item 2: .*{kept.name}"):
            run.wait()
        assert online(server) == []
        again = mine.batch(ITEMS, role="document")
        again.wait()
        result = again.result()
    with embedder(server, tmp_path, cache=None, timeout=20) as other:
        assert result.vectors == pytest.approx(other.embed(ITEMS, role="document").vectors)


def test_who_has_the_items_no_more_can_clean_up(server: Standin, tmp_path: Path) -> None:
    """A run whose files are damaged is stopped and forgotten, over or not."""
    with embedder(server, tmp_path, batch_tokens=10**6, timeout=20) as mine:
        run = mine.batch(ITEMS, role="document")
        run.submit()
        (job,) = server.jobs
        job.seconds = 1e6
        (kept,) = tmp_path.glob("*.media")
        flip(kept)
        mine.batch_resume(run.id).clean()
        assert mine.batches() == []
    assert job.cancelled is not None
    assert list(tmp_path.glob("*.batch-*")) == []
