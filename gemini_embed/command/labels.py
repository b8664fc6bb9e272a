"""Reads which documents answer which queries; an error says in which line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemini_embed.command.corpus import lines
from gemini_embed.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gemini_embed.command.corpus import Passage

_BEIR, _TREC = 3, 4
"""Columns: query, document, grade; trec_eval has a number after the query that says nothing."""


def read_labels(
    path: Path, queries: Sequence[Passage], documents: Sequence[Passage]
) -> list[dict[int, float]]:
    """Return for each query the places of its documents, and how well each answers it.

    Raises:
        ConfigurationError: A line names what is not there, or is no label; says which.
    """
    asked, there = _places(queries), _places(documents)
    labels: list[dict[int, float]] = [{} for _ in queries]
    for row, (line, place, _) in enumerate(lines(path)):
        columns = line.split("\t") if "\t" in line else line.split()
        if len(columns) not in {_BEIR, _TREC}:
            raise ConfigurationError(f"{place}: a query, a document and a grade are needed")
        query, document, grade = columns[0], columns[-2], _number(columns[-1])
        if grade is None:
            if row == 0:
                continue  # names of columns
            raise ConfigurationError(f"{place}: the grade is no number but {columns[-1]!r}")
        for kind, name, known in (("query", query, asked), ("document", document, there)):
            if name not in known:
                raise ConfigurationError(f"{place}: there is no {kind} {name!r}")
        labels[asked[query]][there[document]] = grade
    return labels


def _places(passages: Sequence[Passage]) -> dict[str, int]:
    places = {passage.name: place for place, passage in enumerate(passages)}
    for place, passage in enumerate(passages):
        if places[passage.name] != place:
            raise ConfigurationError(f"{passage.place}: another text has the name {passage.name!r}")
    return places


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
