"""What the services take of pictures, sound, films and PDFs: facts, in a table. Performs no I/O.

Read in November 2026 on the pages of ai.google.dev (embeddings) and of Vertex AI (multimodal
embeddings). Tokens of an image are recorded; the others are as documented.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Modality = Literal["image", "audio", "video", "document"]
"""A kind of media; a document is a PDF."""

KINDS: dict[Modality, str] = {
    "image": "IMAGE",
    "audio": "AUDIO",
    "video": "VIDEO",
    "document": "DOCUMENT",
}
"""The same in Google's words, as usage has them."""

INLINE = 15 * 10**6
"""Bytes of an item's media that travel within a request. Google takes 20 MB of a body, in base64,
by its older pages; what is more goes by way of the Files API, or of Cloud Storage."""

WITH_FILES_API = frozenset({"gemini"})
"""Services that have the Files API."""

LARGEST = 2 * 10**9
"""Bytes of a file that the Files API takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a service takes of one kind of media.

    Attributes:
        formats: Which.
        most: How many in one request.
        tokens: Of a picture, a page, a frame, or a second of sound.
        units: How many of these it reads at most.
        seconds: How long it may take.
        every_frame: Whether a film with more frames than `units` is refused; else some are left
            out, evenly.
    """

    formats: frozenset[str]
    most: int
    tokens: int
    units: int = 1
    seconds: float = math.inf
    every_frame: bool = False

    @property
    def most_tokens(self) -> int:
        """How many tokens one can have."""
        return self.tokens * self.units


MediaFacts = Mapping[Modality, Taken]

_JPEG_AND_PNG = frozenset({"image/jpeg", "image/png"})
_FILMS = frozenset({"video/mp4", "video/quicktime"})

_SOUND = Taken(
    formats=frozenset({"audio/mpeg", "audio/wav"}), most=1, tokens=25, units=180, seconds=180
)
_PDF = Taken(formats=frozenset({"application/pdf"}), most=1, tokens=258, units=6)

ON_GEMINI: MediaFacts = {
    "image": Taken(formats=_JPEG_AND_PNG, most=6, tokens=258),
    "audio": _SOUND,
    "video": Taken(formats=_FILMS, most=1, tokens=66, units=32, seconds=120),
    "document": _PDF,
}
"""Of the Gemini API. It does not hear the sound of a film."""

ON_VERTEX: MediaFacts = {
    "image": Taken(
        formats=_JPEG_AND_PNG
        | {"image/avif", "image/bmp", "image/heic", "image/heif", "image/webp"},
        most=6,
        tokens=258,
    ),
    "audio": _SOUND,
    "video": Taken(formats=_FILMS | {"video/mpeg"}, most=1, tokens=66, units=120, every_frame=True),
    "document": _PDF,
}
"""Of Vertex AI."""
