"""Media that a string names, where frameworks pass strings that are no texts. Performs no I/O."""

from __future__ import annotations

import binascii
from base64 import b64decode
from urllib.parse import unquote_to_bytes

from gemini_embed.errors import InvalidInputError
from gemini_embed.media.given import at
from gemini_embed.media.value import Media


def media_from(name: str, index: int) -> Media:
    """Return the medium that a string names: by a path, a `data:`, a `gs://` or an `https://` URI.

    Of `https://` only the Files API's own are taken.

    Args:
        name: The string.
        index: Its place in the caller's list.

    Raises:
        InvalidInputError: Not a string, or a URI that names nothing that the service reads.
    """
    if not isinstance(name, str):
        raise InvalidInputError(
            f"item {index} must be a path or a URI, not {type(name).__name__}", index, "not found"
        )
    try:
        if name.startswith("data:"):
            return _of_data(name.removeprefix("data:"))
        if name.startswith(("gs://", "https://", "http://")):
            return Media.from_uri(name)
        return Media.from_path(name)
    except InvalidInputError as error:
        raise at(error, index) from error.__cause__


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
