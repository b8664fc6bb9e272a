"""Damages cache files, before and while they are used, and looks at what comes out of them.

    PYTHONPATH=tests python -m fuzz.cache_files --seconds 60 --seed 1

Whatever is done to a file, each vector that comes out of it is the one that was put in, nothing
waits without an end, and what cannot be done is an error of the kind that is warned about. Ends
with 1 where it is not so.
"""

from __future__ import annotations

import hashlib
import os
import random
import sqlite3
import tempfile
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from searches import search

from gemini_embed import ConfigurationError
from gemini_embed.cache import SQLiteCache
from gemini_embed.cache.values import opened, sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

T = TypeVar("T")

_PAGE = 65536
_TOO_LONG = 100.0
"""Seconds after which something is taken to hang: SQLite itself waits for up to 60."""

_BARE = 5
"""Of so many vectors, one is kept without a seal, as releases did that knew none. In such a one a
flipped bit cannot be seen; that it is not another text's can."""


@dataclass
class Outcome:
    """What a run came to."""

    corruptions: int = 0
    served: int = 0
    damaged: int = 0
    refused: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.corruptions:,} corruptions, {self.served:,} vectors served, {self.damaged:,} "
            f"seen to be damaged, {self.refused:,} refusals, {len(self.faults)} faults"
        )


# What is kept.


def key_of(number: int) -> str:
    return hashlib.blake2b(b"%d" % number, digest_size=20).hexdigest()


def vector_of(number: int, dimension: int) -> NDArray[np.float32]:
    return np.random.default_rng(number).normal(size=dimension).astype(np.float32)


def pair_of(number: int, dimension: int) -> tuple[str, bytes]:
    key, vector = key_of(number), vector_of(number, dimension)
    if number % _BARE == 0:
        return key, vector.tobytes()
    return key, sealed([key], vector[np.newaxis])[0]


# What may befall a file.


def _write_at(path: Path, place: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        file.write(content)


def _read_at(path: Path, place: int, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(place)
        return file.read(length)


def _flip(path: Path, rng: random.Random) -> None:
    for _ in range(rng.choice([1, 1, 2, 8, 100])):
        place = rng.randrange(path.stat().st_size)
        (byte,) = _read_at(path, place, 1)
        _write_at(path, place, bytes([byte ^ 1 << rng.randrange(8)]))


def _scribble(path: Path, rng: random.Random) -> None:
    place, length = rng.randrange(path.stat().st_size), rng.choice([1, 4, 100, 5000])
    _write_at(path, place, rng.randbytes(length))


def _blank(path: Path, rng: random.Random) -> None:
    place, length = rng.randrange(path.stat().st_size), rng.choice([4, 512, 4096])
    _write_at(path, place, bytes(min(length, path.stat().st_size - place)))


def _a_page(path: Path, rng: random.Random) -> int:
    return _PAGE * rng.randrange(max(1, path.stat().st_size // _PAGE))


def _blank_page(path: Path, rng: random.Random) -> None:
    _write_at(path, _a_page(path, rng), bytes(_PAGE))


def _swap_pages(path: Path, rng: random.Random) -> None:
    one, other = _a_page(path, rng), _a_page(path, rng)
    first, second = _read_at(path, one, _PAGE), _read_at(path, other, _PAGE)
    _write_at(path, one, second)
    _write_at(path, other, first)


def _copy_page(path: Path, rng: random.Random) -> None:
    _write_at(path, _a_page(path, rng), _read_at(path, _a_page(path, rng), _PAGE))


def _move(path: Path, rng: random.Random) -> None:
    size, length = path.stat().st_size, rng.choice([4, 100, 3000])
    _write_at(path, rng.randrange(size), _read_at(path, rng.randrange(size), length))


def _cut(path: Path, rng: random.Random) -> None:
    size = path.stat().st_size
    os.truncate(path, rng.choice([0, rng.randrange(size), size // 2 // _PAGE * _PAGE, size - 1]))


def _extend(path: Path, rng: random.Random) -> None:
    with path.open("ab") as file:
        file.write(rng.randbytes(rng.choice([1, 100, _PAGE])))


def _replace(path: Path, rng: random.Random) -> None:
    other = path.with_name("other")
    other.write_bytes(rng.randbytes(rng.choice([0, 10, 5000])))
    other.replace(path)


def _remove(path: Path, rng: random.Random) -> None:  # noqa: ARG001 - as the others
    path.unlink()


_OF_FILES: tuple[Callable[[Path, random.Random], None], ...] = (
    *(_flip, _scribble, _blank, _move) * 3,
    *(_blank_page, _swap_pages, _copy_page, _cut, _extend, _replace, _remove),
)
_OF_MAPPED: tuple[Callable[[Path, random.Random], None], ...] = (_flip, _scribble, _blank, _move)
"""What may befall the file that SQLite maps into memory: were it cut, the system would end us."""

_OF_ROWS = (
    # Sealed vectors change places, or one lies under many keys.
    """UPDATE vectors SET value = (SELECT v.value FROM vectors v WHERE v.id = vectors.id + 1)
    WHERE (SELECT length(v.value) % 4 = 1 FROM vectors v WHERE v.id = vectors.id + 1)""",
    """UPDATE vectors SET value = (SELECT value FROM vectors WHERE length(value) % 4 = 1)
    WHERE id % 7 = 4""",
    # What is there is shorter, or nothing, or of another type.
    "UPDATE vectors SET value = substr(value, 1, length(value) - 5) WHERE id % 5 = 1",
    "UPDATE vectors SET value = substr(value, 2) WHERE id % 5 = 2",
    "UPDATE vectors SET value = zeroblob(length(value)) WHERE id % 5 = 3",
    "UPDATE vectors SET value = 'text' WHERE id % 5 = 4",
    "UPDATE vectors SET value = 7.5 WHERE id % 3 = 1",
    # Keys, places, tables and days are not what they were.
    "UPDATE vectors SET key = substr(key, 2) WHERE id % 3 = 1",
    "UPDATE vectors SET id = id + 1000000 WHERE id % 3 = 1",
    "DELETE FROM vectors WHERE id % 3 = 1",
    "DROP TABLE uses",
    "DROP TABLE vectors",
    "INSERT OR REPLACE INTO uses SELECT id, 'never' FROM vectors",
)


def corrupt(path: Path, rng: random.Random) -> None:
    """Do one thing to a file, or to one of those beside it."""
    kind = rng.random()
    with suppress(FileNotFoundError, ValueError):  # it is gone, or empty
        if kind < 0.5:
            rng.choice(_OF_FILES)(path, rng)
        elif kind < 0.75:
            rng.choice(_OF_FILES)(path.with_name(f"{path.name}-wal"), rng)
        elif kind < 0.8:
            rng.choice(_OF_MAPPED)(path.with_name(f"{path.name}-shm"), rng)
        elif path.exists():
            with suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=1)) as other, other:
                other.execute(rng.choice(_OF_ROWS))


# What is done with it.


class Round:
    """One file, from its making to its end."""

    def __init__(self, path: Path, rng: random.Random, outcome: Outcome) -> None:
        self.path, self.rng, self.outcome = path, rng, outcome
        self.dimension = rng.choice([8, 64, 768])
        self.numbers = range(rng.choice([3, 50, 300]))
        self.rights = {number: vector_of(number, self.dimension) for number in self.numbers}
        self.pairs = [pair_of(number, self.dimension) for number in self.numbers]
        self.others = {right.tobytes() for right in self.rights.values()}
        self.cache = SQLiteCache(path)

    def run(self) -> None:
        """Fill a file, then damage and use it in turns, or at once."""
        self._allow(self.cache.set_many, self.pairs)
        if self.rng.random() < 0.3:
            self.cache.close()
        for _ in range(self.rng.choice([1, 2, 4])):
            if self.rng.random() < 0.3:
                self._corrupt_meanwhile()
            else:
                self._corrupt()
            self._use()
            if self.rng.random() < 0.2:
                self.cache.close()
                self.cache = SQLiteCache(self.path)
                self._use()
        self._allow(self.cache.stats)
        self.cache.close()

    def _corrupt(self) -> None:
        corrupt(self.path, self.rng)
        self.outcome.corruptions += 1

    def _corrupt_meanwhile(self) -> None:
        ended = threading.Event()

        def use() -> None:
            while not ended.is_set():
                self._use()

        with ThreadPoolExecutor(2) as pool:
            using = [pool.submit(use) for _ in range(2)]
            time.sleep(self.rng.random() / 100)
            self._corrupt()
            time.sleep(self.rng.random() / 100)
            ended.set()
            for one in using:
                one.result()

    def _use(self) -> None:
        """Look all vectors up, and keep what is not there, as a call does."""
        found = self._allow(self._look_up)
        missing = set(self.numbers).difference(found or ())
        self._allow(self.cache.set_many, [self.pairs[number] for number in sorted(missing)])

    def _look_up(self) -> Sequence[int]:
        keys = [key for key, _ in self.pairs]
        found, block, damaged = opened(keys, self.cache.get_many(keys), dimension=self.dimension)
        if not all(map(self._is_right, found, block)):
            self.outcome.faults.append(f"{self.path}: a vector is another one")
        self.outcome.served += len(found)
        self.outcome.damaged += len(damaged)
        return found

    def _is_right(self, number: int, vector: NDArray[np.float32]) -> bool:
        came, right = vector.tobytes(), self.rights[number].tobytes()
        return came == right or (number % _BARE == 0 and came not in self.others)

    def _allow(self, work: Callable[..., T], *args: object) -> T | None:
        """Do it; an error that names the file is what there may be."""
        try:
            return work(*args)
        except (OSError, ConfigurationError) as error:
            if str(self.path) not in str(error):
                self.outcome.faults.append(f"{error!r} does not name {self.path}")
            self.outcome.refused += 1
        except Exception as error:  # noqa: BLE001 - what is looked for
            self.outcome.faults.append(f"{self.path}: {error!r}")
        return None


def run(*, seconds: float, seed: int) -> Outcome:
    """Damage files for so many seconds, or until there is a fault."""
    rng = random.Random(seed)
    outcome = Outcome()
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        number = 0
        while time.monotonic() < end and not outcome.faults:
            number += 1
            place = Path(folder) / str(number)
            if not _ends(Round(place / "vectors", rng, outcome).run):
                outcome.faults.append(f"seed {seed}, file {number}: it hangs")
                break
    return outcome


def _ends(work: Callable[[], None]) -> bool:
    """Do it; tell whether it came to an end."""
    ended: Future[None] = Future()

    def do() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised below
            ended.set_exception(error)
        else:
            ended.set_result(None)

    threading.Thread(target=do, daemon=True).start()
    try:
        ended.result(_TOO_LONG)
    except TimeoutError:
        return False
    return True


if __name__ == "__main__":
    search(__doc__, "cache files", run, seconds=60.0)
