"""What callers give as an item, brought to one form.

`Media`, bytes, pictures of Pillow, parts of Google's SDK, and lists of them. Loads neither Pillow
nor the SDK.
"""

from __future__ import annotations

import io
import math
import sys
from typing import TYPE_CHECKING, Any, Protocol

from gemini_embed.errors import InvalidInputError
from gemini_embed.media.value import Fused, Media

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias


class Image(Protocol):
    """A picture as Pillow has it."""

    @property
    def mode(self) -> str:
        """How a point of it is stored."""
        ...

    def save(self, fp: Any, format: str | None = ..., **params: Any) -> None:  # noqa: A002 - Pillow's name
        """Write it to a file."""


class Part(Protocol):
    """A part of a content as Google's SDK has it: `google.genai.types.Part`."""

    @property
    def inline_data(self) -> Any:
        """Bytes and their format."""
        ...

    @property
    def file_data(self) -> Any:
        """A URI and its format."""
        ...

    @property
    def text(self) -> str | None:
        """A text."""
        ...


MediaLike: TypeAlias = "Media | bytes | bytearray | memoryview | Image | Part"
Item: TypeAlias = "str | MediaLike | Fused | Sequence[str | MediaLike]"
"""What becomes one vector: a text, a medium, or several of both of which one is a medium."""

_DIRECT = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
"""Modes of Pillow that PNG has."""

_OF_A_PART = ("inline_data", "file_data", "text")


def parts_of(item: object, index: int) -> Fused:
    """Return what an item that is no text is made of: texts and `Media`.

    Raises:
        InvalidInputError: It is no such item; says which.
    """
    if isinstance(item, Fused):
        given: Sequence[object] = item.parts
    elif isinstance(item, list | tuple):
        given = item
    else:
        given = (item,)
    parts = tuple(_part(one, index) for one in given)
    if not parts:
        raise InvalidInputError(f"item {index} is empty", index=index, reason="empty")
    if not isinstance(item, Fused) and all(isinstance(one, str) for one in parts):
        raise InvalidInputError(
            f"item {index} is a list of texts: write each text as an item of its own for a vector "
            "of each, or gemini_embed.fused(...) for one vector of all",
            index=index,
            reason="texts in a list",
        )
    return Fused(parts)


def _part(given: object, index: int) -> str | Media:
    if isinstance(given, str | Media):
        return given
    try:
        found = _converted(given)
    except InvalidInputError as error:
        raise at(error, index) from error.__cause__
    if found is None:
        raise InvalidInputError(
            f"item {index} is neither a text nor a medium but {type(given).__name__}",
            index=index,
            reason="not a medium",
        )
    return found


def held_bytes(item: Any) -> int:
    """Return about how many bytes of media an item holds in memory: of a file none."""
    if isinstance(item, Fused | list | tuple):
        return sum(map(held_bytes, item.parts if isinstance(item, Fused) else item))
    if isinstance(item, Media):
        return len(item.data or b"")
    if isinstance(item, bytes | bytearray | memoryview):
        return memoryview(item).nbytes
    if _is(item, "PIL.Image", "Image"):
        return int(math.prod(item.size)) * len(item.getbands())
    return len(getattr(getattr(item, "inline_data", None), "data", None) or b"")


def at(error: InvalidInputError, index: int) -> InvalidInputError:
    """Return the error, saying which item it is about."""
    summary = f"item {index}: {error.summary}"
    return error.with_context(summary=summary, index=index, indexes=(index,))


def _converted(given: Any) -> str | Media | None:
    """Return a text or a medium; None of what is neither."""
    if isinstance(given, bytes | bytearray | memoryview):
        return Media.from_bytes(given)
    if _is(given, "PIL.Image", "Image"):
        return Media.from_bytes(_as_png(given), mime_type="image/png")
    if _is(given, "google.genai.types", "Part"):
        return _of_sdk(given)
    return None


def _is(given: object, module: str, name: str) -> bool:
    """Tell whether something is of a class of a library, which is loaded if it is."""
    found = getattr(sys.modules.get(module), name, None)
    return isinstance(found, type) and isinstance(given, found)


def _as_png(image: Any) -> bytes:
    written = io.BytesIO()
    try:
        (image if image.mode in _DIRECT else image.convert("RGB")).save(written, "PNG")
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"Pillow could not write the picture: {error}", reason="not readable"
        ) from error
    return written.getvalue()


def _of_sdk(part: Any) -> str | Media | None:
    held = {name for name, value in part if value is not None} - {"video_metadata"}
    if len(held) != 1 or not held.issubset(_OF_A_PART):
        return None
    clip = part.video_metadata
    options: dict[str, Any] = {
        "start": _seconds(getattr(clip, "start_offset", None)),
        "end": _seconds(getattr(clip, "end_offset", None)),
        "fps": getattr(clip, "fps", None),
    }
    if part.inline_data is not None:
        blob = part.inline_data
        return Media.from_bytes(blob.data or b"", mime_type=blob.mime_type, **options)
    if part.file_data is not None:
        file = part.file_data
        return Media.from_uri(file.file_uri or "", mime_type=file.mime_type, **options)
    text: str = part.text
    return text


def _seconds(offset: str | None) -> float | None:
    """Return the number of a duration as protobuf writes it: `1.5s`."""
    try:
        return None if offset is None else float(str(offset).removesuffix("s"))
    except ValueError:
        raise InvalidInputError(
            f"{offset!r} is no duration such as '1.5s'", reason="wrong clip"
        ) from None
