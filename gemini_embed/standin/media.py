"""Pictures, pages, sounds and films: what they are, what they count, which the services refuse.

Performs no I/O. Recorded answers show pictures only: how the tokens of other kinds are told, and
every refusal, is presumed.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
import struct
from collections import Counter
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from gemini_embed.media.formats import HEAD, modality_of, named, seconds_of, sniffed
from gemini_embed.media_facts import KINDS, ON_VERTEX
from gemini_embed.standin.optional_imports import extra_needed
from gemini_embed.token_counts import likely_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gemini_embed.media_facts import MediaFacts, Modality


TIMESTAMP_TOKENS = 10
"""A second, where the sound of a film is listened to."""

_MP3_BYTES = 16_000
"""A second: an MP3 says nowhere how long it is."""

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
        facts: What the service takes, and what it counts.
        has_values: Whether it gets a vector. A film under a name that is no film's got 200 and an
            embedding without values.
    """

    kind: Modality
    data: bytes
    clip: Clip = _WHOLE
    options: MediaOptions = NO_OPTIONS
    facts: MediaFacts = field(default_factory=lambda: ON_VERTEX, repr=False)
    has_values: bool = True

    @classmethod
    def declared(
        cls, data: bytes, mime_type: str, facts: MediaFacts, clip: Clip, options: MediaOptions
    ) -> Self | None:
        """Return what a service makes of bytes under a name; None where it takes no such thing."""
        name, kind = named(mime_type), modality_of(mime_type)
        is_taken = kind is not None and kind in facts and name in facts[kind].formats
        may_be_film = kind == "audio" or (kind == "video" and not is_taken)
        if may_be_film and kind_of(data) == "video":
            return cls("video", data, clip, options, facts, has_values=False)
        return cls(kind, data, clip, options, facts) if kind is not None and is_taken else None

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
    def units(self) -> float:
        """How many pages, frames or seconds of sound are meant; a picture is one."""
        match self.kind:
            case "image":
                return 1
            case "document":
                return pages_of(self.data)
            case "audio":
                return self.seconds
            case "video":
                return max(1, round(self.seconds * (self.clip.fps or 1.0)))

    @property
    def tokens(self) -> Counter[str]:
        """How many tokens of each kind the service counts."""
        taken = self.facts[self.kind]
        counts = Counter[str](
            {KINDS[self.kind]: round(taken.tokens * min(self.units, taken.units))}
        )
        if self.options.ocr and self.kind == "document":
            counts["TEXT"] = likely_tokens(self.words)
        if self.options.sound and self.kind == "video":
            counts["VIDEO"] += round(TIMESTAMP_TOKENS * self.seconds)
            counts["AUDIO"] = round(self.facts["audio"].tokens * self.seconds)
        return counts

    @property
    def complaint(self) -> str | None:
        """Why the service does not take it, if it does not."""
        taken, units = self.facts[self.kind], self.units
        if kind_of(self.data) != self.kind:
            return f"Unable to process input {self.kind}."
        if self.kind == "document" and not 1 <= units <= taken.units:
            return f"The document has {units or 'no'} pages; 1 to {taken.units} are supported."
        if taken.every_frame and units > taken.units:
            return f"The video has {units} frames; at most {taken.units}."
        if taken.seconds < math.inf and self.seconds > taken.seconds:
            return f"The {self.kind} is {self.seconds:.0f} seconds long; at most {taken.seconds}."
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
