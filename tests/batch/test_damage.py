"""What is written down of a run and is not what it was: a named error, and never another vector."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from batch.standing import TEXTS, embedder, left_over, online, right, standing
from batch.test_ledger import NOW, PLACES, a_run
from media.samples import png

from gemini_embed import BatchDamagedError, BatchError
from gemini_embed.batch.jobs import planned
from gemini_embed.batch.ledger import Lease, Ledger
from gemini_embed.batch.places import Lines, Places
from gemini_embed.cache import SQLiteCache

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


def another_word(file: Path) -> None:
    data = file.read_bytes()
    assert data.count(b"text number 7") == 1
    file.write_bytes(data.replace(b"text number 7", b"text number 8"))


def exchanged_keys(file: Path) -> None:
    lines = file.read_bytes().splitlines()
    keys = [json.loads(line)["key"].encode() for line in lines]
    lines[7] = lines[7].replace(keys[7], keys[8])
    file.write_bytes(b"\n".join([*lines, b""]))


@pytest.mark.parametrize("is_sent_online", [False, True])
@pytest.mark.parametrize("change", [another_word, exchanged_keys])
def test_a_line_that_changes_gives_no_vector(
    server: Standin, tmp_path: Path, change: Callable[[Path], None], *, is_sent_online: bool
) -> None:
    """Of the spool, to another of the same length; the same texts again mend it."""
    server.job_script.append(["failed" if is_sent_online else "refused"])
    texts = TEXTS[:10]
    with embedder(server, tmp_path, batch_tokens=10**6) as mine:
        run = mine.batch(texts, role="document")
        run.submit()
        if not is_sent_online:
            uploaded_long_ago(mine, run.id)
        (spool,) = tmp_path.glob("*.jsonl")
        change(spool)
        with pytest.raises(BatchDamagedError, match=rf"item 7: .*{spool.name} is not") as caught:
            mine.batch_resume(run.id).wait()
        assert caught.value.indexes == (7,)
        assert online(server) == []
        again = mine.batch(texts, role="document")
        again.wait()
    assert again.result().vectors == pytest.approx(right(server, texts))


def test_places_of_an_earlier_version_are_read() -> None:
    """They say nothing of the lines, and runs are called by what they were."""
    places = Places.read(PLACES)
    sealed = replace(places, seals=np.arange(3, dtype=np.uint64))

    assert places.as_bytes() == PLACES
    assert places.all_lines == Lines(0, 27, [])
    assert Places.read(sealed.as_bytes()).lines(1, 3) == Lines(9, 27, [1, 2])


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


COLUMNS = [
    *(("runs", name) for name in ("id", "run", "lease", "holder", "until", "lasts", "places")),
    *(("jobs", name) for name in ("name", "run", "job")),
]
CELLS = [
    *("''", "'x'", "'files/../..'", "'{}'", "'[]'", "'null'", "'1'"),
    *("x'ff00'", "CAST(x'ff' AS TEXT)", "x'7b7d'", "zeroblob(99)"),
    *("-1", "0", "7", "1e300", "9e999", "-9e999", "9223372036854775807", "0.5"),
]


def tried(action: Callable[[], Any]) -> Any:
    """Return what an action does; BatchError is what it may raise."""
    try:
        return action()
    except BatchError as error:
        return error


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_no_cell_is_believed_before_it_is_checked(
    tmp_path: Path, table: str, column: str, cell: str
) -> None:
    """Whatever stands there: what is asked of the run goes well or is a `BatchError` that names it.

    Others hear nothing of it, and it can be forgotten.
    """
    ledger = Ledger(SQLiteCache(tmp_path / "v.sqlite3"))
    for name in ("good", "r"):
        ledger.begin(a_run(name), [planned(0, 3, 1)], PLACES)
    lease = ledger.take("r", NOW, 60)
    assert isinstance(lease, Lease)
    good = ledger.run("good"), ledger.jobs("good")
    with sqlite3.connect(tmp_path / "v.sqlite3") as file:
        key = "id" if table == "runs" else "run"
        file.execute(f"UPDATE batch_{table} SET {column} = {cell} WHERE {key} = 'r'")  # noqa: S608

    for action in (
        lambda: ledger.run("r"),
        lambda: ledger.jobs("r"),
        lambda: ledger.run("r") and ledger.places("r"),
        lambda: ledger.take("r", NOW, 60),
        lambda: ledger.write(lease, [planned(0, 3, 1)], NOW, 60),
        lambda: ledger.cancel("r"),
        lambda: ledger.close(lease),
        lambda: ledger.give_back(lease),
        lambda: ledger.forget("r"),
    ):
        met = tried(action)
        assert not isinstance(met, BatchError) or met.run == "r"
    ledger.forget_old(NOW + 1)
    ledger.drop_awaited(NOW + 1)
    assert ledger.awaited() == []
    assert (ledger.run("good"), ledger.jobs("good")) == good
    assert "good" in ledger.ids()
    ledger.forget_all_of("r")
    assert ledger.run("r") is None


FIELDS: list[tuple[str, str, Any]] = [
    ("run", "$.asked.role", "x"),
    ("run", "$.asked.backend", "x"),
    ("run", "$.options", "{}"),
    ("run", "$.spool", "files/../.."),
    ("job", "$.job", "batches/\ud800"),
    ("job", "$.job", "batches/../x y"),
    ("job", "$.file", "../files"),
    ("job", "$.name", "gemini-embed-other"),
]
"""What cannot be, whoever wrote it."""

SEALED: list[tuple[str, str, Any]] = [
    ("run", "$.asked.service", "x"),
    ("run", "$.asked.model", "x"),
    ("run", "$.options.model", "no-such-model"),
    ("run", "$.options.model", 5),
    ("run", "$.options.bogus", 1),
    ("run", "$.texts", 2),
    ("job", "$.last", 5),
]
"""What the seal alone tells from what was written: an earlier version wrote none."""


@pytest.mark.parametrize(
    ("column", "field", "value", "has_seal"),
    [
        *((*one, True) for one in [*FIELDS, *SEALED]),
        *((*one, False) for one in FIELDS),
    ],
)
def test_a_run_that_somebody_changed_can_be_cleaned(
    server: Standin, tmp_path: Path, column: str, field: str, value: Any, *, has_seal: bool
) -> None:
    """The error says to clean it; that stops its job, and the same texts can be embedded again."""
    with embedder(server, tmp_path, batch_tokens=10**6) as mine:
        run = mine.batch(TEXTS, role="document")
        run.submit()
        (job,) = server.jobs
        job.seconds = 1e6
        edit(tmp_path / "vectors.sqlite3", column, field, value, has_seal=has_seal)

        assert [one.state for one in mine.batches()] == ["damaged"]
        resumed = mine.batch_resume(run.id)
        for action in (resumed.status, resumed.wait, resumed.result, resumed.cancel):
            with pytest.raises(BatchDamagedError, match=r"clean\(\) stops its jobs"):
                action()
        resumed.clean()

        assert mine.batches() == []
        assert job.cancelled is not None
        assert list(tmp_path.glob("*.batch-*")) == []
        result = mine.embed(TEXTS, role="document", batch=True)
    assert (result.vectors == right(server, TEXTS)).all()


def edit(path: Path, column: str, field: str, value: Any, *, has_seal: bool) -> None:
    """Change a field of a row of JSON, as somebody does who knows nothing of seals."""
    table = f"batch_{column}s"
    with sqlite3.connect(path) as file:
        ((row,),) = file.execute(f"SELECT {column} FROM {table}").fetchall()  # noqa: S608 - ours
        held = json.loads(row)
        if not has_seal:
            del held["seal"]
        *within, name = field.split(".")[1:]
        place = held
        for one in within:
            place = place[one]
        assert place.get(name) != value
        place[name] = value
        file.execute(f"UPDATE {table} SET {column} = ?", (json.dumps(held),))  # noqa: S608 - ours


@pytest.mark.parametrize("cell", ["lease = 'x'", "lease = 1e300", "until = 'x'", "lasts = 9e999"])
def test_a_damaged_lease_is_damage_of_its_run(server: Standin, tmp_path: Path, cell: str) -> None:
    """Nobody can tell who works it: it is named, and can be cleaned."""
    with embedder(server, tmp_path, batch_tokens=10**6) as mine:
        run = mine.batch(TEXTS, role="document")
        run.submit()
        with sqlite3.connect(tmp_path / "vectors.sqlite3") as file:
            file.execute(f"UPDATE batch_runs SET {cell}")  # noqa: S608 - ours
        with pytest.raises(BatchDamagedError, match="its lease is none"):
            run.wait()
        mine.batch_resume(run.id).clean()
        assert mine.batches() == []


@pytest.mark.parametrize("change", ["SET run = 'x'", "SET run = x'ff'"])
def test_a_run_that_lacks_a_job_is_not_over(server: Standin, tmp_path: Path, change: str) -> None:
    """Else its texts would be sent once more, as if their vectors had gone from the cache."""
    with embedder(server, tmp_path) as mine:
        run = mine.batch(TEXTS, role="document")
        assert len(run.submit().jobs) > 2
        with sqlite3.connect(tmp_path / "vectors.sqlite3") as file:
            last = "(SELECT max(rowid) FROM batch_jobs)"
            file.execute(f"UPDATE batch_jobs {change} WHERE rowid = {last}")
        with pytest.raises(BatchDamagedError, match="a job of it is missing"):
            run.wait()
        assert [one.state for one in mine.batches()] == ["damaged"]
        mine.batch_resume(run.id).clean()
        assert mine.batches() == []


def test_a_run_of_an_earlier_version_goes_on(server: Standin, tmp_path: Path) -> None:
    """Its rows have no seal."""
    with embedder(server, tmp_path, batch_tokens=10**6) as mine:
        run = mine.batch(TEXTS, role="document")
        run.submit()
        with sqlite3.connect(tmp_path / "vectors.sqlite3") as file:
            file.execute("UPDATE batch_runs SET run = json_remove(run, '$.seal', '$.kept')")
            file.execute("UPDATE batch_jobs SET job = json_remove(job, '$.seal')")
        resumed = mine.batch_resume(run.id)
        resumed.wait()
        assert (resumed.result().vectors == right(server, TEXTS)).all()
