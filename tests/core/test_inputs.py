from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_embed.errors import ConfigurationError, InvalidInputError
from gemini_embed.inputs import BLANK_PLACEHOLDER, check_texts, check_titles


@pytest.mark.parametrize(
    ("flaw", "reason"),
    [
        ("", "blank"),
        (" \t\n\u2003", "blank"),
        (None, "not a string"),
        (b"bytes", "not a string"),
        (3, "not a string"),
        (["nested"], "not a string"),
        ("half \ud83d of a pair", "not valid Unicode"),
    ],
)
def test_a_text_that_cannot_be_embedded_is_named(flaw: Any, reason: str) -> None:
    """The error says which text, by its place in the caller's list, and why."""
    with pytest.raises(InvalidInputError, match="text 1 ") as caught:
        check_texts(["good", flaw, "fine", flaw])

    assert (caught.value.index, caught.value.reason) == (1, reason)
    assert caught.value.indexes == (1,)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("texts", ["one string", None, 3])
def test_texts_must_be_a_list(texts: Any) -> None:
    """One string is not taken for a list of its letters."""
    with pytest.raises(
        ConfigurationError, match=r"list of strings, .* for one text write \[text\]"
    ):
        check_texts(texts)


@pytest.mark.parametrize("what", ["texts", "items"])
def test_a_mapping_is_no_list(what: str) -> None:
    """Nobody knows whether its keys are meant; its values are taken, and those of a set.

    And the keys of one without values, which is how some drop what is there twice.
    """
    with pytest.raises(ConfigurationError, match=rf"{what} must be .* not dict: give its values"):
        check_texts({"id": "a text"}, others=None if what == "texts" else {})
    with pytest.raises(ConfigurationError, match=r"titles must be .* not dict"):
        check_titles({"a title": 1}, 1)

    assert check_texts({"id": "a text"}.values()) == ["a text"]
    assert check_texts({"a text"}) == ["a text"]
    assert check_texts(dict.fromkeys(["b", "a", "b"])) == ["b", "a"]


def test_blank_texts_may_become_a_placeholder() -> None:
    """Loaders that yield blank pages get a valid vector for them, the same for all."""
    checked = check_texts(["a", "", "b", " "], on_blank="placeholder")

    assert checked == ["a", BLANK_PLACEHOLDER, "b", BLANK_PLACEHOLDER]


@given(st.lists(st.text().filter(lambda text: text.strip())))
def test_good_texts_pass_unchanged(texts: list[str]) -> None:
    """Checking never alters, drops or reorders."""
    assert check_texts(tuple(texts)) == texts


def test_the_callers_list_is_left_alone() -> None:
    """A placeholder is put into a copy."""
    texts = ["a", ""]

    check_texts(texts, on_blank="placeholder")

    assert texts == ["a", ""]


def test_as_many_titles_as_texts() -> None:
    """A title never slips to another document."""
    assert check_titles(None, 2) == [None, None]
    assert check_titles(["t", None], 2) == ["t", None]
    with pytest.raises(ConfigurationError, match="3 texts, 2 titles"):
        check_titles(["a", "b"], 3)
    with pytest.raises(ConfigurationError, match="per text, not str"):
        check_titles("ab", 2)


@pytest.mark.parametrize("title", [3, "\ud800"])
def test_a_title_that_cannot_be_sent_is_named(title: Any) -> None:
    """Titles are checked like texts, but may be empty."""
    with pytest.raises(InvalidInputError, match="title of text 1") as caught:
        check_titles(["", title], 2)

    assert caught.value.index == 1
