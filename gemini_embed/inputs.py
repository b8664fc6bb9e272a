"""What the caller handed in, checked before anything is sent. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from gemini_embed.errors import ConfigurationError, InvalidInputError

OnBlank = Literal["error", "placeholder"]

BLANK_PLACEHOLDER = "(blank)"
"""What `on_blank="placeholder"` embeds instead of an empty or white-space text."""


def check_texts(texts: Iterable[str], *, on_blank: OnBlank = "error") -> list[str]:
    """Return the texts as a list, each fit to be embedded.

    Raises:
        ConfigurationError: `texts` is one string, or not a list at all.
        InvalidInputError: The first text that is not a string, blank (empty or white space
            only, which the service answers with an error for the whole batch), or not valid
            Unicode. Nothing was sent.
    """
    if isinstance(texts, str) or not isinstance(texts, Iterable):
        raise ConfigurationError(
            f"texts must be a list of strings, not {type(texts).__name__}; "
            "for one text, pass a list of one"
        )
    checked = list(texts)
    for index, text in enumerate(checked):
        if (reason := _flaw(text)) is None:
            continue
        if reason == "blank" and on_blank == "placeholder":
            checked[index] = BLANK_PLACEHOLDER
            continue
        raise InvalidInputError(
            f"text {index} is {_EXPLAINED[reason].format(type=type(text).__name__)}",
            index=index,
            reason=reason,
        )
    return checked


def check_titles(titles: Sequence[str | None] | None, count: int) -> list[str | None]:
    """Return one title, or None, for each of `count` texts.

    Raises:
        ConfigurationError: Not as many titles as texts.
        InvalidInputError: A title that is neither a string nor None, or not valid Unicode.
    """
    if titles is None:
        return [None] * count
    titles = titles if isinstance(titles, str) else list(titles)
    if isinstance(titles, str) or len(titles) != count:
        raise ConfigurationError(
            f"titles must be a list with one title (or None) per text: {count} texts, "
            + ("one string" if isinstance(titles, str) else f"{len(titles)} titles")
        )
    for index, title in enumerate(titles):
        reason = None if title is None else _flaw(title)
        if reason not in {None, "blank"}:
            raise InvalidInputError(
                f"the title of text {index} is "
                + _EXPLAINED[str(reason)].format(type=type(title).__name__),
                index=index,
                reason=str(reason),
            )
    return titles


_EXPLAINED = {
    "not a string": "not a string but {type}",
    "blank": (
        "blank (empty or white space only), which has no embedding; drop it, or set "
        f'on_blank="placeholder" to embed {BLANK_PLACEHOLDER!r} instead'
    ),
    "not valid Unicode": "not valid Unicode: it holds half of a surrogate pair",
}


def _flaw(text: object) -> str | None:
    if not isinstance(text, str):
        return "not a string"
    if not text or text.isspace():
        return "blank"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "not valid Unicode"
    return None
