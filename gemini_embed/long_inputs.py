"""Texts that are longer than the model takes: dealt with before anything is sent. No I/O.

How many tokens a text has, only the service knows, and an estimate has bounds. So a text is surely
too long, or may be, or is not. One that may be is left to the service; where it must not be cut
off, the service is asked to refuse it, and its answer is looked at: see `calls/uncut`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from gemini_embed.contents import Doubts, Inputs
from gemini_embed.counting import counted
from gemini_embed.errors import TextTooLongError
from gemini_embed.media.contents import MediaContent
from gemini_embed.notices import listed, warn
from gemini_embed.splitting import split

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from gemini_embed.contents import Content
    from gemini_embed.counting import CountTokens
    from gemini_embed.inputs import OnLong
    from gemini_embed.models import Model
    from gemini_embed.tasks import Role

_MOST_BYTES_OF_A_LETTER = 4

_LEAST = 0.45
"""What part of the likely number of tokens a text has at the least, long runs of a letter aside."""

_RUN = re.compile(r"(.)\1{3,}", re.DOTALL)
"""A letter that is repeated: a line of a table, for instance, may be a few tokens."""


class Length(NamedTuple):
    """How many tokens a text has, its prefix and title included.

    Attributes:
        likely: About how many.
        least: No fewer.
        most: No more.
    """

    likely: int
    least: float
    most: float

    @classmethod
    def estimated(cls, text: str, limit: int) -> Length:
        """Return the length of a text by its bytes; `least` is certain only above a limit."""
        from gemini_embed.token_counts import likely_tokens, most_tokens  # noqa: PLC0415 - loads numpy

        likely = likely_tokens(text)
        least = _LEAST * likely
        if least > limit:
            least = _LEAST * likely_tokens(_RUN.sub(r"\1", text))
        return cls(likely, least, most_tokens(text))

    @classmethod
    def exact(cls, tokens: int) -> Length:
        """Return the length of a text that was counted."""
        return cls(tokens, tokens, tokens)


class Draft(NamedTuple):
    """What a call would send, were no text too long.

    Attributes:
        contents: What is sent for each text.
        texts: The texts themselves.
        piece: Returns what is sent for a piece of a text, by its place and the piece.
        first: The place of the first text.
    """

    contents: Sequence[Content]
    texts: Sequence[str]
    piece: Callable[[int, str], Content]
    first: int = 0

    def content(self, place: int) -> Content:
        """Return what would be sent for a text."""
        return self.contents[place - self.first]

    def text(self, place: int) -> str:
        """Return a text."""
        return self.texts[place - self.first]

    @property
    def inputs(self) -> Inputs:
        """All of it, each text whole."""
        return Inputs.whole(self.contents, self.first)


@dataclass(frozen=True, slots=True)
class LongTexts:
    """What is done about the texts of a call that are too long.

    Attributes:
        model: What it takes, and its name.
        on_long: What the caller wants.
        role: A query is never split.
        count_tokens: How the tokens of those are counted that may be too long.
    """

    model: Model
    on_long: OnLong
    role: Role
    count_tokens: CountTokens = "estimate"

    @property
    def may_be_cut(self) -> bool:
        """Whether the service may cut off what is too long: what is split is not."""
        return self.on_long == "truncate" or self._splits

    @property
    def _splits(self) -> bool:
        return self.on_long == "split" and self.role == "document"

    def inputs(self, draft: Draft) -> Inputs:
        """Return what is sent.

        Raises:
            TextTooLongError: A text is too long, and neither to be cut off nor to be split.
        """
        suspects = self._suspects(draft)
        if not suspects:
            return draft.inputs
        lengths = {place: self._length(draft.content(place).read) for place in suspects}
        doubtful = self._perhaps(lengths) if self.count_tokens == "api" else []
        if not doubtful:
            return self.settled(draft, lengths)

        def decide(counts: Sequence[int]) -> Inputs:
            exact = map(Length.exact, counts)
            return self.settled(draft, lengths | dict(zip(doubtful, exact, strict=False)))

        contents = [draft.content(place) for place in doubtful]
        return draft.inputs._replace(doubts=Doubts(contents, doubtful, decide))

    def of_media(self, contents: Mapping[int, MediaContent], inputs: Inputs) -> Inputs:
        """Return what is sent, once items with media are held against what the model reads.

        Raises:
            TextTooLongError: One is too long, and not to be cut off.
        """
        tokens = {
            place: sum(one.tokens for one in content.media) + self._length(content.text).likely
            for place, content in contents.items()
        }
        surely = [place for place, count in tokens.items() if count > self.model.max_input_tokens]
        if surely and self.on_long == "error":
            raise self._error(surely, tokens)
        self._warn(surely, ())
        return inputs._replace(told_long=inputs.told_long | set(surely))

    def _length(self, text: str) -> Length:
        if isinstance(self.count_tokens, str):
            return Length.estimated(text, self.model.max_input_tokens)
        return Length.exact(*counted([text], self.count_tokens))

    def _most(self, text: str) -> int:
        """Return how many tokens a text has at most."""
        return math.floor(self._length(text).most)

    def _perhaps(self, lengths: Mapping[int, Length]) -> list[int]:
        most = self.model.max_input_tokens
        return [place for place, one in lengths.items() if one.least <= most < one.most]

    def _suspects(self, draft: Draft) -> list[int]:
        """Return the places of those that have more bytes than tokens are read.

        Most texts are short, and cost no more than one comparison.
        """
        most = self.model.max_input_tokens
        letters = most // _MOST_BYTES_OF_A_LETTER
        return [
            place
            for place, content in enumerate(draft.contents, draft.first)
            if content.letters > letters and not _fits(content, most)
        ]

    def settled(self, draft: Draft, lengths: Mapping[int, Length]) -> Inputs:
        """Return what is sent, by the lengths of the texts that may be too long.

        Raises:
            TextTooLongError: A text is too long, and neither to be cut off nor to be split.
        """
        most = self.model.max_input_tokens
        surely = [place for place, length in lengths.items() if length.least > most]
        perhaps = self._perhaps(lengths)
        inputs = draft.inputs
        if self.on_long == "truncate":
            self._warn(surely, perhaps)
            return inputs._replace(told_long=frozenset(surely))
        if self._splits:
            return self._split(draft, {*surely, *perhaps})
        if surely:
            raise self._error(surely, {place: lengths[place].likely for place in surely})
        return inputs._replace(suspects=frozenset(map(draft.content, perhaps)))

    def _split(self, draft: Draft, places: Collection[int]) -> Inputs:
        contents: list[Content] = []
        owners: list[int] = []
        weights: dict[Content, float] = {}
        for place, content in enumerate(draft.contents, draft.first):
            if place in places:
                pieces = self._pieces(draft, place)
                sent = [draft.piece(place, piece) for piece in pieces]
                tokens = [max(1, self._length(piece).likely) for piece in pieces]
                weights |= zip(sent, tokens, strict=True)
            else:
                sent = [content]
            contents += sent
            owners += [place] * len(sent)
        return Inputs(contents, owners, weights)

    def _pieces(self, draft: Draft, place: int) -> list[str]:
        """Return a text in pieces, each with room for the prefix and title that go with it.

        Raises:
            TextTooLongError: They leave a piece less than half of what the model takes.
        """
        most = self.model.max_input_tokens
        beside = self._most(draft.piece(place, "").read)
        if beside > most // 2:
            raise TextTooLongError(
                f"the title of text {place} is too long to stand before each of its pieces: it may "
                f"have {beside:,} tokens, and {self.model.name} takes {most:,} with the text",
                index=place,
                reason="too long",
                limit=most,
            )
        return split(draft.text(place), most - beside, count=self._most)

    def _error(self, places: Sequence[int], tokens: Mapping[int, int]) -> TextTooLongError:
        """Return the error for texts that are too long; the first is spoken of."""
        first, most = places[0], self.model.max_input_tokens
        kept = "a query is not split" if self.on_long == "split" else "on_long says not to cut it"
        return TextTooLongError(
            f"text {first} is too long: about {tokens[first]:,} tokens, where {self.model.name} "
            f"takes {most:,}, and {kept}",
            index=first,
            reason="too long",
            indexes=tuple(places),
            one_by_one=True,
            tokens=tokens[first],
            limit=most,
        )

    def _warn(self, surely: Sequence[int], perhaps: Sequence[int]) -> None:
        told = [
            f"{which}: {listed(places)}"
            for which, places in (("too long", surely), ("perhaps too long", perhaps))
            if places
        ]
        if told:
            most = self.model.max_input_tokens
            warn(
                f"{self.model.name} reads {most:,} tokens of a text, and the service cuts off the "
                f"rest, unless on_long says otherwise ({'; '.join(told)})"
            )


def _fits(content: Content, most: int) -> bool:
    """Tell whether a content has no more bytes, and so no more tokens; of media see `of_media`."""
    if isinstance(content, MediaContent):
        return True
    if content.letters > most:
        return False
    text = content.read
    return text.isascii() or len(text.encode()) <= most
