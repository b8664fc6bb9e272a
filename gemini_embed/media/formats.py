"""What bytes say of themselves: which format they are in, how long a film or a sound is. No I/O.

A few bytes at the beginning tell the format, whatever a file is called. How long something takes is
read where a header states it: of WAV, and of MP4 and its like.
"""

from __future__ import annotations

import io
import re
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

    from gemini_embed.media_facts import Modality

HEAD = 4096
"""Bytes that are enough to tell a format: a PDF may begin within the first 1024."""

_ALIASES = {
    "application/x-pdf": "application/pdf",
    "audio/mp3": "audio/mpeg",
    "audio/vnd.wave": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/x-mp3": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "image/jpg": "image/jpeg",
    "image/x-bmp": "image/bmp",
    "image/x-ms-bmp": "image/bmp",
    "video/mov": "video/quicktime",
    "video/mpg": "video/mpeg",
}
"""Another name of a format -> its name."""

_SUFFIXES = {
    "avif": "image/avif",
    "bmp": "image/bmp",
    "heic": "image/heic",
    "heif": "image/heif",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "mpeg": "video/mpeg",
    "mpg": "video/mpeg",
    "pdf": "application/pdf",
    "png": "image/png",
    "wav": "audio/wav",
    "webp": "image/webp",
}

_SIGNATURES: list[tuple[re.Pattern[bytes], str]] = [
    (re.compile(pattern, re.DOTALL), name)
    for pattern, name in (
        (rb"\x89PNG\r\n\x1a\n", "image/png"),
        (rb"\xff\xd8\xff", "image/jpeg"),
        (rb"RIFF....WEBP", "image/webp"),
        (rb"RIFF....WAVE", "audio/wav"),
        (rb"RIFF....AVI ", "video/x-msvideo"),
        (rb"BM....\0\0\0\0", "image/bmp"),
        (rb"GIF8[79]a", "image/gif"),
        (rb"II\*\0|MM\0\*", "image/tiff"),
        (rb".{0,1024}%PDF-", "application/pdf"),
        (rb"ID3", "audio/mpeg"),
        (rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]", "audio/mpeg"),
        (rb"\xff[\xf0\xf1\xf8\xf9]", "audio/aac"),
        (rb"fLaC", "audio/flac"),
        (rb"OggS", "audio/ogg"),
        (rb"\x1a\x45\xdf\xa3", "video/webm"),
        (rb"\0\0\x01[\xb3\xba]", "video/mpeg"),
    )
]

_BRANDS: list[tuple[bytes, str]] = [
    (rb"avif|avis", "image/avif"),
    (rb"heic|heix|hevc|hevx", "image/heic"),
    (rb"mif1|msf1", "image/heif"),
    (rb"M4A |M4B ", "audio/mp4"),
    (rb"qt  ", "video/quicktime"),
]
"""Brands of files in boxes, as MP4 has them -> the format; any other is a film's."""

_UNMARKED = frozenset({"audio/mpeg", "video/mpeg"})
"""Formats that may begin with anything."""

_MOST_BOXES = 1000
"""A file has some ten; a damaged one shall end."""

_TO_THE_END = 0xFFFFFFFF
"""The size of a WAV file's sound where it was not known when its header was written."""


def named(mime_type: str) -> str:
    """Return the usual name of a format, without what may stand behind it."""
    name = mime_type.partition(";")[0].strip().lower()
    return _ALIASES.get(name, name)


def of_suffix(path: str) -> str | None:
    """Return the format that the end of a path stands for; None where none is known."""
    return _SUFFIXES.get(path.rpartition("/")[2].rpartition(".")[2].lower())


def modality_of(mime_type: str) -> Modality | None:
    """Return what kind of medium a format is of; None where there is no such kind."""
    if named(mime_type) == "application/pdf":
        return "document"
    match named(mime_type).partition("/")[0]:
        case "image" | "audio" | "video" as found:
            return found
        case _:
            return None


def sniffed(head: bytes) -> str | None:
    """Return the format that the first bytes of a file tell; None where they tell none."""
    if head[4:8] == b"ftyp":
        size = int.from_bytes(head[:4], "big")
        brands = head[8 : max(12, min(size, 128))]
        return next((name for some, name in _BRANDS if re.search(some, brands)), "video/mp4")
    return next((name for pattern, name in _SIGNATURES if pattern.match(head)), None)


def agree(declared: str, found: str | None) -> bool:
    """Tell whether bytes may be of the kind that they are declared as.

    Google embeds a PNG that is declared as a JPEG like any PNG, as was recorded, and makes no
    vector of a film that is declared as sound.
    """
    if found is None:
        return declared in _UNMARKED
    return modality_of(declared) == modality_of(found)


def seconds_of(file: BinaryIO, mime_type: str) -> float | None:
    """Return how long a film or a sound takes, where a header states it."""
    try:
        match named(mime_type):
            case "audio/wav":
                return _seconds_of_wav(file)
            case "video/mp4" | "video/quicktime" | "audio/mp4":
                return _seconds_of_boxes(file)
    except (IndexError, struct.error, ZeroDivisionError):  # it ends early, or means nothing
        pass
    return None


def _seconds_of_wav(file: BinaryIO) -> float | None:
    file.seek(12)
    bytes_per_second = 0
    for _ in range(_MOST_BOXES):
        name, size = struct.unpack("<4sI", file.read(8))
        if name == b"data":
            left = file.seek(0, io.SEEK_END) - file.tell() if size == _TO_THE_END else size
            return float(left / bytes_per_second)
        start = file.tell()
        if name == b"fmt ":
            (bytes_per_second,) = struct.unpack_from("<I", file.read(16), 8)
        file.seek(start + size + size % 2)
    return None


def _seconds_of_boxes(file: BinaryIO) -> float | None:
    """Return what `mvhd`, which lies in `moov`, says."""
    end = file.seek(0, io.SEEK_END)
    start = 0
    for _ in range(_MOST_BOXES):
        file.seek(start)
        size, name = struct.unpack(">I4s", file.read(8))
        header = 8
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
            header = 16
        if name == b"moov":
            start += header  # to what is in it
            continue
        if name == b"mvhd":
            return _of_mvhd(file.read(32))
        start += size or end
        if 0 < size < header or start >= end:
            return None
    return None


def _of_mvhd(body: bytes) -> float:
    is_long = body[0] == 1
    scale, duration = struct.unpack_from(">IQ" if is_long else ">II", body, 20 if is_long else 12)
    return float(duration / scale)
