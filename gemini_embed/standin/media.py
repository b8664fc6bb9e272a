"""Pictures, pages, sounds and films: what they are, what they count, which the services refuse.

Performs no I/O. Limits and counts are those that Google documents, in November 2026. Recorded
answers show pictures only: how the tokens of other kinds are told, and every refusal, is presumed.
"""

from __future__ import annotations

import hashlib
import io
import struct
import wave
from collections import Counter
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

from gemini_embed.standin.optional_imports import extra_needed
from gemini_embed.token_counts import likely_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Kind = Literal["image", "document", "audio", "video"]
Modality = Literal["TEXT", "IMAGE", "DOCUMENT", "AUDIO", "VIDEO"]

IMAGE_TOKENS = PAGE_TOKENS = 258
FRAME_TOKENS = 66
AUDIO_TOKENS = 25
"""A second."""
TIMESTAMP_TOKENS = 10
"""A second, where the sound of a film is listened to."""

MOST_PAGES = 6
MOST_SECONDS: Mapping[Kind, float] = {"audio": 180, "video": 120}
MOST_FRAMES = {"gemini": 32, "vertex": 120}
"""Of a film: the Gemini API looks at as many, spread over it; Vertex AI refuses more."""

MOST: Mapping[Kind, int] = {"image": 6, "document": 1, "audio": 1, "video": 1}
"""Of a kind in one request; Google does not say whether in a batch or in one of its contents."""

_MP3_BYTES = 16_000
"""A second: an MP3 says nowhere how long it is."""

_BOTH: Mapping[str, Kind] = {
    "image/png": "image",
    "image/jpeg": "image",
    "application/pdf": "document",
    "audio/mp3": "audio",
    "audio/mpeg": "audio",
    "audio/wav": "audio",
    "video/mp4": "video",
    "video/mpeg": "video",
    "video/mov": "video",
    "video/quicktime": "video",
}
_MORE_IMAGES = ("webp", "bmp", "heic", "heif", "avif")

FORMATS: Mapping[str, Mapping[str, Kind]] = {
    "gemini": _BOTH,
    "vertex": {**_BOTH, **{f"image/{name}": "image" for name in _MORE_IMAGES}},
}
"""What each service takes, and which kind it is."""

_FIRST_BYTES: Mapping[bytes, str] = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"BM": "image/bmp",
    b"%PDF-": "application/pdf",
    b"ID3": "audio/mpeg",
    b"\xff\xfb": "audio/mpeg",
    b"\xff\xf3": "audio/mpeg",
    b"\xff\xf2": "audio/mpeg",
    b"\x00\x00\x01\xba": "video/mpeg",
    b"\x00\x00\x01\xb3": "video/mpeg",
}
_BRANDS = {b"heic": "image/heic", b"heix": "image/heic", b"mif1": "image/heif"}
_BRANDS |= {b"avif": "image/avif", b"qt  ": "video/quicktime"}


class Clip(NamedTuple):
    """Which part of a film or a sound is meant, in seconds, and how many frames of a second."""

    start: float | None = None
    end: float | None = None
    fps: float | None = None

    def seconds(self, whole: float) -> float:
        """Return how long it is, of so many seconds."""
        return max(0.0, min(self.end or whole, whole) - (self.start or 0.0))


class MediaOptions(NamedTuple):
    """What Vertex AI can be asked for, of the media in a request."""

    ocr: bool = False
    sound: bool = False


_WHOLE, NO_OPTIONS = Clip(), MediaOptions()


@dataclass(frozen=True, slots=True)
class Medium:
    """One picture, document, sound or film, as a model gets it.

    Attributes:
        kind: What it was declared to be.
        data: Its bytes.
        clip: The part that is meant.
        options: What is asked for beside.
        has_values: Whether it gets a vector. A film under a name that is no film's got 200 and an
            embedding without values.
    """

    kind: Kind
    data: bytes
    clip: Clip = _WHOLE
    options: MediaOptions = NO_OPTIONS
    has_values: bool = True

    @classmethod
    def declared(
        cls, data: bytes, mime_type: str, service: str, clip: Clip, options: MediaOptions
    ) -> Self | None:
        """Return what a service makes of bytes under a name; None where it takes no such thing."""
        kind = FORMATS[service].get(mime_type)
        may_be_film = kind in {None, "audio"} and mime_type.startswith(("audio/", "video/"))
        if may_be_film and kind_of(data) == "video":
            return cls("video", data, clip, options, has_values=False)
        return None if kind is None else cls(kind, data, clip, options)

    @classmethod
    def sniffed(cls, data: bytes) -> Self:
        """Return bytes as the medium that they are.

        Raises:
            ValueError: They are of no kind that either service takes.
        """
        kind = kind_of(data)
        if kind is None:
            raise ValueError("bytes of no kind that Google's services take")
        return cls(kind, data)

    @property
    def digest(self) -> str:
        """A name for all that its vector depends on."""
        hashed = hashlib.sha256(self.data)
        hashed.update(repr((*self.clip, *self.options)).encode())
        return hashed.hexdigest()

    @property
    def words(self) -> str:
        """What it says in words: a document its text, a PNG the description in the file."""
        if self.kind == "document":
            pages = _pypdf().PdfReader(io.BytesIO(self.data)).pages
            return "\n".join(page.extract_text() for page in pages)
        return "\n".join(_words_of_png(self.data))

    @property
    def seconds(self) -> float:
        """How long it is, or the part of it that is meant."""
        whole = _seconds_of_mp4(self.data) if self.kind == "video" else _seconds_of(self.data)
        return self.clip.seconds(whole)

    @property
    def frames(self) -> int:
        """How many pictures of a film are meant."""
        return max(1, round(self.seconds * (self.clip.fps or 1.0)))

    def tokens(self, service: str) -> Counter[Modality]:
        """Return how many tokens of each kind a service counts."""
        match self.kind:
            case "image":
                return Counter({"IMAGE": IMAGE_TOKENS})
            case "document":
                counts = Counter[Modality]({"DOCUMENT": PAGE_TOKENS * pages_of(self.data)})
                if self.options.ocr:
                    counts["TEXT"] = likely_tokens(self.words)
                return counts
            case "audio":
                return Counter({"AUDIO": round(AUDIO_TOKENS * self.seconds)})
            case "video":
                frames = min(self.frames, MOST_FRAMES[service])
                counts = Counter({"VIDEO": FRAME_TOKENS * frames})
                if self.options.sound:
                    counts["VIDEO"] += round(TIMESTAMP_TOKENS * self.seconds)
                    counts["AUDIO"] += round(AUDIO_TOKENS * self.seconds)
                return counts

    def complaint(self, service: str) -> str | None:
        """Return why a service does not take it, if it does not."""
        if kind_of(self.data) != self.kind:
            return f"Unable to process input {self.kind}."
        match self.kind:
            case "document" if not 1 <= (pages := pages_of(self.data)) <= MOST_PAGES:
                return f"The document has {pages or 'no'} pages; 1 to {MOST_PAGES} are supported."
            case "video" if service == "vertex" and self.frames > MOST_FRAMES[service]:
                return f"The video has {self.frames} frames; at most {MOST_FRAMES[service]}."
            case "audio" | "video" if self.seconds > (most := MOST_SECONDS[self.kind]):
                if self.kind == "audio" or service == "gemini":
                    return f"The {self.kind} is {self.seconds:.0f} seconds long; at most {most}."
        return None


def kind_of(data: bytes) -> Kind | None:
    """Return which kind the first bytes say that it is; None for one that no service takes."""
    return FORMATS["vertex"].get(_format_of(data))


def pages_of(data: bytes) -> int:
    """Return how many pages a PDF has; 0 if it cannot be read."""
    pypdf = _pypdf()
    try:
        return len(pypdf.PdfReader(io.BytesIO(data)).pages)
    except pypdf.errors.PyPdfError:
        return 0


def _format_of(data: bytes) -> str:
    for first, name in _FIRST_BYTES.items():
        if data.startswith(first):
            return name
    if data[:4] == b"RIFF":
        return {b"WAVE": "audio/wav", b"WEBP": "image/webp"}.get(data[8:12], "")
    if data[4:8] in (b"ftyp", b"moov"):
        return _BRANDS.get(data[8:12], "video/mp4")
    return ""


def _pypdf() -> Any:
    """Return the library that reads documents, which few send."""
    with extra_needed():
        return import_module("pypdf")


def _seconds_of(sound: bytes) -> float:
    if sound[:4] != b"RIFF":
        return len(sound) / _MP3_BYTES
    try:
        with wave.open(io.BytesIO(sound)) as opened:
            return float(opened.getnframes() / opened.getframerate())
    except (wave.Error, EOFError):
        return 0.0


def _seconds_of_mp4(film: bytes) -> float:
    """Return how long a film is by its header `mvhd`; one second if it has none."""
    at = film.find(b"mvhd") + 4
    if at < 4 or len(film) < at + 36:  # noqa: PLR2004 - the bytes that are read below
        return 1.0
    # Its version 1 has numbers of eight bytes: when it was made and changed, and its length.
    place = (">IQ", at + 20) if film[at] else (">II", at + 12)
    units, count = struct.unpack_from(place[0], film, place[1])
    return float(count / units) if units else 1.0


def _words_of_png(data: bytes) -> Iterator[str]:
    """Yield the texts that a PNG carries in its chunks `tEXt` and `iTXt`."""
    at = 8
    while data[:4] == b"\x89PNG" and at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        _, zero, text = data[at + 8 : at + 8 + size].partition(b"\0")
        if zero and name == b"tEXt":
            yield text.decode("latin-1")
        elif zero and name == b"iTXt" and text[:1] == b"\0":  # not compressed
            yield text[2:].split(b"\0", 2)[2].decode(errors="replace")
        at += 12 + size
