"""The spool: a file beside the cache that holds a run's rows, as they are uploaded, until the end.

Each line is a row of the service's input. Media that are too large for a row lie in files of their
own beside it. Only their owner can read these files.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from contextlib import contextmanager
from glob import escape
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from gemini_embed.batch.lines import content_of, kept_in, with_uris
from gemini_embed.batch.places import Lines, seal_of
from gemini_embed.errors import InvalidInputError
from gemini_embed.media.files import check_unchanged, digest_of, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from gemini_embed.contents import Content
    from gemini_embed.media.contents import Medium
    from gemini_embed.media.value import Media
    from gemini_embed.models import BackendName

_PRIVATE = 0o600

_AT_ONCE = 2**20
"""Bytes of a medium that are copied in one go."""


def new_path(cache: Path, run: str) -> Path:
    """Return where a spool of a run is to lie; two processes that begin it have one each."""
    return cache.with_name(f"{cache.name}.batch-{run}-{uuid4().hex[:8]}.jsonl")


def kept_path(path: Path, number: int) -> Path:
    """Return where a medium that is too large for a row lies beside its spool."""
    return path.with_suffix(f".{number}.media")


class SpoolError(Exception):
    """A file of a run is gone, or is not what was written there; says which.

    Attributes:
        row: Which row it is about, counted from a job's first; None where that is not known.
    """

    def __init__(self, problem: str, row: int | None = None) -> None:
        super().__init__(problem)
        self.row = row


class Kept(NamedTuple):
    """A medium that lies beside the spool.

    Attributes:
        mime_type: Its format.
        row: The first row that has it, counted from the first of those that were read.
    """

    mime_type: str
    row: int


class Keeper:
    """Keeps media that are too large for a row, each once.

    Args:
        path: The spool.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._numbers: dict[tuple[str, str], int] = {}

    @property
    def digests(self) -> tuple[str, ...]:
        """The SHA-256 of each that it keeps."""
        return tuple(digest for digest, _ in self._numbers)

    def __call__(self, medium: Medium) -> int:
        """Return the number of a medium, which is in its file then.

        Raises:
            InvalidInputError: Its file cannot be read, or has changed.
            OSError: The other cannot be written.
        """
        known = medium.digest or medium.media.digest(), medium.mime_type
        if known not in self._numbers:
            number = len(self._numbers)
            _copy(medium, kept_path(self._path, number))
            self._numbers[known] = number
        return self._numbers[known]


def _copy(medium: Medium, target: Path) -> None:
    source = medium.media.source
    assert source is not None  # noqa: S101 - what has a URI is small
    name, hasher = medium.media.path or "", hashlib.sha256()
    with opened(source) as file, _written(target) as copy:
        check_unchanged(file, name, medium.stamp)
        while piece := file.read(_AT_ONCE):
            hasher.update(piece)
            copy.write(piece)
        _kept_safe(copy)
    medium.check(name, hasher.hexdigest())


def _written(path: Path) -> BinaryIO:
    """Open a new file that only its owner may read, from the first byte on."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE)
    return os.fdopen(descriptor, "wb")


def _kept_safe(file: BinaryIO) -> None:
    """See that a file is on the disk: the ledger relies on it, also after the power failed."""
    file.flush()
    os.fsync(file.fileno())


class Written(NamedTuple):
    """What was written to a spool.

    Attributes:
        offsets: Where each line begins, and the end.
        seals: The `seal_of` each line.
    """

    offsets: array[int]
    seals: array[int]


def write(path: Path, rows: Iterable[Iterable[bytes]]) -> Written:
    """Write a spool of rows in pieces.

    Raises:
        OSError: It cannot be written; there is none then.
    """
    offsets, seals = array("Q", [0]), array("Q")
    try:
        with _written(path) as file:
            for row in rows:
                seals.append(seal_of(_copied(row, file)))
                offsets.append(file.tell())
            _kept_safe(file)
    except BaseException:
        delete(path)
        raise
    return Written(offsets, seals)


def _copied(pieces: Iterable[bytes], file: BinaryIO) -> Iterator[bytes]:
    for piece in pieces:
        file.write(piece)
        yield piece


def is_whole(path: Path, lines: Lines, kept: Sequence[str]) -> bool:
    """Tell whether a spool is there with all its lines, and the media that have these hashes."""
    if not path.exists() or path.stat().st_size != lines.end:
        return False
    try:
        for _ in _lines(path, lines, {}):
            pass
        for number, digest in enumerate(kept):
            _check(kept_path(path, number), digest)
    except SpoolError:
        return False
    return True


def _check(kept: Path, digest: str) -> None:
    """Refuse a medium beside a spool that is not what was written there.

    Raises:
        SpoolError: It is not.
    """
    try:
        found = digest_of(str(kept))
    except InvalidInputError as error:
        raise SpoolError(error.summary) from error
    if found != digest:
        raise SpoolError(_changed(kept))


def _changed(path: Path) -> str:
    return f"{path} is not what was written there"


def pieces(path: Path, lines: Lines, size: int, uris: Mapping[int, str]) -> Iterator[bytes]:
    """Yield some lines in pieces of a size; the last may be shorter.

    `uris` says where the media lie by now that are too large for a row.

    Raises:
        SpoolError: The spool is gone, or is not what was written there.
    """
    held = bytearray()
    for line in _lines(path, lines, uris):
        held += line
        while len(held) >= size:
            yield bytes(held[:size])
            del held[:size]
    if held:
        yield bytes(held)


def kept_pieces(path: Path, number: int, digest: str, size: int) -> Iterator[bytes]:
    """Yield a medium beside a spool in pieces of a size.

    Raises:
        SpoolError: It is gone; or, at the end, what was yielded is not what was written there.
    """
    kept, hasher = kept_path(path, number), hashlib.sha256()
    with _reading(kept) as file:
        while piece := file.read(size):
            hasher.update(piece)
            yield piece
    if hasher.hexdigest() != digest:
        raise SpoolError(_changed(kept))


def kept_size(path: Path, number: int) -> int:
    """Return how many bytes a medium beside a spool has.

    Raises:
        SpoolError: It is gone.
    """
    with _reading(kept_path(path, number)) as file:
        return file.seek(0, os.SEEK_END)


def length(path: Path, lines: Lines, uris: Mapping[int, str]) -> int:
    """Return how many bytes `pieces` yields.

    Raises:
        SpoolError: The spool is gone, or is not what was written there.
    """
    return sum(map(len, _lines(path, lines, uris))) if uris else lines.end - lines.start


def kept_in_lines(path: Path, lines: Lines) -> dict[int, Kept]:
    """Return the media of some lines that are too large for a row.

    Raises:
        SpoolError: The spool is gone, or is not what was written there.
    """
    found: dict[int, Kept] = {}
    for row, line in enumerate(_lines(path, lines, {})):
        for number, mime_type in kept_in(line).items():
            found.setdefault(number, Kept(mime_type, row))
    return found


def _lines(path: Path, lines: Lines, uris: Mapping[int, str]) -> Iterator[bytes]:
    """Yield some lines, with the URIs of their media where these are known."""
    with _reading(path) as file:
        file.seek(lines.start)
        at, row = lines.start, 0
        while at < lines.end:
            line = file.readline()
            _check_line(path, line, lines.seals, row)
            at, row = at + len(line), row + 1
            yield with_uris(line, uris) if uris else line


def _check_line(path: Path, line: bytes, seals: Sequence[int], row: int) -> None:
    """Refuse a line that is not what was written, which would get the vector of something else."""
    if not line:
        raise SpoolError(f"{path} ends too early", row)
    if seals and seal_of([line]) != seals[row]:
        raise SpoolError(_changed(path), row)


@contextmanager
def _reading(path: Path) -> Generator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        raise SpoolError(f"{path} is gone") from error


def contents_at(
    path: Path,
    rows: Mapping[int, Lines],
    kept: Sequence[str],
    backend: BackendName,
    again: Callable[[Media], Medium],
) -> list[Content]:
    """Return the contents of some rows.

    Args:
        path: The spool.
        rows: Where the line of each lies.
        kept: The hash of each medium beside the spool.
        backend: For which service they are.
        again: Looks at a medium.

    Raises:
        SpoolError: A file is gone, or is not what was written there; says of which row.
    """
    digests: dict[str, str] = {}

    def kept_at(number: int) -> Path:
        file = kept_path(path, number)
        if str(file) not in digests:
            _check(file, kept[number])
            digests[str(file)] = kept[number]
        return file

    def looked_at(media: Media) -> Medium:
        medium = again(media)
        medium.digest = digests.get(media.path or "", medium.digest)
        return medium

    found: list[Content] = []
    with _reading(path) as file:
        for row, (start, end, seals) in rows.items():
            file.seek(start)
            line = file.read(end - start)
            with about(row):
                _check_line(path, line, seals, 0)
                found.append(content_of(line, backend, kept_at, looked_at))
    return found


@contextmanager
def about(row: int) -> Generator[None]:
    """Say of what is wrong with a spool which row it is about."""
    try:
        yield
    except SpoolError as error:
        error.row = row
        raise


def delete(path: Path) -> None:
    """Delete a spool, and the media beside it."""
    for one in path.parent.glob(f"{escape(path.stem)}.*"):
        one.unlink(missing_ok=True)


def delete_all(cache: Path, run: str) -> None:
    """Delete the spool of a run, and what others began that never went into the ledger."""
    for path in cache.parent.glob(f"{escape(cache.name)}.batch-{run}-*"):
        path.unlink(missing_ok=True)
