"""A long text in pieces, cut where a reader would pause. Performs no I/O.

Where a piece ends depends on what is before it and on the next few letters, on nothing further on:
who changes the end of a text changes its last pieces only.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_STOPS = "\u3002\uff01\uff1f\uff0e\uff61\u0964\u0965\u06d4\u061f"
"""Ends of sentences that need no space behind them, from Chinese to Urdu."""

_QUOTES = "\u201d\u2019\u00bb\u300d\u300f\uff09"
"""What may close a sentence behind its end."""

# The shape of each keeps the search linear: no part of it can match what the part before it did.
_WORDS = re.compile(r"\s+")
_BORDERS = (
    re.compile(r"\n[^\S\n]*\n\s*"),  # paragraphs
    re.compile(rf"[.!?\u2026][\"')\]{_QUOTES}]{{0,3}}\s+|[{_STOPS}]+[{_QUOTES}\s]*"),  # sentences
    re.compile(r"\n\s*"),  # lines
    _WORDS,
)
"""Where they end a piece may end, the best first."""

_BEHIND = 8
"""Letters behind the end of a piece that are looked at: whether a border is there."""

_CLOSE = 32
"""How close to the longest piece the search ends, as a part of it: each step counts tokens."""

_LONGEST_CLUSTER = 64
"""Letters that may be one to a reader; where more hang together, they are cut."""

_JOINER = "\u200d"  # of zero width: makes one emoji of several
_SKIN = range(0x1F3FB, 0x1F400)  # colours the emoji before it
_TAGS = range(0xE0020, 0xE0080)  # name the country of a flag
_REGIONAL = range(0x1F1E6, 0x1F200)  # two are a flag
_VOWELS_AND_ENDS = range(0x1160, 0x1200)  # of Hangul, where a syllable is several letters
_VIRAMA = 9  # the combining class of what joins two consonants of an Indian script


def split(text: str, most: int, *, count: Callable[[str], int]) -> list[str]:
    """Return a text in pieces of at most `most` tokens each.

    Joined they are the text, but for the white space around each. A piece ends with a paragraph if
    that leaves it long enough, else with a sentence, a line, a word, or any letter; a letter that
    is too long alone is a piece all the same.

    Args:
        text: The text.
        most: How many tokens a piece may have.
        count: Tells how many tokens a text has, or may have: never more of a part than of all.
    """
    pieces = []
    start, end = _without_space(text, 0, len(text))
    while start < end:
        window = _longest(text, start, end, most, count)
        cut = window if window == end else _border(text, start, window)
        first, last = _without_space(text, start, cut)
        pieces.append(text[first:last])
        start, _ = _without_space(text, cut, end)
    return pieces


def _without_space(text: str, start: int, end: int) -> tuple[int, int]:
    """Return where a part of a text begins and ends without the white space around it."""
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


def _longest(text: str, start: int, end: int, most: int, count: Callable[[str], int]) -> int:
    """Return where the longest piece from `start` on ends, or a little before."""
    fits, size = 1, max(1, most)
    while count(text[start : min(start + size, end)]) <= most:
        if start + size >= end:
            return end
        fits, size = size, 2 * size
    while size - fits > max(1, fits // _CLOSE):
        middle = (fits + size) // 2
        if count(text[start : min(start + middle, end)]) <= most:
            fits = middle
        else:
            size = middle
    return start + fits


def _border(text: str, start: int, end: int) -> int:
    """Return where to cut a text, at `end` or before: in the second half, if that can be."""
    half = (start + end) // 2
    for border in _BORDERS:
        if found := _last(border, text, half, end):
            return found
    return _last(_WORDS, text, start, half) or _between_letters(text, start, end)


def _last(border: re.Pattern[str], text: str, start: int, end: int) -> int:
    """Return where the last border in a part of a text ends, its white space aside; 0 for none."""
    last = 0
    for found in border.finditer(text, start, end + _BEHIND):
        if found.start() + len(found[0].rstrip()) > end:
            break
        last = found.end()
    return last


def _between_letters(text: str, start: int, end: int) -> int:
    """Return the last place, not after `end`, that is within no letter as a reader sees them."""
    for place in range(end, max(start, end - _LONGEST_CLUSTER), -1):
        if not _is_within(text, start, place):
            return place
    return end


def _is_within(text: str, start: int, place: int) -> bool:
    """Tell whether a reader sees what is around a place as one letter (Unicode's UAX 29)."""
    before, after = text[place - 1], text[place]
    if unicodedata.category(after) in {"Mn", "Mc", "Me"} or _JOINER in {before, after}:
        return True
    code = ord(after)
    if code in _SKIN or code in _TAGS or code in _VOWELS_AND_ENDS:
        return True
    if code in _REGIONAL:
        letters = text[max(start, place - _LONGEST_CLUSTER) : place]
        flags = len(letters) - len(letters.rstrip(_FLAG_LETTERS))
        return flags % 2 == 1
    return unicodedata.combining(before) == _VIRAMA and unicodedata.category(after) == "Lo"


_FLAG_LETTERS = "".join(map(chr, _REGIONAL))
