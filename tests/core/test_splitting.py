"""A long text in pieces: all of it, each small enough, cut where a reader would pause."""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003 - hypothesis reads the annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_embed.splitting import split

TEXTS = st.text(
    st.sampled_from("ab1.!?\u3002 \n\t\u3000\u00e9\u0301\u200d\U0001f44d\U0001f1e9\u0915\u094d\x00")
)


def in_bytes(text: str) -> int:
    return len(text.encode())


def in_thirds(text: str) -> int:
    """Count as an estimate does: in parts of a token, rounded up."""
    return -(-len(text) // 3)


@given(TEXTS | st.text(), st.integers(1, 40), st.sampled_from([len, in_bytes, in_thirds]))
def test_pieces_are_the_whole_text_and_each_fits(
    text: str, most: int, count: Callable[[str], int]
) -> None:
    """Nothing but white space is lost, nothing comes twice, and no piece is too long or blank."""
    pieces = split(text, most, count=count)

    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(count(piece) <= most or len(piece) == 1 for piece in pieces)
    assert all(piece == piece.strip() != "" for piece in pieces)
    place = 0
    for piece in pieces:
        found = text.index(piece, place)
        assert not text[place:found].strip()
        place = found + len(piece)


@given(TEXTS, TEXTS, st.integers(1, 20))
def test_another_end_leaves_the_pieces_before_it(text: str, end: str, most: int) -> None:
    """Who changes the end of a text pays for its last pieces only."""
    before, after = (split(one, most, count=len) for one in (text, text + end))

    # A piece is settled once there is more text behind it than the next may hold.
    settled = [
        piece for index, piece in enumerate(before) if len("".join(before[index + 1 :])) > most + 8
    ]
    assert after[: len(settled)] == settled


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One two. Three.\n\nFour five six", ["One two. Three.", "Four five six"]),
        ("One two. Three four. Five six", ["One two. Three four.", "Five six"]),
        ('He said: "no." Then he went on', ['He said: "no."', "Then he went on"]),
        ("a = 1.5\nbb = 2.5\nccc = 3.5\nd", ["a = 1.5\nbb = 2.5", "ccc = 3.5\nd"]),
        ("one two three four five six seven", ["one two three four", "five six seven"]),
        ("Heading aVeryLongWordWithoutAnyEnd", ["Heading", "aVeryLongWordWithout", "AnyEnd"]),
        ("\u56db" * 12 + "\u3002" + "\u56db" * 9, ["\u56db" * 12 + "\u3002", "\u56db" * 9]),
        ("x" * 45, ["x" * 20, "x" * 20, "x" * 5]),
        ("   \n  a  \n  ", ["a"]),
        ("a" + " " * 90 + "b", ["a", "b"]),
        (" \n ", []),
        ("", []),
    ],
)  # fmt: skip
def test_it_is_cut_where_a_reader_would_pause(text: str, expected: list[str]) -> None:
    """After a paragraph, a sentence, a line or a word; within a word only if there is nothing."""
    assert split(text, 20, count=len) == expected


@pytest.mark.parametrize(
    "letter",
    [
        "e\u0301",  # with an accent of its own
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",  # a family
        "\U0001f44d\U0001f3fd",  # a thumb with a colour
        "\U0001f1e9\U0001f1ea",  # a flag
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # England's
        "\u1112\u1161\u11ab",  # a syllable of Hangul
        "\u0915\u094d\u0937\u093f",  # a syllable of Devanagari
        "\u2764\ufe0f",  # a heart that is told to be red
    ],
)
def test_no_letter_is_cut_in_two(letter: str) -> None:
    """What a reader sees as one letter stays one, however many code points it has."""
    for most in range(len(letter), 4 * len(letter)):
        pieces = split(letter * 20, most, count=len)
        assert all(piece == letter * (len(piece) // len(letter)) for piece in pieces)


def test_what_hangs_together_without_end_is_cut_all_the_same() -> None:
    """Some write thousands of accents over one letter."""
    pieces = split("a" + "\u0301" * 1000, 100, count=len)

    assert max(map(len, pieces)) <= 100


@pytest.mark.parametrize("letter", [".", "\n", " ", "a", "\u3002", "\n ", ". ", "\u0301"])
def test_no_text_takes_long(letter: str) -> None:
    """A million times the same letter is split in a moment, not in hours."""
    text = letter * 500_000 + "end"

    assert split(text, 8_000, count=len)[-1].endswith("end")
