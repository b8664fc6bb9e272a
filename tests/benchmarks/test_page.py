"""The figures of the documentation are those that were measured."""

from __future__ import annotations

import json
import re

import pytest
from pages import DOCS

from benchmarks.plot import PICTURES, RESULTS, draw, pairs_of, shown

MEASURED = json.loads(RESULTS.read_text(encoding="utf-8"))
GROWTH = json.loads(RESULTS.with_name("growth.json").read_text(encoding="utf-8"))
DRAWN = pairs_of(MEASURED)
PAGE = (DOCS / "benchmarks.md").read_text(encoding="utf-8")


def rows(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_shows_what_was_measured(name: str) -> None:
    """Whoever measures again and forgets to draw is told."""
    _, pairs = DRAWN[name]
    picture = (PICTURES / f"{name}.svg").read_text(encoding="utf-8")

    texts = re.findall(r"<text [^>]*>([^<]*)</text>", picture)
    assert [text for text in texts if re.fullmatch(r"[\d.,]+", text)] == [
        shown(pair[side]) for side in (0, 1) for pair in pairs.values()
    ]
    assert f"(pictures/{name}.svg)" in PAGE


def test_a_picture_can_be_drawn() -> None:
    """From the results as they are, with what `make bench` installs."""
    assert draw(*DRAWN["stall"]).rstrip().endswith("</svg>")


@pytest.mark.parametrize("section", ["unknown-quota", "storm"])
def test_a_table_of_the_page_has_the_measured_rows(section: str) -> None:
    """Each row is one of the results, with some of its columns."""
    (table,) = MEASURED["sections"][section]["tables"]
    measured = [table["columns"], *table["rows"]]
    known = [
        found
        for found in (
            [row for row in rows(part) if any(row[0] == there[0] for there in table["rows"])]
            for part in PAGE.split("\n## ")
        )
        if found and all(any({*row} <= {*there} for there in measured) for row in found)
    ]

    assert len(known) == 1
    assert len(known[0]) == 8


@pytest.mark.parametrize("section", ["sizes", "processes", "day"])
def test_a_table_of_growth_has_the_measured_rows(section: str) -> None:
    """Likewise, and it has all of them."""
    (table,) = GROWTH["sections"][section]["tables"]
    measured = [table["columns"], *table["rows"]]
    shown = rows(PAGE.split("## From one process to many")[1].split("\n## ")[0])

    for there in measured:
        assert any(row[0] == there[0] and {*row} <= {*there} for row in shown), there
