"""One answer of the service, read but not yet checked. Performs no I/O."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gemini_embed.contents import Batch
    from gemini_embed.service.json_vectors import Parted, Row


class Answer(NamedTuple):
    """One answer.

    Attributes:
        rows: The vectors, in the order of the texts if the service did its part; not yet checked.
            Arrays, or lists as a caller's client read them; None for an embedding that came
            without values.
        prompt_tokens: What the service counted for the whole batch, None where it does not say.
        truncated: Which rows are of texts that were cut off, where the service tells.
        some_truncated: Whether it says so of the batch without saying which.
        by_modality: The tokens of each kind of input, where it tells; not more than all.
    """

    rows: Sequence[Sequence[float] | Row]
    prompt_tokens: int | None
    truncated: Sequence[int] = ()
    some_truncated: bool = False
    by_modality: Mapping[str, int] = MappingProxyType({})

    @classmethod
    def of(cls, parted: Parted) -> Answer:
        """Return what was read of an answer."""
        rows, report = parted
        return cls(
            rows,
            report.tokens,
            truncated=report.truncated,
            some_truncated=report.some_truncated,
            by_modality=report.by_modality,
        )

    @property
    def without_values(self) -> list[int]:
        """Which rows are embeddings that came without any vector."""
        return [row for row, values in enumerate(self.rows) if values is None]

    def served(self, batch: Batch) -> tuple[Batch, Sequence[Any]]:
        """Return the contents that there is a vector of, and those vectors."""
        missing = set(self.without_values)
        if not missing or len(self.rows) != len(batch):
            return batch, self.rows
        rows = [row for row in range(len(batch)) if row not in missing]
        return batch.only(rows), [self.rows[row] for row in rows]

    def cut_off(self, batch: Batch, *, max_input_tokens: int) -> Iterable[int]:
        """Return which rows are of contents that the service cut off, or may have."""
        if self.truncated or not self.some_truncated:
            return [row for row in self.truncated if row < len(batch)]
        if len(batch) == 1 and batch.has_media:
            return [0]
        # It tells of the batch only. A token is a byte or more, so short texts were not cut.
        return [
            row for row, text in enumerate(batch.texts) if len(text.encode()) > max_input_tokens
        ]
