"""Which vector is wanted, and what can make it. Performs no I/O."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

import numpy as np

from gemini_embed.standin.media import Medium
from gemini_embed.token_counts import count_likely

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gemini_embed.contents import TaskType
    from gemini_embed.models import Model


class WantedVector(NamedTuple):
    """Everything a vector depends on. Task and title are None where the model ignores them."""

    model: Model
    parts: tuple[str | Medium, ...]
    task_type: TaskType | None
    title: str | None
    dimension: int

    @classmethod
    def of(
        cls,
        model: Model,
        parts: tuple[str | Medium, ...],
        task_type: TaskType | None,
        title: str | None,
        dimension: int | None,
    ) -> Self:
        """Return what the model makes of a request: the newer ones ignore task type and title."""
        if model.task == "prefix":
            task_type = title = None
        elif task_type == "TASK_TYPE_UNSPECIFIED":
            task_type = None
        numbers = model.dimension if dimension is None else dimension
        return cls(model, parts, task_type, title, numbers)

    @property
    def text(self) -> str:
        """All its text."""
        return " ".join(part for part in self.parts if isinstance(part, str))

    @property
    def media(self) -> list[Medium]:
        """All that is no text."""
        return [part for part in self.parts if isinstance(part, Medium)]

    @property
    def has_values(self) -> bool:
        """Whether there is a vector at all."""
        return all(medium.has_values for medium in self.media)

    @property
    def unit(self) -> bool:
        """Whether the vector has length 1, or is the mere beginning of one that has."""
        return self.model.normalized == "always" or self.dimension == self.model.dimension


class Count(NamedTuple):
    """How many tokens a content has, and how many of them the model reads.

    That an answer reports those alone was seen on Vertex AI by one developer; for the Gemini API
    it is presumed, and so is that text is cut off before media are.
    """

    text: int
    media: Counter[str]
    most: int

    @property
    def tokens(self) -> int:
        """All of them."""
        return self.text + self.media.total()

    @property
    def too_long(self) -> bool:
        """Whether the service cuts something off. Here the vector is the whole's, even so."""
        return self.tokens > self.most

    @property
    def read(self) -> int:
        """Those that the model reads."""
        return min(self.tokens, self.most)

    @property
    def by_kind(self) -> Counter[str]:
        """Those that the model reads, by kind."""
        read, left = Counter[str](), self.most
        for kind, count in [*sorted(self.media.items()), ("TEXT", self.text)]:
            read[kind] += min(count, left)
            left -= min(count, left)
        return read


_NO_MEDIA: Counter[str] = Counter()


def counts_of(wanted: Sequence[WantedVector]) -> list[Count]:
    """Return the tokens of each; those of texts are estimated as the client does, in one go."""
    texts = count_likely([one.text for one in wanted])
    media = [sum((medium.tokens for medium in one.media), _NO_MEDIA) for one in wanted]
    return [
        Count(text if one.text else 0, others, one.model.max_input_tokens)
        for one, text, others in zip(wanted, texts, media, strict=True)
    ]


def one_token() -> Count:
    """Return the token that `countTokens` counts beside those of the texts."""
    return Count(1, _NO_MEDIA, 1)


def details_of(counts: Sequence[Count]) -> list[dict[str, Any]]:
    """Return the tokens of an answer by kind, as both services print them."""
    kinds = Counter[str]({"TEXT": sum(count.read for count in counts if not count.media)})
    for count in counts:
        if count.media:
            kinds.update(count.by_kind)
    return [{"modality": kind, "tokenCount": kinds[kind]} for kind in sorted(kinds) if kinds[kind]]


class VectorSource(Protocol):
    """Makes vectors; called from several threads."""

    def values(self, wanted: WantedVector) -> bytes:
        """Return a vector as a JSON array: the same for the same `wanted`, always."""
        ...


def json_array(numbers: NDArray[np.floating]) -> bytes:
    """Return the numbers as the service prints them, with the digits a float32 needs."""
    return f"[{','.join(map(str, numbers.astype(np.float32)))}]".encode()
