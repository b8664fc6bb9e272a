"""`Media`: a picture, a sound, a film or a PDF, as a value. And what is fused into one vector."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from gemini_embed.errors import InvalidInputError
from gemini_embed.media.files import digest_of, look_at
from gemini_embed.media.formats import HEAD, modality_of, named, of_suffix, sniffed
from gemini_embed.redaction import shown_url

if TYPE_CHECKING:
    from os import PathLike

    from gemini_embed.media_facts import Modality

_FILES_API = re.compile(
    r"(https://[\w.-]+\.googleapis\.com/v\w+/)?files/[a-z0-9][a-z0-9-]*", re.IGNORECASE
)
_STORAGE = re.compile(r"gs://[^/\s]+/\S.*")
_WEB = re.compile(r"https://[^/\s]+/\S*")

_HINTS = {
    "https://": "; set allow_urls=True to let it",
    "file://": "; of a file here, give the path alone: Media.from_path(path)",
}
"""What to do about a URI that is not taken, by its beginning."""

_UNITS = ("B", "kB", "MB", "GB")


_DECIMALS = 9
"""Of a clip: Google's JSON knows nanoseconds."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Media:
    """A picture, a sound, a film or a PDF: `from_path`, `from_bytes` or `from_uri` makes one.

    It is a value: two of the same bytes, path or URI, and of the same clip, are equal. A file is
    read when it is sent, not before; where something is asked that only the file can tell, it is
    looked at then.

    Attributes:
        data: Its bytes, of one that was made of bytes.
        path: Its file, of one that was made of a path.
        uri: Where the service finds it, of one that was made of a URI.
        declared: The format as the caller named it; None where the first bytes tell it.
        start: Second at which the clip of a film or a sound begins.
        end: Second at which it ends.
        fps: How many frames of a second of a film are looked at.
    """

    data: bytes | None = None
    path: str | None = None
    uri: str | None = None
    declared: str | None = None
    start: float | None = None
    end: float | None = None
    fps: float | None = None

    def __post_init__(self) -> None:
        if sum(one is not None for one in (self.data, self.path, self.uri)) != 1:
            raise InvalidInputError(
                "a medium is made of bytes, of a path or of a URI: Media.from_path(...)",
                reason="not a medium",
            )
        for name in ("start", "end", "fps"):
            _check_number(name, getattr(self, name))
            if (given := getattr(self, name)) is not None:  # what travels is as exact as that
                object.__setattr__(self, name, round(float(given), _DECIMALS))
        if self.end is not None and self.end <= (self.start or 0):
            raise InvalidInputError("end must be later than start", reason="wrong clip")
        if self.fps == 0:
            raise InvalidInputError("fps must be more than 0", reason="wrong clip")
        if self.declared is not None and modality_of(self.declared) is None:
            raise InvalidInputError(
                f"mime_type {self.declared!r} is of no picture, sound, film or PDF",
                reason="unknown format",
            )
        if self.uri is not None and self.declared is None:
            raise InvalidInputError(
                "the URI does not say of which format it is; give mime_type",
                reason="unknown format",
            )

    @classmethod
    def from_path(
        cls,
        path: str | PathLike[str],
        *,
        mime_type: str | None = None,
        start: float | None = None,
        end: float | None = None,
        fps: float | None = None,
    ) -> Self:
        """Return the medium in a file, which is read when it is sent.

        Args:
            path: The file.
            mime_type: Its format, as the service is told. Default: as its first bytes say. Both
                must be of one kind: a picture, a sound, a film or a PDF.
            start: Second at which the clip of a film or a sound begins.
            end: Second at which it ends.
            fps: How many frames of a second of a film are looked at. Default: the service's, 1.

        Raises:
            InvalidInputError: A format of no medium, or a clip that cannot be.
        """
        written = os.fspath(path)
        if isinstance(written, str) and written.startswith("file://"):
            return cls.from_uri(written)
        if not isinstance(written, str) or "\0" in written:
            raise InvalidInputError("path must be a string or a Path", reason="not found")
        return cls(path=written, declared=_named(mime_type), start=start, end=end, fps=fps)

    @classmethod
    def from_bytes(
        cls,
        data: bytes | bytearray | memoryview,
        *,
        mime_type: str | None = None,
        start: float | None = None,
        end: float | None = None,
        fps: float | None = None,
    ) -> Self:
        """Return the medium that bytes are; `from_path` says what the others mean.

        Raises:
            InvalidInputError: Not bytes, a format of no medium, or a clip that cannot be.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise InvalidInputError(
                f"data must be bytes, not {type(data).__name__}", reason="not bytes"
            )
        return cls(data=bytes(data), declared=_named(mime_type), start=start, end=end, fps=fps)

    @classmethod
    def from_uri(
        cls,
        uri: str,
        *,
        mime_type: str | None = None,
        start: float | None = None,
        end: float | None = None,
        fps: float | None = None,
        allow_urls: bool = False,
    ) -> Self:
        """Return the medium that the service finds at a URI; nobody looks at it before.

        Args:
            uri: `gs://` (Cloud Storage), or a file of the Files API.
            mime_type: Its format. Default: as the end of the URI says (`.png`).
            start: See `from_path`.
            end: Likewise.
            fps: Likewise.
            allow_urls: Whether `https://` is taken, too: the service fetches what is there, and
                learns the address.

        Raises:
            InvalidInputError: Another URI, or one that does not say a format; or as `from_path`.
        """
        uri = uri.strip() if isinstance(uri, str) else ""
        if not (_STORAGE.fullmatch(uri) or _FILES_API.fullmatch(uri)) and not (
            allow_urls and _WEB.fullmatch(uri)
        ):
            hint = next((said for begin, said in _HINTS.items() if uri.startswith(begin)), "")
            raise InvalidInputError(
                "a URI must begin with gs://, or be a file of the Files API: the service does not "
                f"fetch others{hint}",
                reason="wrong URI",
            )
        declared = _named(mime_type) or of_suffix(uri.partition("?")[0])
        return cls(uri=uri, declared=declared, start=start, end=end, fps=fps)

    @property
    def source(self) -> bytes | str | None:
        """Its bytes or its path; None of a URI."""
        return self.path if self.data is None else self.data

    @property
    def mime_type(self) -> str:
        """Its format, as declared or as the first bytes say.

        Raises:
            InvalidInputError: They say none, or there is no such file.
        """
        if self.declared is not None:
            return self.declared
        assert self.source is not None  # noqa: S101 - a URI declares it
        head = self.data[:HEAD] if self.data is not None else None
        found = sniffed(head) if head is not None else look_at(self.source).found
        if found is None:
            raise unknown_format()
        return found

    @property
    def modality(self) -> Modality:
        """Whether it is an `image`, `audio`, `video`, or a `document`: a PDF.

        Raises:
            InvalidInputError: Its first bytes do not tell, or there is no such file.
        """
        found = modality_of(self.mime_type)
        assert found is not None  # noqa: S101 - of all formats that are found or taken
        return found

    def digest(self) -> str:
        """Return the SHA-256 of its bytes, 64 letters; of a URI, that of the URI.

        Raises:
            InvalidInputError: There is no such file.
        """
        if self.source is None:
            return hashlib.sha256(str(self.uri).encode()).hexdigest()
        return digest_of(self.source)

    def key(self) -> str:
        """Return what tells its vector from another's, 64 letters: bytes, format and clip, hashed.

        Raises:
            InvalidInputError: There is no such file, or its format cannot be told.
        """
        return key_of(self, self.digest(), self.mime_type)

    def __repr__(self) -> str:
        where = self.path or shown_url(self.uri or "") or f"{len(self.data or b'')} bytes"
        parts = {"mime_type": self.declared, "start": self.start, "end": self.end, "fps": self.fps}
        more = "".join(f", {name}={one!r}" for name, one in parts.items() if one is not None)
        return f"Media({where!r}{more})"

    def __str__(self) -> str:
        """Return a few words for a log: its format and size, `<image/png 84 kB>`."""
        if self.source is None:
            return f"<{self.declared} {shown_url(self.uri or '')}>"
        try:
            size = look_at(self.source).size
            return f"<{self.mime_type} {_in_units(size)}>"
        except InvalidInputError:
            return f"<{self.declared or 'a medium'}>"


@dataclass(frozen=True, slots=True)
class Fused:
    """What becomes one vector together, in this order: see `fused`.

    Attributes:
        parts: Texts and media.
    """

    parts: tuple[Any, ...]


def fused(*parts: str | Media) -> Fused:
    """Return one item of several parts: `embed` makes one vector of all.

    A list or tuple that holds a `Media` means the same. For texts alone this says that they are
    meant to be one: a list of texts in the place of an item is refused, since most who write it
    want a vector of each.

    Args:
        parts: Texts and media, in order.
    """
    return Fused(parts)


def key_of(media: Media, digest: str, mime_type: str) -> str:
    """Return the key of a medium whose hash and format are known."""
    named = [digest, mime_type, media.start, media.end, media.fps, media.uri is not None]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()


def unknown_format() -> InvalidInputError:
    """Return the error for bytes that tell no format."""
    return InvalidInputError(
        "its first bytes are of no picture, sound, film or PDF that is known; give mime_type if "
        "the service knows it",
        reason="unknown format",
    )


def _named(mime_type: str | None) -> str | None:
    if mime_type is not None and not isinstance(mime_type, str):
        raise InvalidInputError(
            f"mime_type must be a string, not {type(mime_type).__name__}", reason="unknown format"
        )
    return None if mime_type is None else named(mime_type)


def _check_number(name: str, value: object) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is not None and not (is_number and 0 <= value < float("inf")):  # type: ignore[operator] # a number
        raise InvalidInputError(f"{name} must be a number from 0", reason="wrong clip")


def _in_units(size: float) -> str:
    for unit in _UNITS[:-1]:
        if size < 1000:  # noqa: PLR2004 - of a unit to the next
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.0f} {_UNITS[-1]}"
