"""What the caller handed in, checked before anything is sent. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from gemini_embed.errors import ConfigurationError, InvalidInputError
from gemini_embed.media.given import parts_of

if TYPE_CHECKING:
    from gemini_embed.media.value import Fused

OnBlank = Literal["error", "placeholder"]
OnLong = Literal["truncate", "error", "split"]
OnSurrogate = Literal["error", "replace"]
BatchFallback = Literal["online", "error"]

BLANK_PLACEHOLDER = "(blank)"
"""What `on_blank="placeholder"` embeds instead of an empty or white-space text."""


ITEMS = ("items", "texts or media")
"""What `as_list` says of an argument that may hold media."""

_HALF = re.compile("[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]")
"""Half of a surrogate pair: no Unicode, and nothing that UTF-8 can hold."""


def has_values(given: object) -> bool:
    """Tell whether it is a mapping that says more than its keys."""
    return isinstance(given, Mapping) and any(value is not None for value in given.values())


def as_list(given: Iterable[Any], what: str = "texts", of: str = "strings") -> list[Any]:
    """Return what a caller gave as a list: of a generator, a set, the values of a dict.

    A dict without values, as `dict.fromkeys` makes to drop what is there twice, is its keys.

    Args:
        given: It.
        what: What the argument is called, in the plural.
        of: What it holds.

    Raises:
        ConfigurationError: It is one string, or nothing that holds others; or a mapping with
            values, of which nobody knows whether its keys are meant.
    """
    if has_values(given):
        raise ConfigurationError(
            f"{what} must be a list of {of}, not {type(given).__name__}: give its values()"
        )
    if isinstance(given, str | bytes | bytearray) or not isinstance(given, Iterable):
        raise ConfigurationError(
            f"{what} must be a list of {of}, not {type(given).__name__}: for one "
            f"{what.removesuffix('s')} write [{what.removesuffix('s')}]"
        )
    return list(given)


def check_texts(
    texts: Iterable[Any],
    *,
    on_blank: OnBlank = "error",
    on_surrogate: OnSurrogate = "error",
    first: int = 0,
    others: dict[int, Fused] | None = None,
) -> list[str]:
    """Return the texts as a list, each fit to be embedded; errors count from `first` on.

    Args:
        texts: The texts.
        on_blank: What to do with an empty or white-space text.
        on_surrogate: What to do with half of a surrogate pair.
        first: The place of the first in the caller's list.
        others: Takes, by their place, the parts of items that are no texts, in whose places are
            empty texts then; without it, they are refused.

    Raises:
        ConfigurationError: `texts` is one string, or not a list at all.
        InvalidInputError: The first text that is not a string, blank (empty or white space
            only, which the service answers with an error for the whole batch), or not valid
            Unicode. Nothing was sent.
    """
    checked = as_list(texts) if others is None else as_list(texts, *ITEMS)
    for place, text in enumerate(checked):
        if type(text) is str and text.isascii() and not text.isspace() and text:
            continue
        if others is not None and not isinstance(text, str):
            others[first + place], checked[place] = parts_of(text, first + place), ""
        else:
            checked[place] = _checked(
                text, "text", first + place, on_blank=on_blank, on_surrogate=on_surrogate
            )
    return checked


def check_part(text: str, index: int, *, on_blank: OnBlank, on_surrogate: OnSurrogate) -> str:
    """Return a text of an item of several parts, fit to be sent.

    Raises:
        InvalidInputError: It is blank, or not valid Unicode.
    """
    return _checked(text, "a text of item", index, on_blank=on_blank, on_surrogate=on_surrogate)


def check_titles(
    titles: Iterable[str | None] | None,
    count: int,
    *,
    on_surrogate: OnSurrogate = "error",
    first: int = 0,
) -> list[str | None]:
    """Return one title, or None, for each of `count` texts, whose places begin at `first`.

    Raises:
        ConfigurationError: Not as many titles as texts.
        InvalidInputError: A title that is neither a string nor None, or not valid Unicode.
    """
    if titles is None:
        return [None] * count
    if isinstance(titles, str | bytes) or has_values(titles) or not isinstance(titles, Iterable):
        raise ConfigurationError(
            f"titles must be a list with one title (or None) per text, not {type(titles).__name__}"
        )
    listed = list(titles)
    if len(listed) != count:
        raise ConfigurationError(
            f"titles must be a list with one title (or None) per text: {count} texts, "
            f"{len(listed)} titles"
        )
    return [
        title
        if title is None
        else _checked(title, "the title of text", index, on_surrogate=on_surrogate)
        for index, title in enumerate(listed, first)
    ]


def _checked(
    text: str,
    what: str,
    index: int,
    *,
    on_blank: OnBlank | None = None,
    on_surrogate: OnSurrogate,
) -> str:
    """Return a text fit to be sent; without `on_blank`, a blank one is."""
    if not isinstance(text, str):
        raise InvalidInputError(
            f"{what} {index} is not a string but {type(text).__name__}",
            index=index,
            reason="not a string",
        )
    if on_blank is not None and (not text or text.isspace()):
        if on_blank == "placeholder":
            return BLANK_PLACEHOLDER
        raise InvalidInputError(
            f"{what} {index} is blank (empty or white space only), which has no embedding; drop "
            f'it, or set on_blank="placeholder" to embed {BLANK_PLACEHOLDER!r} instead',
            index=index,
            reason="blank",
        )
    if text.isascii() or _is_unicode(text):
        return text
    half = _HALF.search(text)
    if half is None or on_surrogate == "replace":  # whole pairs, as UTF-16 has them
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    raise InvalidInputError(
        f"{what} {index} is not valid Unicode: character {half.start()} is half of a surrogate "
        'pair; mend it, or set on_surrogate="replace" to embed U+FFFD in its place',
        index=index,
        reason="not valid Unicode",
    )


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
