"""The file of a quota on bad terms: a named error, or a warning and a quota of one's own."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gemini_embed import ConfigurationError, GeminiEmbedder, Quota

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin import Standin

LIMIT = 10


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "quota.sqlite3"


@pytest.fixture
def sharer(server: Standin, path: Path) -> Callable[[], GeminiEmbedder]:
    """Return a maker of embedders that share a quota of `LIMIT` texts in an hour by the file."""

    def make() -> GeminiEmbedder:
        quota = Quota(LIMIT, period=3600, path=path)
        return GeminiEmbedder(api_key="k", base_url=server.url, quota=quota)

    return make


def embed(embedder: GeminiEmbedder, count: int = 1) -> None:
    texts = [f"text {number}" for number in range(count)]
    assert embedder.embed(texts, role="document").vectors.shape == (count, 3072)


def delete(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + ending).unlink()


def until_told(path: Path, *, answers: int) -> None:
    """Return once the file has so many answers: a call ends before it has told of its own."""
    query = "SELECT count(*) FROM quota_events WHERE kind = 'answered'"
    with closing(sqlite3.connect(path)) as other:
        while other.execute(query).fetchone()[0] < answers:
            time.sleep(0.001)


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as other, other:
        other.execute(statement)


def test_a_file_of_a_newer_version(
    server: Standin, sharer: Callable[[], GeminiEmbedder], path: Path
) -> None:
    """Nothing is sent, since nobody here knows what the file says of the quota."""
    embed(sharer())
    change(path, "PRAGMA user_version = 1")

    with pytest.raises(ConfigurationError, match=r"written by a newer gemini-embed.*update"):
        embed(sharer())
    assert len(server.log) == 1


def test_a_file_that_is_deleted_while_it_is_in_use(
    sharer: Callable[[], GeminiEmbedder], path: Path
) -> None:
    """Who uses it is told once, and goes on with those that come later."""
    first, second = sharer(), sharer()
    embed(first, 3)
    embed(second, 3)
    until_told(path, answers=2)
    delete(path)

    for one in (first, second):
        with pytest.warns(UserWarning, match=r"quota\.sqlite3.* deleted or replaced") as told:
            embed(one)
        embed(one)
        assert len(told) == 1
    third = sharer()
    embed(third)
    assert isinstance(third.quota, Quota)
    assert third.quota.left().texts == LIMIT - 5  # of the four since, and its own


def test_a_file_that_another_machine_uses_too(
    sharer: Callable[[], GeminiEmbedder], path: Path
) -> None:
    """Its clock says nothing here, so what it sends cannot be counted: that is told once."""
    one = sharer()
    embed(one)
    change(path, "CREATE TABLE old AS SELECT * FROM quota_events LIMIT 1")
    change(path, "UPDATE old SET id = id + 1000, boot = 'another', process = 'another'")
    change(path, "INSERT INTO quota_events SELECT * FROM old")

    with pytest.warns(UserWarning, match=r"another machine uses .*quota\.sqlite3") as told:
        embed(one)
    embed(one)
    assert len(told) == 1


def test_a_file_of_before_the_machine_was_started_again(
    sharer: Callable[[], GeminiEmbedder], path: Path
) -> None:
    """What is in it then is of this machine, and nothing is told."""
    embed(sharer())
    change(path, "UPDATE quota_events SET boot = 'before'")

    embed(sharer())


def test_a_file_that_stays_locked(
    sharer: Callable[[], GeminiEmbedder], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a file system without locks: it is waited for, but not for ever."""
    monkeypatch.setattr("gemini_embed.cache.file._PATIENCE", 0.2)
    one = sharer()
    embed(one)

    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.warns(UserWarning, match="quota for itself for now .*database is locked"):
            embed(one)


PROGRAM = """
import os, resource, sys, warnings
import gemini_embed.cache.ledger
from gemini_embed import GeminiEmbedder, Quota

warnings.simplefilter("always")
url, path, trouble = sys.argv[1:]
options = {"api_key": "k", "base_url": url}
GeminiEmbedder(**options).embed(["all is loaded"], role="query")
if trouble == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
elif os.geteuid() == 0:
    os.setuid(65534)
embedder = GeminiEmbedder(**options, quota=Quota(100, path=path))
for text in ("a", "b"):
    print(embedder.embed([text], role="document").vectors.shape)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs the modes of POSIX")
@pytest.mark.parametrize(
    ("trouble", "folder_mode", "mode"),
    [("full", 0o777, 0o600), ("another user's", 0o777, 0o000), ("read-only", 0o555, 0o444)],
)
def test_a_file_that_cannot_be_written(
    server: Standin, trouble: str, folder_mode: int, mode: int
) -> None:
    """The process has its quota for itself, and says so once, with the file's name."""
    with tempfile.TemporaryDirectory() as folder:  # where others may go
        path = Path(folder, "quota.sqlite3")
        own = GeminiEmbedder(api_key="k", base_url=server.url, quota=Quota(100, path=path))
        own.embed(["a"], role="document")
        path.chmod(mode)
        Path(folder).chmod(folder_mode)
        try:
            done = subprocess.run(  # noqa: S603 - our own program
                [sys.executable, "-c", PROGRAM, server.url, str(path), trouble],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        finally:
            Path(folder).chmod(0o700)

    assert done.stdout.splitlines() == ["(1, 3072)"] * 2, done.stderr
    assert done.stderr.count("UserWarning") == 1
    assert "quota for itself for now ([Errno 5] " in done.stderr
    assert str(path) in done.stderr
