"""One quota for several processes: what each knows of the others, by the file between them."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from gemini_embed.cache import SQLiteCache, ledger
from gemini_embed.cache.ledger import QuotaFile
from gemini_embed.errors import ConfigurationError, QuotaExceededError
from gemini_embed.pacing.limiter import Limiter, Limits
from gemini_embed.pacing.sharing import Sharing

if TYPE_CHECKING:
    from pathlib import Path

    from gemini_embed.pacing.window import Sent

TIMEOUT, PERIOD = 30.0, 60.0


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


class Clock:
    """The machine's clock, which only a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", clock)
    return clock


class Process:
    """What one process has of a shared quota."""

    def __init__(self, path: Path, clock: Clock, **limits: int) -> None:
        self.limiter = Limiter(Limits(**(limits or {"requests": 100})))
        self.clock = clock
        self.sharing = Sharing(self.limiter, QuotaFile(str(path)), TIMEOUT)

    async def take(self, texts: int, *, is_query: bool = False) -> Sent | None:
        """Admit a request as the gate does, and count it for all; None where it may not leave."""
        sent = self.limiter.send(texts, texts, self.clock.now, is_query=is_query)
        self.clock.now += 0.001
        if await self.sharing.take(sent, is_query=is_query):
            return sent
        self.limiter.unsend(sent, self.clock.now)
        return None

    async def answer(self, sent: Sent) -> None:
        self.limiter.accept(sent, self.clock.now)
        self.sharing.end("answered", sent)
        await self.told()

    async def told(self) -> None:
        """Wait until the file has what the others must know."""
        if (flushing := self.sharing._flushing) is not None:
            await flushing

    async def room(self, *, is_query: bool = True) -> float:
        await self.sharing.look()
        room = self.limiter.room(self.clock.now, is_query=is_query)
        return 0 if room is None else room.texts


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "quota.sqlite3"


async def test_what_one_sends_another_cannot(path: Path, clock: Clock) -> None:
    """Of 100 texts in a window 60 of one process leave 40 to all others together."""
    one, other, third = (Process(path, clock) for _ in range(3))

    assert await one.take(60) is not None
    assert await other.take(41) is None
    assert await other.take(30) is not None
    assert await third.take(11) is None
    assert await third.take(10) is not None
    assert await one.take(1) is None


async def test_what_was_answered_counts_for_a_period(path: Path, clock: Clock) -> None:
    """There is room again a period after the answer, for whoever comes first."""
    one, other = Process(path, clock), Process(path, clock)
    sent = await one.take(100)
    assert sent is not None
    clock.now += 5
    await one.answer(sent)

    clock.now += PERIOD - 0.1
    assert await other.take(1) is None
    clock.now += 0.1
    assert await other.take(70) is not None
    assert await one.take(31) is None


async def test_the_request_of_a_dead_process_counts_until_it_has_ended_for_sure(
    path: Path, clock: Clock
) -> None:
    """Nobody says how it ended: so it counts for its timeout, and for a period after that."""
    dead, alive = Process(path, clock), Process(path, clock)
    assert await dead.take(100) is not None
    began = clock.now
    assert await alive.room() == 0

    clock.now = began + TIMEOUT + PERIOD - 0.1
    assert await alive.room() == 0
    clock.now = began + TIMEOUT + PERIOD + 0.1
    assert await alive.room() == 100


async def test_who_comes_later_knows_it_all(path: Path, clock: Clock) -> None:
    """A process that starts takes into account what others sent before."""
    one = Process(path, clock)
    sent = await one.take(60)
    assert sent is not None
    await one.answer(sent)

    assert await Process(path, clock).room() == 40


async def test_what_was_not_sent_leaves_its_room(path: Path, clock: Clock) -> None:
    """A call that ends before its request leaves takes nothing from others."""
    one, other = Process(path, clock), Process(path, clock)
    sent = await one.take(100)
    assert sent is not None
    one.limiter.unsend(sent, clock.now)
    one.sharing.end("unsent", sent)
    await one.told()

    assert await other.room() == 100


async def test_a_refusal_teaches_all(path: Path, clock: Clock) -> None:
    """A 429 that names a limit and a delay holds for each process, later ones included."""
    one, other = Process(path, clock), Process(path, clock)
    sent = await one.take(60)
    assert sent is not None
    error = QuotaExceededError(
        "429", retry_after=20.0, quota_id="EmbedContentRequestsPerMinute", quota_value=50
    )
    one.limiter.refuse(sent, error, clock.now, backoff=1.0)
    one.sharing.refuse(sent, error, backoff=1.0)
    await one.told()

    for process in (other, Process(path, clock)):
        await process.sharing.look()
        assert process.limiter.wait(clock.now) == pytest.approx(20.0, abs=0.1)
        assert process.limiter.description.startswith("50 texts")


async def test_a_query_that_waits_is_left_some_room(path: Path, clock: Clock) -> None:
    """A load of another process leaves its share to queries as soon as one of them waits."""
    one, other = Process(path, clock), Process(path, clock)
    sent = await one.take(100)
    assert sent is not None
    await one.answer(sent)
    assert await other.take(1, is_query=True) is None
    await other.told()
    clock.now += PERIOD + 0.1

    assert await one.room(is_query=False) <= 98
    assert await other.room(is_query=True) == 100


async def test_tokens_are_shared_too(path: Path, clock: Clock) -> None:
    """A limit of tokens holds for all processes together."""
    one, other = (Process(path, clock, tokens=100) for _ in range(2))

    assert await one.take(60) is not None
    assert await other.take(41) is None
    assert await other.take(40) is not None


async def test_after_the_machine_was_started_again(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its clock began anew, and what was sent before counts no more."""
    assert await Process(path, clock).take(100) is not None
    monkeypatch.setattr(ledger, "boot", lambda: "another")

    assert await Process(path, clock).room() == 100


async def test_a_clock_that_began_anew_without_a_name(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system does not name its start, events of the future are of the past."""
    monkeypatch.setattr(ledger, "boot", lambda: "")
    assert await Process(path, clock).take(100) is not None
    clock.now = 10.0

    assert await Process(path, clock).room() == 100


@pytest.mark.filterwarnings("ignore:.* was deleted or replaced")
async def test_another_file_in_its_place(path: Path, clock: Clock) -> None:
    """Who deletes the file lets all begin anew, and they go on sharing."""
    one, other = Process(path, clock), Process(path, clock)
    assert await one.take(50) is not None
    assert await other.room() == 50
    for ending in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + ending).unlink()

    assert await one.take(20) is not None
    assert await other.take(40) is None
    assert await other.take(30) is not None


async def test_a_file_that_cannot_be_used(tmp_path: Path, clock: Clock) -> None:
    """The process goes on with the quota for itself, and says so once."""
    (tmp_path / "file").write_text("no folder")
    one = Process(tmp_path / "file" / "quota.sqlite3", clock)

    with pytest.warns(UserWarning, match="has its quota for itself") as warned:
        assert await one.take(60) is not None
    assert await one.take(40) is not None
    assert len(warned) == 1


async def test_a_file_of_something_else(tmp_path: Path, clock: Clock) -> None:
    """It is left as it is, and the call says so."""
    path = tmp_path / "notes.txt"
    path.write_text("something else" * 100)

    with pytest.raises(ConfigurationError, match=r"notes\.txt"):
        await Process(path, clock).take(1)
    assert path.read_text() == "something else" * 100


async def test_old_events_are_deleted(path: Path, clock: Clock) -> None:
    """The file does not grow with what was sent."""
    one = Process(path, clock)
    for _ in range(20):
        sent = await one.take(100)
        assert sent is not None
        await one.answer(sent)
        clock.now += 300

    with SQLiteCache(path).writing(math.inf) as connection:
        (count,) = connection.execute("SELECT count(*) FROM quota_events").fetchone()
    assert count <= 4


async def test_a_damaged_row_is_left_out(path: Path, clock: Clock) -> None:
    """Whatever a file holds, the events that are sound count, and no others."""
    one, other = Process(path, clock), Process(path, clock)
    assert await one.take(60) is not None
    with SQLiteCache(path).writing(math.inf) as connection:
        for damage in ("texts = -50", "texts = 'many'", "at = x'00'", "backoff = 9e999"):
            connection.execute(
                "INSERT INTO quota_events SELECT id + 1000 + random() % 500, scope, boot, kind, "
                "'another', number, at, kept_until, texts, tokens, is_query, ends_by, backoff, "
                "retry_after, quota_id, quota_value FROM quota_events WHERE process <> 'another'"
            )
            connection.execute(f"UPDATE quota_events SET {damage} WHERE process = 'another'")  # noqa: S608 - constants

    assert await other.room() == 40


async def test_only_its_owner_reads_the_file(path: Path, clock: Clock) -> None:
    """What a process sends is nobody else's business."""
    assert await Process(path, clock).take(1) is not None

    assert mode_of(path) == 0o600
