"""Media as parts of a content: as the services take them, and read again. Performs no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gemini_embed.media.contents import Medium
    from gemini_embed.media.value import Media
    from gemini_embed.models import BackendName


def inline(medium: Medium, backend: BackendName, data: str) -> dict[str, Any]:
    """Return the part of a content that holds a medium, by its bytes in base64."""
    names = _MEDIA[backend]
    held = {names.mime_type: medium.mime_type, "data": data}
    return {names.inline: held, **_clip(medium.media, names)}


def referred(medium: Medium, backend: BackendName, uri: str) -> dict[str, Any]:
    """Return the part of a content that names a medium, by its URI."""
    names = _MEDIA[backend]
    held = {names.mime_type: medium.mime_type, names.uri: uri}
    return {names.file: held, **_clip(medium.media, names)}


def read_part(
    part: Mapping[str, Any], backend: BackendName, made: Callable[..., Media]
) -> str | Media:
    """Return what `inline`, `referred` or a text became, read again.

    `made` returns a medium of `data` or `uri`, with its `mime_type`, `start`, `end` and `fps`.
    """
    if "text" in part:
        return str(part["text"])
    names = _MEDIA[backend]
    held, clip = part.get(names.inline) or part[names.file], part.get(names.clip, {})
    start, end = (_seconds_of(clip.get(name)) for name in (names.start, names.end))
    return made(
        data=held.get("data"),
        uri=held.get(names.uri),
        mime_type=held[names.mime_type],
        start=start,
        end=end,
        fps=clip.get("fps"),
    )


def _clip(media: Media, names: _Names) -> dict[str, Any]:
    clip = {names.start: _seconds(media.start), names.end: _seconds(media.end), "fps": media.fps}
    given = {name: value for name, value in clip.items() if value is not None}
    return {names.clip: given} if given else {}


def _seconds(number: float | None) -> str | None:
    """Return a length of time as JSON of Google's has it, which knows nanoseconds."""
    return None if number is None else f"{number:.9f}".rstrip("0").rstrip(".") + "s"


def _seconds_of(written: str | None) -> float | None:
    return None if written is None else float(written.removesuffix("s"))


class _Names(NamedTuple):
    """How a service names the fields of a medium."""

    inline: str
    file: str
    mime_type: str
    uri: str
    clip: str
    start: str
    end: str


_MEDIA: Mapping[BackendName, _Names] = {
    "gemini": _Names(
        *("inline_data", "file_data", "mime_type", "file_uri"),
        *("video_metadata", "start_offset", "end_offset"),
    ),
    "vertex": _Names(
        *("inlineData", "fileData", "mimeType", "fileUri"),
        *("videoMetadata", "startOffset", "endOffset"),
    ),
}
"""As Google's SDK writes them; both services take either."""
