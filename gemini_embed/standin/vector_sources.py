"""Which vector is wanted, and what can make it. Performs no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

import numpy as np

from gemini_embed.token_counts import count_likely

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gemini_embed.contents import TaskType
    from gemini_embed.models import Model


class WantedVector(NamedTuple):
    """Everything a vector depends on. Task and title are None where the model ignores them."""

    model: Model
    text: str
    task_type: TaskType | None
    title: str | None
    dimension: int

    @classmethod
    def of(
        cls,
        model: Model,
        text: str,
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
        return cls(model, text, task_type, title, numbers)

    @property
    def unit(self) -> bool:
        """Whether the vector has length 1, or is the mere beginning of one that has."""
        return self.model.normalized == "always" or self.dimension == self.model.dimension

    @property
    def tokens(self) -> int:
        """An estimate: the service's own tokenizer is not here."""
        return tokens_of([self])[0]

    @property
    def counted(self) -> int:
        """The tokens that an answer reports: those that are left when the text was cut off.

        One developer saw this on Vertex AI; for the Gemini API it is presumed.
        """
        return min(self.tokens, self.model.max_input_tokens)

    @property
    def too_long(self) -> bool:
        """Whether the service cuts the text off. Here the vector is the whole text's, even so."""
        return self.tokens > self.model.max_input_tokens


def tokens_of(wanted: Sequence[WantedVector]) -> list[int]:
    """Return the tokens of each, estimated as the client does; faster than one by one."""
    return count_likely([one.text for one in wanted])


class VectorSource(Protocol):
    """Makes vectors; called from several threads."""

    def values(self, wanted: WantedVector) -> bytes:
        """Return a vector as a JSON array: the same for the same `wanted`, always."""
        ...


def json_array(numbers: NDArray[np.floating]) -> bytes:
    """Return the numbers as the service prints them, with the digits a float32 needs."""
    return f"[{','.join(map(str, numbers.astype(np.float32)))}]".encode()
