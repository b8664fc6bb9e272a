"""What befalls the cache's file: work is kept, or a warning that names the file says it is not."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gemini_embed import ConfigurationError, GeminiEmbedder
from gemini_embed.cache import SQLiteCache, default_path
from gemini_embed.cache.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gemini_embed.standin import Standin

    Maker = Callable[..., GeminiEmbedder]

needs_forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform does not fork")
needs_modes = pytest.mark.skipif(os.name != "posix", reason="the platform has other rights")


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def remove_all(path: Path) -> None:
    for file in path.parent.iterdir():
        file.unlink()
    path.parent.rmdir()


def replace_by_another(path: Path) -> None:
    """Put a file in the place that another process is using."""
    other = path.with_name("other")
    cache = SQLiteCache(other)
    cache.set_many([("aa", b"value")])
    cache.close()
    other.replace(path)


@needs_modes
@pytest.mark.parametrize(
    "befall",
    [
        Path.unlink,
        lambda path: log_of(path).unlink(),
        lambda path: [file.unlink() for file in (path, log_of(path))],
        remove_all,
        lambda path: path.rename(path.with_name("elsewhere")),
        replace_by_another,
    ],
    ids=["file", "log", "file and log", "folder", "moved", "replaced"],
)
def test_what_is_embedded_after_a_file_is_gone_is_kept_all_the_same(
    befall: Callable[[Path], object], server: Standin, embedder: Maker, path: Path
) -> None:
    """Deleted, moved or replaced while it is in use, it is opened or made anew."""
    made = embedder(cache=path)
    made.embed(["a"], role="query")
    befall(path)

    right = made.embed(["b"], role="query").vectors
    sent = len(server.log)

    assert (embedder(cache=path).embed(["b"], role="query").vectors == right).all()
    assert (made.embed(["b"], role="query").vectors == right).all()
    assert len(server.log) == sent


@needs_modes
def test_a_lost_log_loses_nothing_that_was_kept(
    server: Standin, embedder: Maker, path: Path
) -> None:
    """What was in it is copied into the file before a new one is begun."""
    made = embedder(cache=path)
    right = made.embed(["a"], role="query").vectors
    log_of(path).unlink()
    made.embed(["b"], role="query")

    assert (embedder(cache=path).embed(["a"], role="query").vectors == right).all()
    assert len(server.log) == 2


@needs_modes
def test_a_file_replaced_by_something_else_is_told_of_and_left_alone(
    server: Standin, embedder: Maker, path: Path
) -> None:
    """Once, with its name, while calls go on being answered."""
    made = embedder(cache=path)
    right = made.embed(["a"], role="query").vectors
    path.unlink()
    path.write_text("somebody's notes\n" * 1000)

    with pytest.warns(UserWarning, match=f"{re.escape(str(path))} is not a cache file") as told:
        again = [made.embed(["a"], role="query").vectors for _ in range(3)]

    assert all((vectors == right).all() for vectors in again)
    assert len(told) == 1
    assert path.read_text() == "somebody's notes\n" * 1000
    assert len(server.log) == 4


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


@needs_modes
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, make_socket])
def test_what_is_no_file_is_refused_at_once(
    make: Callable[[Path], None], server: Standin, embedder: Maker, tmp_path: Path
) -> None:
    """A folder or a pipe can never be a cache: an error that names it, before anything is sent."""
    make(tmp_path / "x")

    with pytest.raises(ConfigurationError, match=f"{tmp_path / 'x'} is"):
        embedder(cache=tmp_path / "x").embed(["a"], role="query")

    assert server.log == []


def test_the_root_of_all_folders_is_refused_as_any_folder(
    server: Standin, embedder: Maker, tmp_path: Path
) -> None:
    """It has no name, to which those of SQLite's files could be added."""
    with pytest.raises(ConfigurationError, match="is a folder; name another file"):
        embedder(cache=tmp_path.anchor).embed(["a"], role="query")

    assert server.log == []


@needs_modes
def test_a_pipe_beside_the_file_holds_nobody_up(embedder: Maker, tmp_path: Path) -> None:
    """SQLite would open it, and wait for somebody to write into it."""
    os.mkfifo(tmp_path / "x-journal")

    with pytest.raises(ConfigurationError, match="x-journal is no file"):
        embedder(cache=tmp_path / "x").embed(["a"], role="query")


@needs_forks
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_relative_path_means_one_file_for_good(
    server: Standin, embedder: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the process goes after, and whenever the file is opened anew."""
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    made = embedder(cache="vectors.sqlite3")
    made.embed(["a"], role="query")
    monkeypatch.chdir(tmp_path / "other")
    if (child := os.fork()) == 0:
        os._exit(0)
    os.waitpid(child, 0)

    made.embed(["a"], role="query")

    assert len(server.log) == 1
    assert list((tmp_path / "other").iterdir()) == []


def test_a_fault_is_told_once_and_passes(server: Standin, embedder: Maker, path: Path) -> None:
    """Each call tries again; a fault that comes back is told again."""
    path.parent.write_text("in the way")
    made = embedder(cache=path)

    def asked(text: str) -> int:
        before = len(server.log)
        made.embed([text], role="query")
        return len(server.log) - before

    for _ in range(2):
        with pytest.warns(UserWarning, match=re.escape(str(path))) as told:
            assert [asked("a") for _ in range(3)] == [1, 1, 1]
        assert len(told) == 1
        path.parent.unlink()
        assert [asked("b") for _ in range(2)] == [1, 0]
        remove_all(path)
        path.parent.write_text("in the way again")


def test_a_broken_file_is_not_tried_for_every_batch(embedder: Maker) -> None:
    """Within a call, what failed once is left alone; what can be read is read all the same."""
    cache = ReadOnly()

    with pytest.warns(UserWarning, match="keeps nothing .*: no room") as told:
        embedder(cache=cache, batch_size=1, max_concurrency=1).embed(
            [str(i) for i in range(1005)], role="document"
        )

    assert (cache.written, cache.read) == (1, 1005)
    assert len(told) == 1


class ReadOnly:
    """A cache that is full."""

    def __init__(self) -> None:
        self.written = self.read = 0

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        self.read += len(keys)
        return [None] * len(keys)

    def set_many(self, pairs: Sequence[tuple[str, bytes]]) -> None:  # noqa: ARG002 - of the protocol
        self.written += 1
        raise OSError("no room")


READING = """
import os, sys
from gemini_embed.cache import SQLiteCache

path = sys.argv[1]
if os.geteuid() == 0:
    os.setuid(65534)  # may read everything otherwise
cache = SQLiteCache(path)
try:
    print(cache.get_many(["aa"])[0])
except OSError as error:
    print(type(error).__name__, error)
try:
    cache.set_many([("bb", b"new")])
except OSError as error:
    print(type(error).__name__, error)
"""


@needs_modes
def test_a_file_that_may_only_be_read_is_read() -> None:
    """Somebody else's file serves what is in it; that nothing is kept in it is an error."""
    with tempfile.TemporaryDirectory() as folder:  # where others may go
        path = Path(folder) / "vectors"
        cache = SQLiteCache(path)
        cache.set_many([("aa", b"kept")])
        cache.close()
        Path(folder).chmod(0o777)
        path.chmod(0o444)
        done = subprocess.run(  # noqa: S603 - our own script
            [sys.executable, "-c", READING, str(path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )

    value, failure = done.stdout.splitlines()
    assert value == "b'kept'"
    assert failure.startswith("OSError")
    assert "readonly" in failure
    assert str(path) in failure


@needs_modes
@pytest.mark.parametrize("there", [False, True])
def test_nobody_else_may_read_what_we_make(path: Path, there: bool) -> None:
    """The file and its log are for their owner only, whatever the umask; what was there stays."""
    if there:
        path.parent.mkdir()
        path.parent.chmod(0o755)
        path.touch()
        path.chmod(0o640)
    before = os.umask(0)
    try:
        cache = SQLiteCache(path)
        cache.set_many([("aa", b"value")])
    finally:
        os.umask(before)

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    cache.close()
    assert set(modes) == {path.name, f"{path.name}-wal", f"{path.name}-shm"}
    assert set(modes.values()) == {0o640 if there else 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == (0o755 if there else 0o700)


def no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")


def test_without_a_home_the_user_is_asked_for_a_path(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """When the embedder is built; and the command says the same."""
    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/to/be/ignored")

    with pytest.raises(ConfigurationError, match="name a file"):
        GeminiEmbedder(cache=True)

    assert main(["stats"]) == 1
    assert "name a file" in capsys.readouterr().err


def test_the_platforms_folder_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As everybody's, it is no other file after a change of folders."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")

    assert default_path() == tmp_path / ".cache" / "gemini-embed" / "vectors.sqlite3"


@pytest.mark.parametrize("wrong", ["a\0b", b"bytes"])
def test_what_is_no_path_is_refused(wrong: Any) -> None:
    """When the embedder is built."""
    with pytest.raises(ConfigurationError, match="cache"):
        GeminiEmbedder(cache=wrong)


@needs_modes
def test_a_relative_path_in_a_folder_that_is_gone_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no file that it could mean."""
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()

    with pytest.raises(ConfigurationError, match="is no path"):
        GeminiEmbedder(cache="vectors")


def hold(path: Path) -> sqlite3.Connection:
    """Have a file to ourselves, as a process does that was stopped while it wrote."""
    other = sqlite3.connect(path, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    return other


def test_a_locked_file_costs_no_more_than_the_deadline(embedder: Maker, path: Path) -> None:
    """What was answered by then is returned; that it may not be kept is told."""
    made = embedder(cache=path, deadline=3)
    made.embed(["a"], role="query")
    with closing(hold(path)), pytest.warns(UserWarning, match="keeps nothing .*deadline"):
        assert made.embed(["b"], role="query").vectors.shape == (1, 3072)


def test_a_file_that_stays_locked_is_not_waited_for_at_length_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All who wait hear of it when the first does; the next wait is a short one."""
    monkeypatch.setattr("gemini_embed.cache.file._PATIENCE", 0.2)
    monkeypatch.setattr("gemini_embed.cache.file.BRIEFLY", 0.01)
    cache = SQLiteCache(path)
    cache.set_many([("aa", b"value")])
    with closing(hold(path)), ThreadPoolExecutor(8) as pool:
        outcomes = [pool.submit(cache.set_many, [(f"{i:02x}", b"v")]) for i in range(8)]
        errors = [outcome.exception(20) for outcome in outcomes]
        assert all(isinstance(error, OSError) and "locked" in str(error) for error in errors)
        assert cache.get_many(["aa"]) == [b"value"]

    cache.set_many([("bb", b"value")])
    assert cache.get_many(["bb"]) == [b"value"]
    cache.close()


LEAVING = """
import sys, sqlite3, warnings
from gemini_embed import GeminiEmbedder
warnings.simplefilter("ignore")
options = {"api_key": "k", "base_url": sys.argv[1], "cache": sys.argv[2]}
GeminiEmbedder(**options).embed(["a"], role="query")
embedder = GeminiEmbedder(**options, deadline=3)
other = sqlite3.connect(sys.argv[2])
other.execute("BEGIN IMMEDIATE")
print(embedder.embed(["b"], role="query").vectors.shape)
"""


def test_a_locked_file_does_not_hold_the_end_of_the_process(server: Standin, path: Path) -> None:
    """It ends within seconds, and says nothing."""
    command = [sys.executable, "-c", LEAVING, server.url, str(path)]

    done = subprocess.run(command, capture_output=True, text=True, timeout=40, check=True)  # noqa: S603 - our own script

    assert (done.stdout, done.stderr) == ("(1, 3072)\n", "")


class Hanging:
    """A cache whose server does not answer any more."""

    def __init__(self, *, reading: bool) -> None:
        self.reading, self.leave = reading, threading.Event()

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        if self.reading:
            self.leave.wait(60)
        return [None] * len(keys)

    def set_many(self, pairs: Sequence[tuple[str, bytes]]) -> None:  # noqa: ARG002 - of the protocol
        self.leave.wait(60)


def test_vectors_that_came_are_returned_though_the_cache_hangs(embedder: Maker) -> None:
    """The deadline is an error only where a text has no vector."""
    cache = Hanging(reading=False)

    with pytest.warns(UserWarning, match="keeps nothing .*Hanging.*deadline"):
        vectors = embedder(cache=cache, deadline=2).embed(["a"], role="query").vectors

    assert vectors.shape == (1, 3072)
    cache.leave.set()


def test_a_look_up_that_hangs_ends_at_the_deadline(server: Standin, embedder: Maker) -> None:
    """An error of ours, and a warning that says what was waited for, once for all calls."""
    cache = Hanging(reading=True)
    made = embedder(cache=cache, deadline=0.2)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(3):
            with pytest.raises(Exception, match="the deadline passed"):
                made.embed(["a"], role="query")

    assert [str(one.message).partition(" (")[0] for one in told] == [
        "the cache is not used for the rest of this call"
    ]
    assert server.log == []
    cache.leave.set()


def test_a_file_that_was_emptied_is_made_anew(path: Path) -> None:
    """Also while our other connection holds on to what it was: nobody waits for it at length."""
    cache = SQLiteCache(path)
    cache.set_many([("aa", b"value")])
    os.truncate(path, 0)

    def again() -> list[bytes | None]:
        for _ in range(3):
            with suppress(OSError):  # told of, and tried again
                cache.get_many(["aa"])
                cache.set_many([("bb", b"new")])
        return cache.get_many(["bb"])

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(again).result(40) == [b"new"]
    cache.close()
