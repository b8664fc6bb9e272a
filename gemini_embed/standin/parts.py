"""The parts of a content: texts, and media inside the request or at an address. Performs no I/O.

Google's refusals of media are known from other methods; for embeddings, all of them are presumed.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from gemini_embed.standin import google_errors, protojson
from gemini_embed.standin.media import NO_OPTIONS, Clip, Medium

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gemini_embed.media_facts import MediaFacts
    from gemini_embed.models import BackendName, Model
    from gemini_embed.standin.google_errors import GoogleError
    from gemini_embed.standin.media import MediaOptions
    from gemini_embed.standin.vector_sources import WantedVector

    Fetch = Callable[[BackendName, str], "Blob"]
    """Returns what lies at an address, or refuses in the words of that service."""

_CONTENT = ("parts", "role")
_DATA = ("text", "inlineData", "fileData")
_PART = (*_DATA, "videoMetadata")
_SECONDS = re.compile(r"-?\d+(\.\d{1,9})?s")


class Blob(NamedTuple):
    """Bytes, and what they are said to be, if anybody said it."""

    data: bytes
    mime_type: str | None


class WrittenMedium(NamedTuple):
    """A medium as a request has it: inside, or at an address."""

    inside: Blob | None
    uri: str
    mime_type: str | None
    clip: Clip


Part = str | WrittenMedium | None
"""None: a part that holds nothing."""


def read(content: Any, where: str) -> list[Part]:
    """Return every part of a `Content`.

    Raises:
        GoogleError: It does not fit the message.
    """
    fields = protojson.message(content, where, _CONTENT)
    return [_part(*one) for one in protojson.items(fields.get("parts", []), f"{where}.parts")]


def resolved(
    parts: Sequence[Part],
    where: str,
    *,
    model: Model,
    service: BackendName,
    fetch: Fetch,
    options: MediaOptions = NO_OPTIONS,
) -> tuple[str | Medium, ...]:
    """Return the parts of a `Content` as the model gets them.

    Raises:
        GoogleError: There is none, or one that holds nothing, or a medium that cannot be read.
    """
    if not parts:  # presumed wording
        raise google_errors.invalid_fields(f"{where}: content is not specified")
    if None in parts:
        raise google_errors.invalid_fields(
            f"{where}.parts[{parts.index(None)}].data: required oneof field 'data' must have one "
            "initialized field"
        )
    found: list[str | Medium] = []
    for part in parts:
        if isinstance(part, WrittenMedium):
            facts = model.on(service).media
            if facts is None:
                raise google_errors.invalid(f"{model.name} does not support media input.")
            blob = part.inside or fetch(service, part.uri)
            found.append(_medium(part, blob, facts, options))
        elif part is not None:
            found.append(part)
    return tuple(found)


def cannot_fetch(service: BackendName, uri: str) -> GoogleError:
    """Return the refusal of an address: nothing that the service can read lies there."""
    if service == "gemini" and uri.startswith("gs://"):
        return google_errors.invalid(f"Invalid or unsupported file uri: {uri}")
    return google_errors.invalid(
        "Cannot fetch content from the provided URL. Please ensure the URL is valid and "
        f"accessible. URL: {uri}"
    )


def nothing_there(service: BackendName, uri: str) -> Blob:
    """Refuse every address.

    Raises:
        GoogleError: Always.
    """
    raise cannot_fetch(service, uri)


def check_together(wanted: Sequence[WantedVector]) -> None:
    """Refuse more media than one request may have: Google does not say whether one content counts.

    Raises:
        GoogleError: Too many of a kind.
    """
    media = [medium for one in wanted for medium in one.media]
    given = Counter(medium.kind for medium in media)
    for medium in media:
        if given[medium.kind] > (most := medium.facts[medium.kind].most):
            raise google_errors.invalid(
                f"Too many {medium.kind} inputs in the request: {given[medium.kind]}; at most "
                f"{most} supported."
            )


def _part(item: Any, where: str) -> Part:
    fields = protojson.message(item, where, _PART)
    held = [name for name in _DATA if name in fields]
    if len(held) > 1:
        raise google_errors.invalid_payload(
            f"Invalid value at '{where}' (oneof), oneof field 'data' is already set. Cannot set "
            f"'{held[1]}'",
            where,
        )
    if not held:
        return None
    if held == ["text"]:
        return protojson.text(fields["text"], f"{where}.text")
    clip = _clip(fields.get("videoMetadata", {}), f"{where}.video_metadata")
    if held == ["inlineData"]:
        place = f"{where}.inline_data"
        inside = protojson.message(fields["inlineData"], place, ("mimeType", "data", "displayName"))
        declared = protojson.text(inside.get("mimeType", ""), f"{place}.mime_type")
        data = _decoded(inside.get("data", ""), f"{place}.data")
        return WrittenMedium(Blob(data, declared), "", declared, clip)
    place = f"{where}.file_data"
    told = protojson.message(fields["fileData"], place, ("mimeType", "fileUri", "displayName"))
    uri = protojson.text(told.get("fileUri", ""), f"{place}.file_uri")
    named = told.get("mimeType")
    mime_type = None if named is None else protojson.text(named, f"{place}.mime_type")
    return WrittenMedium(None, uri, mime_type, clip)


def _medium(part: WrittenMedium, blob: Blob, facts: MediaFacts, options: MediaOptions) -> Medium:
    mime_type = part.mime_type or blob.mime_type or ""
    medium = Medium.declared(blob.data, mime_type, facts, part.clip, options)
    if medium is None:
        raise google_errors.invalid(f"Unsupported MIME type: {mime_type}")
    if medium.complaint:
        raise google_errors.invalid(medium.complaint)
    return medium


def _clip(value: Any, where: str) -> Clip:
    fields = protojson.message(value, where, ("startOffset", "endOffset", "fps"))
    start, end = (_seconds(fields.get(name), where) for name in ("startOffset", "endOffset"))
    fps = fields.get("fps")
    if fps is not None and (isinstance(fps, bool) or not isinstance(fps, (int, float))):
        raise google_errors.invalid_payload(
            f"Invalid value at '{where}.fps' (TYPE_DOUBLE), {json.dumps(fps)}", f"{where}.fps"
        )
    return Clip(start, end, fps)


def _seconds(value: Any, where: str) -> float | None:
    """Return a length of time, which JSON has as `1.5s`."""
    if value is None:
        return None
    if isinstance(value, str) and _SECONDS.fullmatch(value):
        return float(value[:-1])
    raise google_errors.invalid_payload(
        f"Invalid value at '{where}' (type.googleapis.com/google.protobuf.Duration), "
        f"{json.dumps(value)}",
        where,
    )


def _decoded(value: Any, where: str) -> bytes:
    """Return bytes, which JSON has in base64 of either alphabet."""
    text = protojson.text(value, where).rstrip("=")
    text += "=" * (-len(text) % 4)
    try:
        return base64.b64decode(text, b"-_" if "-" in text or "_" in text else None, validate=True)
    except (binascii.Error, ValueError):
        raise google_errors.invalid_payload(
            f"Invalid value at '{where}' (TYPE_BYTES), Base64 decoding failed for "
            f"{json.dumps(text[:40])}",
            where,
        ) from None
