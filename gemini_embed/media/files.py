"""Reads files of media: what they are, all their bytes, the hash of these.

The one place that opens what a caller names. Runs on the caller's thread, or on a worker's.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from gemini_embed.errors import InvalidInputError
from gemini_embed.media.formats import HEAD, seconds_of, sniffed

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import BinaryIO

_AT_ONCE = 2**20
"""Bytes that are hashed in one go."""

Stamp = tuple[int, int, int]
"""What tells one state of a file from another: its number, size and time of change."""


class Look(NamedTuple):
    """What was seen of a medium.

    Attributes:
        size: Its bytes.
        found: The format that its first bytes tell; None where they tell none.
        seconds: How long it takes, where a header states it.
        stamp: The state of its file; None of bytes.
    """

    size: int
    found: str | None
    seconds: float | None
    stamp: Stamp | None = None


def look_at(source: bytes | str) -> Look:
    """Look at bytes, or at the file of a path.

    Raises:
        InvalidInputError: There is no such file, or it cannot be read.
    """
    with opened(source) as file:
        head = file.read(HEAD)
        found = sniffed(head)
        seconds = None if found is None else seconds_of(file, found)
        size = file.seek(0, io.SEEK_END)
        return Look(size, found, seconds, stamp_of(file))


def read(path: str, stamp: Stamp | None) -> bytes:
    """Return all bytes of a file that is as it was when it was looked at.

    Raises:
        InvalidInputError: It is not.
    """
    with opened(path) as file:
        check_unchanged(file, path, stamp)
        data = file.read()
        check_unchanged(file, path, stamp)
        return data


def digest_of(source: bytes | str) -> str:
    """Return the SHA-256 of bytes, or of those of a file.

    Raises:
        InvalidInputError: The file cannot be read.
    """
    with opened(source) as file:
        return digest_of_file(file)


def digest_of_file(file: BinaryIO) -> str:
    """Return the SHA-256 of an open file, which stands at its beginning then."""
    hasher = hashlib.sha256()
    file.seek(0)
    while piece := file.read(_AT_ONCE):
        hasher.update(piece)
    file.seek(0)
    return hasher.hexdigest()


@contextmanager
def opened(source: bytes | str) -> Generator[BinaryIO]:
    """Open bytes, or a file; what goes wrong until it is closed is an error of ours.

    Raises:
        InvalidInputError: There is no such file, or it cannot be read.
    """
    if isinstance(source, bytes):
        yield io.BytesIO(source)
        return
    try:
        if not stat.S_ISREG(os.stat(source).st_mode):  # noqa: PTH116 - a pipe would never end
            raise InvalidInputError(f"{source} is not a file", reason="not found")
        with open(source, "rb") as file:  # noqa: PTH123 - a path is a string here
            yield file
    except (OSError, UnicodeError) as error:  # a name that no file can have is the latter
        reason = "not found" if isinstance(error, FileNotFoundError) else "not readable"
        what = getattr(error, "strerror", None) or type(error).__name__
        shown = source.encode(errors="backslashreplace").decode()
        raise InvalidInputError(f"{shown}: {what}", reason=reason) from error


def stamp_of(file: BinaryIO) -> Stamp | None:
    """Return the state of an open file; None of bytes."""
    try:
        found = os.fstat(file.fileno())
    except io.UnsupportedOperation:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def check_unchanged(file: BinaryIO, path: str, stamp: Stamp | None) -> None:
    """Refuse a file that has changed.

    Raises:
        InvalidInputError: It has.
    """
    if stamp is not None and stamp_of(file) != stamp:
        raise InvalidInputError(
            f"{path} has changed since the call began; embed it again", reason="changed"
        )
