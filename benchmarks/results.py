"""What a section of the comparison hands back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Table:
    """One table of the report; the first column names the contestant."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class Duel:
    """One of ours against the one it stands in for.

    Attributes:
        what: What was measured, with its unit.
        ours: Our contestant.
        theirs: The other.
        our_value: Ours.
        their_value: Theirs.
        more_is_better: Which way is good.
    """

    what: str
    ours: str
    theirs: str
    our_value: float
    their_value: float
    more_is_better: bool

    @property
    def times_better(self) -> float:
        """Above 1 where ours is better."""
        better, worse = self.our_value, self.their_value
        if not self.more_is_better:
            better, worse = worse, better
        return better / worse if worse else 1.0 if better == worse else float("inf")


@dataclass(frozen=True)
class Bars:
    """One panel of the plot: a bar per contestant."""

    title: str
    values: dict[str, float]


@dataclass
class Section:
    """Everything one section found out.

    Attributes:
        title: Of the section.
        how: How it was measured.
        tables: What was measured.
        duels: What is compared.
        figures: What the targets are held against, by their names.
        bars: For the plot.
        failure: Why there is nothing, if so.
    """

    title: str
    how: str = ""
    tables: list[Table] = field(default_factory=list)
    duels: list[Duel] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    bars: list[Bars] = field(default_factory=list)
    failure: str | None = None
