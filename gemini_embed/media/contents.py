"""Contents with media, as they are planned, counted, named and read."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from gemini_embed.contents import BYTES_BESIDE, Content, Tally, json_bytes
from gemini_embed.errors import InvalidInputError
from gemini_embed.media.files import read
from gemini_embed.media.value import key_of
from gemini_embed.media_facts import INLINE, KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gemini_embed.media.files import Stamp
    from gemini_embed.media.value import Media
    from gemini_embed.media_facts import Modality

_MOST_TOKENS = 2**16
"""Of one medium, that an answer is believed: some times what any model reads."""


@dataclass(slots=True, eq=False)
class Medium:
    """A medium of one call, once it was looked at. There is one for each that differs.

    Attributes:
        media: What the caller gave.
        modality: What kind it is.
        mime_type: Its format.
        size: Its bytes; None where the service alone finds it.
        tokens: How many it has, likely.
        most_tokens: How many it has at most.
        is_measured: Whether its file says how long it is; of a PDF nobody counts the pages.
        stamp: The state of its file.
        digest: The hash of its bytes, once somebody has taken it.
    """

    media: Media
    modality: Modality
    mime_type: str
    size: int | None
    tokens: int
    most_tokens: int
    is_measured: bool
    stamp: Stamp | None = None
    digest: str | None = None

    @property
    def key(self) -> str:
        """What tells its vector from another's.

        Raises:
            InvalidInputError: Its file cannot be read any more.
        """
        if self.digest is None:
            self.digest = self.media.digest()
        return key_of(self.media, self.digest, self.mime_type)

    def read(self) -> bytes:
        """Return its bytes, which are those that were looked at.

        Raises:
            InvalidInputError: They are not, or cannot be read.
        """
        if self.media.data is not None:
            return self.media.data
        path = self.media.path or ""
        data = read(path, self.stamp)
        self.check(path, hashlib.sha256(data).hexdigest())
        return data

    def check(self, path: str, digest: str) -> None:
        """Refuse bytes of a file that are not those whose hash was taken.

        Raises:
            InvalidInputError: They are not.
        """
        if self.digest not in (None, digest):
            raise InvalidInputError(f"{path} has changed since the call began", reason="changed")


class MediaContent(Content):
    """A content of several parts, or of one medium. Equal ones ask for the same vector.

    Its parts are texts and `Medium`.
    """

    __slots__ = ()

    @classmethod
    def fused(cls, parts: Sequence[str | Medium]) -> Self:
        """Return the content of some parts."""
        return cls(tuple(parts), None, None, sum(map(len, _texts(parts))))

    @property
    def media(self) -> list[Medium]:
        """Its media, in order."""
        return [part for part in self.parts if isinstance(part, Medium)]

    @property
    def counts(self) -> Counter[Modality]:
        """How many media it has of each kind."""
        return Counter(one.modality for one in self.media)

    @property
    def is_cacheable(self) -> bool:
        """Whether all of it is known: nobody looks at what a URI points to."""
        return all(one.media.uri is None for one in self.media)

    @property
    def text(self) -> str:
        """All its text."""
        return "\n".join(_texts(self.parts))

    @property
    def most_bytes(self) -> int:
        """How many bytes it has in a body."""
        return self.count_bytes()

    @property
    def most_tokens(self) -> int:
        """How many tokens it can have, whatever it is."""
        return super().most_tokens + _MOST_TOKENS * len(self.media)

    @property
    def most_of_media(self) -> int:
        """How many tokens its media have at most."""
        return sum(one.most_tokens for one in self.media)

    def count_bytes(self) -> int:
        """Return about how many bytes it has in a body."""
        beside = BYTES_BESIDE * len(self.parts)
        inline = sum(base64_size(one.size or 0) for one in self.inline())
        return beside + inline + sum(map(json_bytes, _texts(self.parts)))

    def inline(self, most: int = INLINE) -> list[Medium]:
        """Return the media that travel within a request: all, or but for the largest."""
        held = sorted((one for one in self.media if one.size is not None), key=_size)
        while held and sum(map(_size, held)) > most:
            held.pop()
        return held

    def key_bytes(self) -> bytes:
        """Return what of a key tells it from another content.

        Where a file cannot be read any more, no other key is equal: the sender will say so. A text
        alone is what it is, whoever calls it fused.
        """
        if len(self.parts) == 1 and isinstance(self.parts[0], str):
            return super().key_bytes()
        try:
            keys = [part.key if isinstance(part, Medium) else [part] for part in self.parts]
        except InvalidInputError:
            return os.urandom(32)
        return b"\xff" + json.dumps(keys).encode()  # no text has this byte


class MediaTally(Tally):
    """The tokens of contents of which some have media."""

    def roughly(self, contents: Sequence[Content]) -> int:
        """Return about how many tokens some contents have."""
        return self.sum(contents)

    def note(self, contents: Sequence[Content], counts: Sequence[int]) -> None:
        """Be told how many tokens the text of each of some contents has."""
        super().note(contents, list(map(with_media, contents, counts)))


def with_media(content: Content, tokens: int) -> int:
    """Return how many tokens a content has, by those of its text."""
    if not isinstance(content, MediaContent):
        return tokens
    return sum(one.tokens for one in content.media) + (tokens if content.letters else 0)


def by_kind(contents: Sequence[Content], tokens: int) -> dict[str, int]:
    """Return of what kind the tokens of some contents are, likely, in Google's words."""
    counts: Counter[str] = Counter()
    for content in contents:
        for one in content.media if isinstance(content, MediaContent) else ():
            counts[KINDS[one.modality]] += one.tokens
    whole = counts.total()
    if whole > tokens:
        counts = Counter({kind: count * tokens // whole for kind, count in counts.items()})
    return {**counts, "TEXT": tokens - counts.total()}


def unmeasured(contents: Sequence[Content]) -> int:
    """Return how many media of some contents nobody has measured."""
    found = (content.media for content in contents if isinstance(content, MediaContent))
    return sum(not one.is_measured for media in found for one in media)


class Kinds:
    """How many media a request has of each kind, while it is filled.

    Args:
        most: How many it may have.
    """

    def __init__(self, most: Mapping[Modality, int]) -> None:
        self._most = most
        self._held: Counter[Modality] = Counter()

    def takes(self, content: Content) -> bool:
        """Tell whether one more content fits."""
        if not isinstance(content, MediaContent):
            return True
        both = self._held + content.counts
        return all(count <= self._most.get(kind, count) for kind, count in both.items())

    def add(self, content: Content) -> None:
        """Note that a content is in it."""
        if isinstance(content, MediaContent):
            self._held += content.counts


def base64_size(size: int) -> int:
    """Return how long some bytes are in base64."""
    return -(-size // 3) * 4


def _texts(parts: Sequence[Any]) -> list[str]:
    return [part for part in parts if isinstance(part, str)]


def _size(medium: Medium) -> int:
    return medium.size or 0


class UnreadableError(Exception):
    """A medium of a batch cannot be sent; nothing was.

    Attributes:
        row: Which content of the batch has it.
        error: What is said of it.
    """

    def __init__(self, row: int, error: InvalidInputError) -> None:
        super().__init__(row, error)
        self.row = row
        self.error = error
