"""Whether a service takes some media: decided by the table, before anything is sent. No I/O."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from gemini_embed.errors import InvalidInputError
from gemini_embed.media.contents import Medium
from gemini_embed.media.formats import agree, modality_of
from gemini_embed.media.value import unknown_format
from gemini_embed.media_facts import INLINE, LARGEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gemini_embed.media.files import Look
    from gemini_embed.media.value import Media
    from gemini_embed.media_facts import MediaFacts, Modality, Taken

_MB = 10**6


class Rules(NamedTuple):
    """What holds for the media of a call.

    Attributes:
        facts: What the service takes.
        where: The service and its model, in words.
        stores_files: Whether it has the Files API.
    """

    facts: MediaFacts
    where: str
    stores_files: bool


def medium_of(media: Media, look: Look | None, rules: Rules) -> Medium:
    """Return a medium that the service takes, as far as can be seen; `look` is None of a URI.

    Raises:
        InvalidInputError: It does not.
    """
    mime_type = _format(media, look)
    modality = modality_of(mime_type)
    taken = None if modality is None else rules.facts.get(modality)
    found = mime_type if look is None or look.found is None else look.found
    if modality is None or taken is None or not {mime_type, found} <= taken.formats:
        formats = sorted(one for some in rules.facts.values() for one in some.formats)
        refused = found if taken and mime_type in taken.formats else mime_type
        raise InvalidInputError(
            f"{rules.where} takes no {refused}; it takes {', '.join(formats)}",
            reason="not taken by the service",
        )
    _check_clip(media, modality)
    seconds = _seconds(media, look)
    _check_length(seconds, media.fps or 1, taken, rules)
    units = _units(seconds, media.fps or 1, modality, taken)
    return Medium(
        media=media,
        modality=modality,
        mime_type=mime_type,
        size=None if look is None else look.size,
        tokens=taken.tokens * min(taken.units, units),
        most_tokens=taken.most_tokens if seconds is None else taken.tokens * units,
        is_measured=modality == "image" or seconds is not None,
        stamp=None if look is None else look.stamp,
    )


def check_together(media: Sequence[Medium], rules: Rules) -> None:
    """Refuse an item that has more than one request takes.

    Raises:
        InvalidInputError: It has too many media of a kind, or too many bytes.
    """
    for kind, taken in rules.facts.items():
        count = sum(one.modality == kind for one in media)
        if count > taken.most:
            raise InvalidInputError(
                f"it has {count} media of the kind {kind}, and {rules.where} takes {taken.most} "
                "in one request",
                reason="too many media",
            )
    size = sum(one.size or 0 for one in media)
    if size > INLINE and not rules.stores_files:
        raise InvalidInputError(
            f"its media have {size / _MB:.0f} MB, and a request takes {INLINE // _MB}; put them "
            'into Cloud Storage, and give Media.from_uri("gs://...")',
            reason="too large",
        )


def _format(media: Media, look: Look | None) -> str:
    """Return the format of a medium that has one.

    Raises:
        InvalidInputError: It is empty, too large, or not what it is said to be.
    """
    if look is None:
        return media.mime_type
    if not look.size:
        raise InvalidInputError("it is empty", reason="empty")
    if look.size > LARGEST:
        raise InvalidInputError(
            f"it has {look.size / _MB:.0f} MB; a file may have {LARGEST // _MB}", reason="too large"
        )
    if media.declared is not None and not agree(media.declared, look.found):
        found = "of no format that is known" if look.found is None else f"those of {look.found}"
        raise InvalidInputError(
            f"it is declared as {media.declared}, and its first bytes are {found}",
            reason="wrong format",
        )
    if (mime_type := media.declared or look.found) is None:
        raise unknown_format()
    return mime_type


def _check_clip(media: Media, modality: Modality) -> None:
    has_clip = media.start is not None or media.end is not None
    if (has_clip and modality not in ("audio", "video")) or (media.fps and modality != "video"):
        raise InvalidInputError(
            f"start and end are of films and sound, fps is of films: it is of the kind {modality}",
            reason="wrong clip",
        )


def _seconds(media: Media, look: Look | None) -> float | None:
    """Return how long the clip takes; None where that is not known.

    Raises:
        InvalidInputError: It begins after the end.
    """
    start = media.start or 0.0
    whole = math.inf if look is None or look.seconds is None else look.seconds
    if start and start >= whole:
        raise InvalidInputError(
            f"it takes {whole:.1f} s, and its clip begins after {start:g}", reason="wrong clip"
        )
    end = min(whole, media.end if media.end is not None else math.inf)
    return None if end == math.inf else end - start


def _check_length(seconds: float | None, fps: float, taken: Taken, rules: Rules) -> None:
    most = taken.units / fps if taken.every_frame else taken.seconds
    if seconds is not None and seconds > most:
        raise InvalidInputError(
            f"it takes {seconds:.1f} s, and {rules.where} takes {most:g}; embed parts of it, by "
            "start and end",
            reason="too long",
        )


def _units(seconds: float | None, fps: float, modality: Modality, taken: Taken) -> int:
    """Return how many pictures, pages, frames or seconds of sound are read, likely."""
    match modality:
        case "image" | "document":  # most PDFs have a page: it is advised
            return 1
        case "audio":
            return taken.units if seconds is None else max(1, math.ceil(seconds))
        case "video":
            return taken.units if seconds is None else max(1, math.ceil(seconds * fps))
