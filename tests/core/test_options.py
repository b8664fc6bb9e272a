from __future__ import annotations

import pytest

from gemini_embed.adapter import one_value
from gemini_embed.checks import refuse_unknown
from gemini_embed.errors import ConfigurationError

KNOWN = ["batch_size", "timeout", "model", "show_progress"]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("chunk_size", "batch_size"),
        ("request_timeout", "timeout"),
        ("show_progress_bar", "show_progress"),
        ("timout", "timeout"),
        ("modle", "model"),
    ],
)
def test_an_unknown_option_names_the_nearest(name: str, nearest: str) -> None:
    """A typing error, or another class's word, is told instead of changing nothing in silence."""
    with pytest.raises(ConfigurationError, match=f"X has no option '{name}'; .*'{nearest}'"):
        refuse_unknown([name], KNOWN, owner="X")


def test_an_option_that_resembles_nothing_lists_what_there_is() -> None:
    """The error is useful even without a guess."""
    with pytest.raises(ConfigurationError, match="known: batch_size, model"):
        refuse_unknown(["zzz"], KNOWN, owner="X")


def test_what_is_refused_says_what_to_do() -> None:
    """A name that means something elsewhere is answered with the way here."""
    with pytest.raises(ConfigurationError, match="use max_retries"):
        refuse_unknown(
            ["retry_options"], KNOWN, owner="X", refused={"retry_options": "use max_retries"}
        )


def test_two_spellings_must_agree() -> None:
    """Which of two different values was meant is never guessed, and neither is shown."""
    assert one_value({"a": None, "b": 0}) == 0
    assert one_value({"a": 1, "b": 1}) == 1
    assert one_value({"a": None}) is None
    with pytest.raises(ConfigurationError, match="a and b mean the same") as caught:
        one_value({"a": "secret-1", "b": "secret-2"})
    assert "secret" not in str(caught.value)
