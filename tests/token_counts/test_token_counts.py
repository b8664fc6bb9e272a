"""The estimates of tokens, held against what a tokenizer counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import ROOT

from gemini_embed.long_inputs import Length
from gemini_embed.token_counts import count_likely, count_most, likely_tokens, most_tokens

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("counted.json").read_text(encoding="utf-8")
)["texts"]


def test_the_table_is_of_many_languages_and_kinds() -> None:
    """What is promised of estimates is promised for what people embed."""
    assert len({row["kind"] for row in ROWS}) == len(ROWS) >= 75


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["kind"])
def test_no_text_has_more_tokens_than_its_bound(row: dict[str, Any]) -> None:
    """Who keeps to the bound sends nothing that is too long; the bound is no more than bytes."""
    assert row["tokens"] <= most_tokens(row["text"]) <= len(row["text"].encode())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["kind"])
def test_no_text_that_fits_is_taken_for_one_that_is_too_long(row: dict[str, Any]) -> None:
    """Who forbids to cut texts off loses none that has no more tokens than are read."""
    assert Length.estimated(row["text"], row["tokens"]).least <= row["tokens"]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("\u2500" * 3_000, 188),
        ("\u0928\u092e\u0938\u094d\u0924\u0947 " * 1_000, 1_001),
        ("<div></div>\n" * 1_000, 3_000),
    ],
)
def test_nor_is_one_that_repeats_itself(text: str, tokens: int) -> None:
    """A line across a table is a few tokens, and so is a word that comes a thousand times."""
    assert Length.estimated(text, tokens).least <= tokens


def test_most_estimates_are_near() -> None:
    """The likely number is within a quarter of the count for four texts of five."""
    shares = [likely_tokens(row["text"]) / row["tokens"] for row in ROWS]

    assert sum(0.75 <= share <= 1.25 for share in shares) >= 0.8 * len(ROWS)
    assert 0.3 <= min(shares) <= max(shares) <= 1.5


def test_a_bound_is_of_use() -> None:
    """It is about half more than the count, for half of the texts: few pieces, few warnings."""
    shares = sorted(most_tokens(row["text"]) / row["tokens"] for row in ROWS)

    assert shares[len(shares) // 2] < 1.6


KINDS = {
    "English, German, Spanish": ["English", "German", "Spanish"],
    "Russian, Arabic, Hindi": ["Russian", "Arabic", "Hindi"],
    "Chinese, Japanese, Korean": [
        "Chinese, simplified",
        "Chinese, traditional",
        "Japanese",
        "Korean",
    ],
    "Welsh, Finnish, Swahili, Amharic": ["Welsh", "Finnish", "Swahili", "Amharic"],
    "code, JSON, logs": [
        "Python",
        "JavaScript",
        "SQL",
        "HTML",
        "JSON with numbers",
        "JSON, indented",
        "log lines",
    ],
    "tables of numbers, UUIDs": ["CSV of numbers", "CSV of numbers and words", "UUIDs"],
}
"""What the page on tokens has a row for -> what was counted of it."""


def test_the_page_says_how_good_the_estimates_are() -> None:
    """Its figures are those of today's estimates."""
    page = (ROOT / "docs/tokens.md").read_text(encoding="utf-8")
    near = sum(0.75 <= likely_tokens(row["text"]) / row["tokens"] <= 1.25 for row in ROWS)
    said = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]

    assert f"{near / len(ROWS):.0%}".replace("%", " %") in page
    assert f"on {len(ROWS)} texts" in page
    assert said[1:] == [
        [name, _range(kinds, likely_tokens), _range(kinds, most_tokens)]
        for name, kinds in KINDS.items()
    ]


def _range(kinds: list[str], count: Callable[[str], int]) -> str:
    """Return from where to where a number lies, as a share of the count."""
    rows = [row for row in ROWS if row["kind"] in kinds]
    shares = [count(row["text"]) / row["tokens"] for row in rows]
    least, most = f"{min(shares):.1f}", f"{max(shares):.1f}"
    return least if least == most else f"{least} to {most}"


@pytest.mark.parametrize("text", ["7", "1234567890" * 20, "3.14159, 2.71828", "-12;-5;-8;+31"])
def test_digits_and_signs_count_one_by_one(text: str) -> None:
    """A table of numbers has about as many tokens as letters, blanks apart."""
    assert likely_tokens(text) == pytest.approx(len(text.replace(" ", "")), rel=0.25)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=300), max_size=30))
def test_texts_are_counted_alike_alone_and_together(texts: list[str]) -> None:
    """What a text counts does not depend on its neighbours."""
    likely, most = count_likely(texts), count_most(texts)

    assert likely == [likely_tokens(text) for text in texts]
    assert most == [most_tokens(text) for text in texts]
    for text, tokens, bound in zip(texts, likely, most, strict=True):
        assert 0 <= bound <= len(text.encode())
        assert 1 <= tokens <= max(1, bound)


def test_many_long_texts_are_counted_in_parts() -> None:
    """A corpus of any size is estimated in little memory, and each text for itself."""
    texts = [f"{i} {'word ' * 30_000}" for i in range(4)]

    assert count_likely(["a", *texts, "b"]) == [1, *map(likely_tokens, texts), 1]
