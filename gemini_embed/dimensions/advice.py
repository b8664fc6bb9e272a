"""What the adviser says: its rows, its advice, and both in words. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gemini_embed.dimensions.measures import Interval
    from gemini_embed.dimensions.storage import Storage

_MB = 1_000_000

MANY_QUERIES = 200
"""With fewer, an interval is wide."""

_WIDE = 0.05
"""An interval that is wider says little."""

_MANY_DOCUMENTS = 100
"""Times k: among fewer documents, the nearest are found too easily."""


@dataclass(frozen=True, slots=True)
class Row:
    """One way to store vectors, and what it costs and keeps.

    Attributes:
        dimension: How many of the first numbers are kept, brought to length 1.
        storage: How a number is stored.
        rescored: Whether four times as many documents are found so and then put in order by their
            full vectors, which have to be kept as well.
        agreement: Recall@k against the full vectors: which share of the k nearest documents are
            also found, or others as near.
        kept: What is held against the target: the share of the full vectors' nDCG that is kept, or
            the agreement where there are no labels.
        bytes_per_million: Of a million vectors that are searched, without an index's own.
        pgvector: The column type of pgvector whose HNSW index takes them; None where none does.
        beside_per_million: Of the full vectors of a million documents, for rescoring.
        ndcg: nDCG@k by the labels; None without labels.
        ndcg_change: How much that differs from the full vectors' (paired bootstrap).
        recall: Recall@k by the labels; None without labels.
        recall_change: How much that differs from the full vectors' (paired bootstrap).
    """

    dimension: int
    storage: Storage
    rescored: bool
    agreement: Interval
    kept: Interval
    bytes_per_million: int
    pgvector: str | None
    beside_per_million: int = 0
    ndcg: float | None = None
    ndcg_change: Interval | None = None
    recall: float | None = None
    recall_change: Interval | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the numbers are kept as they come, and searched once."""
        return self.storage == "float32" and not self.rescored

    @property
    def name(self) -> str:
        """The way in words."""
        rescored = ", rescored" if self.rescored else ""
        return f"{self.dimension} dimensions as {self.storage}{rescored}"


@dataclass(frozen=True, slots=True)
class Advice:
    """Which dimension is enough. `print` shows the rows, the advice, and how weak it is.

    Attributes:
        rows: Each way, by falling dimension.
        recommended: The smallest dimension that keeps the target as float32; stored, at that
            dimension, in the fewest bytes that keep it, without rescoring. The full vectors, where
            no other row keeps it.
        smallest: The row that keeps the target in the fewest bytes that are searched, rescored or
            not.
        weak: Why the evidence is weak; empty where it is not.
        k: How many documents a query finds.
        target: The share that had to be kept, by the lower end of its interval.
        queries: How many queries were asked.
        documents: How many documents were searched.
    """

    rows: tuple[Row, ...]
    recommended: Row
    smallest: Row
    weak: tuple[str, ...]
    k: int
    target: float
    queries: int
    documents: int

    @property
    def line(self) -> str:
        """The advice in words."""
        row, full = self.recommended, self.rows[0]
        said = f"Take {row.name}: they {self._keeps(row)} {self._what}, in {_size(row)} a million"
        if row == full:
            said += f". Nothing smaller surely keeps {self.target:g}"
        else:
            said += f"; the full vectors take {_size(full)}"
        if self.smallest not in {row, full}:
            said += f". The least to search: {self.smallest.name}, {self._keeps(self.smallest)}"
            said += f" in {_size(self.smallest)}"
        return f"{said}."

    @property
    def _what(self) -> str:
        if self.recommended.ndcg is None:
            return f"of each query's {self.k} nearest"
        return f"of the nDCG@{self.k}"

    def _keeps(self, row: Row) -> str:
        return f"keep {within(row.kept)}"

    def __str__(self) -> str:
        weak = [f"Weak evidence: {reason}." for reason in self.weak]
        return "\n".join([*self._table(), "", self.line, *weak])

    def _table(self) -> list[str]:
        labelled = self.rows[0].ndcg is not None
        names = ["dimension", "stored as", f"recall@{self.k} of full"]
        if labelled:
            names += [f"nDCG@{self.k}", "change", f"recall@{self.k}", "change"]
        cells = [[*names, "MB a million", "pgvector's HNSW"], *map(self._cells, self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        return [
            "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in cells
        ]

    def _cells(self, row: Row) -> list[str]:
        stored = f"{row.storage}, rescored" if row.rescored else row.storage
        cells = [str(row.dimension), stored, within(row.agreement)]
        if row.ndcg_change is not None and row.recall_change is not None:
            cells += [f"{row.ndcg:.3f}", within(row.ndcg_change, sign="+")]
            cells += [f"{row.recall:.3f}", within(row.recall_change, sign="+")]
        beside = f" + {row.beside_per_million / _MB:,.0f}" if row.rescored else ""
        return [*cells, f"{row.bytes_per_million / _MB:,.0f}{beside}", row.pgvector or "no"]


def _size(row: Row) -> str:
    return f"{row.bytes_per_million / _MB:,.0f} MB"


def within(interval: Interval, *, sign: str = "") -> str:
    """Return an interval in words."""
    mean, low, high = (f"{value:{sign}z.3f}" for value in interval)
    return f"{mean} ({low} to {high})"


def weaknesses(
    queries: int, documents: int, k: int, recommended: Row, *, stand_ins: bool
) -> tuple[str, ...]:
    """Return why little can be said.

    Args:
        queries: How many there were.
        documents: How many there were.
        k: How many of them a query found.
        recommended: What would be advised.
        stand_ins: Whether documents stood for queries.
    """
    low, high = recommended.kept.low, recommended.kept.high
    reasons = {
        f"{queries} queries, and {MANY_QUERIES} say more": queries < MANY_QUERIES,
        f"its interval is {high - low:.3f} wide": high - low > _WIDE,
        f"{documents} documents, of which {k} are found easily": documents < _MANY_DOCUMENTS * k,
        "documents stood for queries: real ones are another kind of text": stand_ins,
    }
    return tuple(reason for reason, holds in reasons.items() if holds)
