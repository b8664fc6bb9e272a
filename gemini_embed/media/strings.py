"""Media that a string names, where frameworks pass strings that are no texts. Performs no I/O."""

from __future__ import annotations

import binascii
from base64 import b64decode
from os import PathLike
from urllib.parse import unquote_to_bytes

from gemini_embed.errors import InvalidInputError
from gemini_embed.media.given import at
from gemini_embed.media.value import Media

_SCHEMES = ("data:", "gs://", "https://", "http://", "file://")


def media_from(name: str | PathLike[str], index: int) -> Media:
    """Return the medium that a string names, by a path or as `media_at`; or that a `Path` names.

    Args:
        name: The string or the path.
        index: Its place in the caller's list.

    Raises:
        InvalidInputError: Neither, or a URI that names nothing that the service reads.
    """
    if not isinstance(name, str | PathLike):
        raise InvalidInputError(
            f"item {index} must be a path or a URI, not {type(name).__name__}", index, "not found"
        )
    try:
        if isinstance(name, str) and name.startswith(_SCHEMES):
            return media_at(name)
        return Media.from_path(name)
    except InvalidInputError as error:
        raise at(error, index) from error.__cause__


def media_at(uri: str, mime_type: str | None = None) -> Media:
    """Return the medium at a `data:`, a `gs://` or an `https://` URI.

    Of `https://` only the Files API's own are taken.

    Args:
        uri: The URI.
        mime_type: Its format, where the URI does not say it.

    Raises:
        InvalidInputError: It names nothing that the service reads.
    """
    if uri.startswith("data:"):
        return _of_data(uri.removeprefix("data:"))
    return Media.from_uri(uri, mime_type=mime_type)


def _of_data(written: str) -> Media:
    """Return what a `data:` URI holds, without its beginning."""
    described, comma, body = written.partition(",")
    mime_type, *options = described.split(";")
    data = unquote_to_bytes(body)
    try:
        data = b64decode(data, validate=True) if "base64" in options else data
    except binascii.Error:
        comma = ""
    if not comma:
        raise InvalidInputError("the data: URI cannot be read", reason="wrong URI")
    return Media.from_bytes(data, mime_type=mime_type or None)
