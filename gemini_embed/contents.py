"""What is embedded, as it is sent: contents, and the batches they travel in. Performs no I/O."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from json.encoder import encode_basestring
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

TaskType = Literal[
    "TASK_TYPE_UNSPECIFIED",
    "RETRIEVAL_QUERY",
    "RETRIEVAL_DOCUMENT",
    "SEMANTIC_SIMILARITY",
    "CLASSIFICATION",
    "CLUSTERING",
    "QUESTION_ANSWERING",
    "FACT_VERIFICATION",
    "CODE_RETRIEVAL_QUERY",
]
"""Google's own values. `TASK_TYPE_UNSPECIFIED` tells the model nothing: no field, no prefix."""

BYTES_BESIDE = 256
"""What a body holds for each content beside it: names of fields, the model, task and dimension."""

_MOST_BYTES_OF_A_LETTER = 6
"""A control character is written as `\\u0001`."""

_MOST_TOKENS_OF_A_LETTER = 4
"""A token is a byte or more, and a letter has four bytes at most."""

_TOKENS_BESIDE = 8
"""Tokens that a service may add to a content: where it begins and ends."""


_SAMPLED = 2**13
_SAMPLED_SHARE = 1 / 16
"""Letters that are enough to tell about how many tokens a batch has; and, of a long call, the share
of all its letters."""


class Content(NamedTuple):
    """What one vector is made of, as it is sent. Equal contents ask for the same vector.

    A tuple, because there is one for each text, and it is hashed and compared several times.

    Attributes:
        parts: Its texts; the service makes one vector of all. Of what has media: see
            `media.contents`.
        task_type: What it is embedded for, where a field of the request says so.
        title: Of a document, where a field of the request has it.
        letters: How many all of this has; a body has more bytes.
    """

    parts: tuple[Any, ...]
    task_type: TaskType | None
    title: str | None
    letters: int

    @classmethod
    def of(cls, text: str, task_type: TaskType | None = None, title: str | None = None) -> Self:
        """Return the content that is one text."""
        letters = len(text) + len(title) if title else len(text)
        return cls((text,), task_type, title, letters)

    @property
    def text(self) -> str:
        """All its text."""
        return "".join(self.parts)

    @property
    def read(self) -> str:
        """All that the model reads: its title, and its text."""
        return f"{self.title}\n{self.text}" if self.title else self.text

    @property
    def most_bytes(self) -> int:
        """How many bytes it can have in a body, whatever its letters are."""
        return BYTES_BESIDE + _MOST_BYTES_OF_A_LETTER * self.letters

    @property
    def most_tokens(self) -> int:
        """How many tokens it can have, whatever its letters are."""
        return _TOKENS_BESIDE + _MOST_TOKENS_OF_A_LETTER * self.letters

    @property
    def most_of_media(self) -> int:
        """How many tokens its media have at most."""
        return 0

    def count_bytes(self) -> int:
        """Return about how many bytes it has in a body; hardly fewer than it has."""
        texts = (*self.parts, self.title) if self.title else self.parts
        return BYTES_BESIDE + sum(map(json_bytes, texts))

    def key_bytes(self) -> bytes:
        """Return what of a key tells it from another content with the same task and title."""
        return self.text.encode()


def estimated(texts: Sequence[str]) -> list[int]:
    """Return about how many tokens each text has."""
    from gemini_embed.token_counts import count_likely  # noqa: PLC0415 - loads numpy

    return count_likely(texts)


class Tally:
    """The tokens of contents: each is estimated once, when somebody asks, if nobody counted it."""

    def __init__(self) -> None:
        self._known: dict[Content, int] = {}
        self._letters = 0  # of all that was asked for roughly
        self._read_letters = self._read_tokens = 0  # of what was read of it

    def __call__(self, content: Content) -> int:
        """Return how many tokens a content has."""
        known = self._known.get(content)
        return self.sum([content]) if known is None else known

    def learn(self, contents: Iterable[Content]) -> None:
        """Estimate some in one go, which is faster."""
        new = [content for content in contents if content not in self._known]
        self.note(new, estimated([content.read for content in new]))

    def note(self, contents: Sequence[Content], counts: Sequence[int]) -> None:
        """Be told how many tokens the text of each of some contents has."""
        self._known.update(zip(contents, counts, strict=True))

    def roughly(self, contents: Sequence[Content]) -> int:
        """Return about how many tokens some contents have, for a report: it costs little.

        Those that were counted already count as they did then; of others, some stand for all.
        """
        from gemini_embed.token_counts import count_joined  # noqa: PLC0415 - loads numpy

        if self._known and all(content in self._known for content in contents):
            return self.sum(contents)
        letters = sum(content.letters for content in contents)
        self._letters += letters
        if self._read_letters >= max(_SAMPLED, self._letters * _SAMPLED_SHARE):
            return round(letters * self._read_tokens / self._read_letters)
        sample = contents[:: 1 + letters // _SAMPLED]
        tokens = count_joined([content.read for content in sample])
        read = sum(content.letters for content in sample)
        self._read_tokens, self._read_letters = (
            self._read_tokens + tokens,
            self._read_letters + read,
        )
        return round(tokens * letters / read)

    def sum(self, contents: Sequence[Content]) -> int:
        """Return how many tokens some contents have together."""
        self.learn(contents)
        return sum(map(self._known.__getitem__, contents))


def json_bytes(text: str) -> int:
    """Return how many bytes a text has in a body."""
    written = encode_basestring(text)
    return len(written) if written.isascii() else len(written.encode())


class Inputs(NamedTuple):
    """What one call embeds.

    Attributes:
        contents: What is sent, in order.
        owners: For each content, the place of its text in the caller's list, or in the stream that
            the list is a part of. A text that was split has several contents.
        weights: Of the contents that are pieces of such a text: how much each counts in its mean.
        suspects: Contents that may be too long for the model and must not be cut off.
        told_long: The places of texts that will be cut off, of which the caller was told.
        doubts: Texts that must be counted before it is known what is sent.
        unseen: Media that must be looked at before it is known what is sent.
        have_media: Whether any of the contents has media, or several parts.
        unkept: Contents that no cache keeps or has.
    """

    contents: Sequence[Content]
    owners: Sequence[int]
    weights: Mapping[Content, float] = MappingProxyType({})
    suspects: AbstractSet[Content] = frozenset()
    told_long: AbstractSet[int] = frozenset()
    doubts: Doubts | None = None
    unseen: Unseen | None = None
    have_media: bool = False
    unkept: AbstractSet[Content] = frozenset()

    @classmethod
    def whole(cls, contents: Sequence[Content], first: int = 0) -> Self:
        """Return contents that each are a text of the caller's, in places from `first` on."""
        return cls(contents, range(first, first + len(contents)))

    @property
    def first(self) -> int:
        """The place of the first text."""
        return self.owners[0] if self.owners else 0

    @property
    def texts(self) -> int:
        """How many texts the caller has."""
        return self.owners[-1] + 1 - self.first if self.owners else 0

    def weights_of(self, contents: Iterable[Content]) -> Sequence[float]:
        """Return how much each of some contents counts in a mean; nothing if none was split."""
        return [self.weights.get(content, 1.0) for content in contents] if self.weights else ()

    @property
    def pieces(self) -> dict[int, int]:
        """How many pieces each text has that was split, by its place."""
        counts = Counter(self.owners) if self.weights else {}
        return {place: count for place, count in counts.items() if count > 1}


class Doubts(NamedTuple):
    """Texts that may be too long for the model, until they are counted.

    Attributes:
        contents: What is sent for each.
        places: Where each is in the caller's list.
        decide: Returns what the call sends, by how many tokens each has; an estimate for none.
    """

    contents: Sequence[Content]
    places: Sequence[int]
    decide: Callable[[Sequence[int]], Inputs]


class Unseen(NamedTuple):
    """Items with media, until their files have been looked at.

    Attributes:
        look: Looks at the files; to be called where reading may take a while.
        settle: Returns what the call sends, by what was seen.
    """

    look: Callable[[], Any]
    settle: Callable[[Any], Inputs]


@dataclass(slots=True, eq=False)
class Refused:
    """A request that was refused, until each of its contents has an answer of its own.

    Attributes:
        size: How many contents it had.
        left: How many of them have no answer yet.
        within: The larger one that it is a part of.
        harmless: Whether none of them was refused alone.
    """

    size: int
    left: int
    within: Refused | None = None
    harmless: bool = True


@dataclass(frozen=True, slots=True)
class Batch:
    """What travels in one request.

    Attributes:
        contents: What is sent, in order.
        positions: For each content, where its vector belongs in the caller's list: several
            places where the caller gave the same text several times.
        attempts: How often it was tried.
        within: The refused request that it is a part of, if any.
        tally: Counts the tokens of its contents.
        is_bare: Whether it goes without the wish that nothing be cut off: with it, it was refused.
        has_media: Whether it may hold media.
        is_stored: Whether its media go by way of the Files API: within a request they were too
            large.
    """

    contents: tuple[Content, ...]
    positions: tuple[tuple[int, ...], ...]
    attempts: int = 0
    within: Refused | None = None
    tally: Tally = field(default_factory=Tally, repr=False, compare=False)
    is_bare: bool = False
    has_media: bool = False
    is_stored: bool = False

    def __len__(self) -> int:
        """Return how many contents it has."""
        return len(self.contents)

    def split(self, size: int) -> tuple[Batch, Batch]:
        """Return the first `size` contents and the rest, as two batches."""
        return (
            replace(self, contents=self.contents[:size], positions=self.positions[:size]),
            replace(self, contents=self.contents[size:], positions=self.positions[size:]),
        )

    def only(self, rows: Sequence[int]) -> Batch:
        """Return some of the contents as a batch."""
        contents = tuple(self.contents[row] for row in rows)
        positions = tuple(self.positions[row] for row in rows)
        return replace(self, contents=contents, positions=positions)

    def singly(self) -> list[Batch]:
        """Return each content as a batch of its own."""
        return [self.only([row]) for row in range(len(self))]

    def rows_without(self, others: Batch) -> list[int]:
        """Return which of the contents are not among others."""
        return [row for row, one in enumerate(self.contents) if one not in others.contents]

    @property
    def texts(self) -> list[str]:
        """The texts alone."""
        return [content.text for content in self.contents]

    @property
    def tokens(self) -> int:
        """About how many tokens it has."""
        return self.tally.sum(self.contents)

    @property
    def tokens_roughly(self) -> int:
        """About how many tokens it has, for a report: it costs little."""
        return self.tally.roughly(self.contents)

    @property
    def tokens_at_most(self) -> int:
        """How many tokens it has at most, and no fewer than one for four letters."""
        from gemini_embed.token_counts import count_most  # noqa: PLC0415 - loads numpy

        bounds = count_most([content.read for content in self.contents])
        fourths = [1 + content.letters // 4 for content in self.contents]
        return sum(map(max, bounds, fourths)) + self.most_of_media

    @property
    def most_of_media(self) -> int:
        """How many tokens its media have at most."""
        return sum(content.most_of_media for content in self.contents)

    @property
    def most_tokens(self) -> int:
        """How many tokens it can have, whatever its letters are."""
        return sum(content.most_tokens for content in self.contents)

    @property
    def letters(self) -> int:
        """How many letters it has: a body has more bytes."""
        return sum(content.letters for content in self.contents)

    @property
    def indexes(self) -> tuple[int, ...]:
        """Every place in the caller's list that waits for this batch, in order."""
        return tuple(sorted({index for places in self.positions for index in places}))

    def count_bytes(self) -> int:
        """Return about how many bytes its body has; hardly fewer than it has."""
        return sum(content.count_bytes() for content in self.contents)

    def can_have(self, tokens: int) -> bool:
        """Tell whether it can have so many tokens: one each, and hardly more than bytes."""
        return len(self) <= tokens <= self.most_tokens
