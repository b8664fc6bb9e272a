"""Pictures, pages, sounds and films: what they are, what they count, which the services refuse.

Performs no I/O. Limits and counts are those that Google documents, in November 2026. Recorded
answers show pictures only: how the tokens of other kinds are told, and every refusal, is presumed.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
from collections import Counter
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from gemini_embed.media.formats import HEAD, modality_of, seconds_of, sniffed
from gemini_embed.standin.optional_imports import extra_needed
from gemini_embed.token_counts import likely_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gemini_embed.media_facts import Modality


IMAGE_TOKENS = PAGE_TOKENS = 258
FRAME_TOKENS = 66
AUDIO_TOKENS = 25
"""A second."""
TIMESTAMP_TOKENS = 10
"""A second, where the sound of a film is listened to."""

MOST_PAGES = 6
MOST_SECONDS: Mapping[Modality, float] = {"audio": 180, "video": 120}
MOST_FRAMES = {"gemini": 32, "vertex": 120}
"""Of a film: the Gemini API looks at as many, spread over it; Vertex AI refuses more."""

MOST: Mapping[Modality, int] = {"image": 6, "document": 1, "audio": 1, "video": 1}
"""Of a kind in one request; Google does not say whether in a batch or in one of its contents."""

_MP3_BYTES = 16_000
"""A second: an MP3 says nowhere how long it is."""

_BOTH: Mapping[str, Modality] = {
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

FORMATS: Mapping[str, Mapping[str, Modality]] = {
    "gemini": _BOTH,
    "vertex": {**_BOTH, **{f"image/{name}": "image" for name in _MORE_IMAGES}},
}
"""What each service takes, and which kind it is."""

_PAGE = re.compile(rb"/Type\s*/Page\b")


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

    kind: Modality
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
            return "\n".join(page.extract_text() for page in _pages(self.data))
        return "\n".join(_words_of_png(self.data))

    @property
    def seconds(self) -> float:
        """How long it is, or the part of it that is meant."""
        whole = seconds_of(io.BytesIO(self.data), sniffed(self.data[:HEAD]) or "")
        if whole is None:
            whole = 1.0 if self.kind == "video" else len(self.data) / _MP3_BYTES
        return self.clip.seconds(whole)

    @property
    def frames(self) -> int:
        """How many pictures of a film are meant."""
        return max(1, round(self.seconds * (self.clip.fps or 1.0)))

    def tokens(self, service: str) -> Counter[str]:
        """Return how many tokens of each kind a service counts."""
        match self.kind:
            case "image":
                return Counter({"IMAGE": IMAGE_TOKENS})
            case "document":
                counts = Counter({"DOCUMENT": PAGE_TOKENS * pages_of(self.data)})
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


def kind_of(data: bytes) -> Modality | None:
    """Return which kind the first bytes say that it is."""
    found = sniffed(data[:HEAD])
    return None if found is None else modality_of(found)


def pages_of(data: bytes) -> int:
    """Return how many pages a PDF has: those that can be seen; the library finds hidden ones."""
    return len(_PAGE.findall(data)) or len(_pages(data))


def _pages(document: bytes) -> Sequence[Any]:
    """Return the pages of a PDF; none where it cannot be read."""
    with extra_needed():
        pypdf = import_module("pypdf")  # slow to load, and few send documents
    try:
        return list(pypdf.PdfReader(io.BytesIO(document)).pages)
    except pypdf.errors.PyPdfError:
        return []


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
