"""About how many tokens texts have, by the classes of their bytes. Performs no I/O; loads numpy.

The tokenizer of these models has pieces for words, so what counts is where words begin, more than
how long they are. A digit is one piece, a sign nearly so, and a letter that it hardly knows is one
for each byte. So each byte has a cost, by its class, and each border between two kinds of bytes has
another. The costs were fitted to texts in about 120 languages, and to code, tables, numbers and
addresses; the tests hold them against counts of other texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_MOST_BESIDE = 4
"""Tokens that a text may have beside those of its bytes: short ones vary more."""

_UNITS = 50
"""To a token. A cost is a whole number of them, and so are a byte's and a border's: below 256."""

_AT_ONCE = 2**16
"""Bytes that are looked at in one go."""

_SHORT = 2**8
"""Bytes of a text up to which numpy takes longer to begin than Python to end."""


class _Cost(NamedTuple):
    """In tokens; what is likely is never more than the most."""

    likely: float
    most: float


_OF_BYTES: list[tuple[Iterable[int], _Cost]] = [
    (range(0x20), _Cost(1, 1)),
    (b"\t\n\r", _Cost(0.16, 0.16)),
    (range(0x21, 0x7F), _Cost(0.06, 0.12)),  # signs, but for those that follow
    (b" ", _Cost(0.04, 0.06)),
    (b"0123456789\x7f", _Cost(1, 1)),
    (b"abcdefghijklmnopqrstuvwxyz", _Cost(0.05, 0.2)),
    (b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", _Cost(0.04, 0.4)),
    # A letter's first byte stands for all of it.
    (range(0xC2, 0xC4), _Cost(1, 1)),  # Latin, as in Western Europe
    (range(0xC4, 0xCC), _Cost(1.3, 1.3)),  # Latin, as elsewhere
    (range(0xCC, 0xD0), _Cost(0.42, 0.5)),  # Greek
    (range(0xD0, 0xD2), _Cost(0.12, 0.4)),  # Cyrillic
    (range(0xD2, 0xD4), _Cost(1.9, 2.2)),  # Cyrillic, as in Central Asia
    (range(0xD4, 0xD6), _Cost(0.6, 0.72)),  # Armenian
    (range(0xD6, 0xD8), _Cost(0.5, 0.56)),  # Hebrew
    (range(0xD8, 0xDC), _Cost(0.38, 0.66)),  # Arabic
    (range(0xDC, 0xE0), _Cost(0.74, 0.84)),  # Syriac, Thaana, N'Ko
    (range(0xE0, 0xE1), _Cost(0.33, 0.52)),  # of India, Thai, Lao
    (range(0xE1, 0xE2), _Cost(0.2, 0.44)),  # Georgian, Ethiopic, Burmese, Khmer; Vietnamese
    (range(0xE2, 0xE3), _Cost(1.1, 1.5)),  # signs
    (range(0xE3, 0xE4), _Cost(0.44, 0.6)),  # kana
    (range(0xE4, 0xEA), _Cost(0.66, 1.06)),  # Chinese
    (range(0xEA, 0xEE), _Cost(0.7, 0.9)),  # Korean
    (range(0xEE, 0xF0), _Cost(1, 1.2)),  # wide signs
    (range(0xF0, 0xF5), _Cost(0.96, 1.2)),  # emoji, and all that is rare
]
"""What a byte costs; a later line holds against an earlier one."""

_KINDS: dict[str, Iterable[int]] = {
    "line": b"\t\n\r",
    "blank": b" ",
    "digit": bytes(range(9)) + b"\x0b\x0c" + bytes(range(0x0E, 0x20)) + b"0123456789\x7f",
    "lower": b"abcdefghijklmnopqrstuvwxyz",
    "upper": b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "sign": b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    "Cyrillic": range(0xD0, 0xD2),
    "letter": [*range(0xC0, 0xD0), *range(0xD2, 0xE0), *range(0xE2, 0xF0)],
    "E0": range(0xE0, 0xE1),
    "E1": range(0xE1, 0xE2),
    "F0": range(0xF0, 0x100),
    "80": range(0x80, 0x90),
    "90": range(0x90, 0x9C),
    "9C": range(0x9C, 0xA0),
    "A0": range(0xA0, 0xBC),
    "BC": range(0xBC, 0xC0),
}
"""Sixteen kinds of bytes, so that two of them fit into a byte."""

_INSIDE = ("80", "90", "9C", "A0", "BC")
"""Kinds of the bytes of a letter that come after its first."""

_BEGUN = {
    "line": _Cost(1.1, 1.2),
    "digit": _Cost(0.1, 0.1),
    "lower": _Cost(0.86, 1),
    "upper": _Cost(0.86, 1.2),
    "sign": _Cost(0.72, 1),
}
"""What begins a run of its kind. A blank goes into the word that it stands before."""

_BEGUN_AFTER_ASCII = {
    "Cyrillic": _Cost(1.2, 1.2),
    "letter": _Cost(0.06, 0.4),
    "E0": _Cost(0.1, 1),
    "E1": _Cost(0.06, 0.6),
    "F0": _Cost(0.3, 0.4),
}

_OF_BORDERS: dict[tuple[str, str], _Cost] = {
    **{(kind, begun): cost for kind in _KINDS for begun, cost in _BEGUN.items() if kind != begun},
    **{
        (kind, begun): cost
        for kind in ("line", "blank", *_BEGUN)
        for begun, cost in _BEGUN_AFTER_ASCII.items()
    },
    **{(kind, case): _Cost(0, 0.4) for kind in _INSIDE for case in ("lower", "upper")},
    ("upper", "lower"): _Cost(0.4, 0.6),
    ("blank", "digit"): _Cost(0.96, 1),  # the one blank that is a token
    ("blank", "sign"): _Cost(1.2, 1.2),
    ("E0", "BC"): _Cost(1.2, 2),  # Tibetan
    ("E1", "80"): _Cost(0.26, 0.26),
    ("E1", "9C"): _Cost(0.26, 0.26),
    ("E1", "90"): _Cost(2.4, 2.4),  # Canadian syllabics, runes
    ("F0", "90"): _Cost(0.9, 2.6),  # no emoji: a token for each byte
    ("F0", "A0"): _Cost(3, 3),
}


class _Costs(NamedTuple):
    """The costs of one sort, as tables for `bytes.translate`."""

    of_bytes: bytes
    of_borders: bytes


def _tables(sort: str) -> _Costs:
    of_bytes, of_borders = bytearray(256), bytearray(256)
    for some, cost in _OF_BYTES:
        for byte in some:
            of_bytes[byte] = round(_UNITS * getattr(cost, sort))
    number = {kind: place for place, kind in enumerate(_KINDS)}
    for (before, after), cost in _OF_BORDERS.items():
        of_borders[number[before] << 4 | number[after]] = round(_UNITS * getattr(cost, sort))
    return _Costs(bytes(of_bytes), bytes(of_borders))


_LIKELY, _MOST = _tables("likely"), _tables("most")

_KIND_OF = bytes(next(i for i, some in enumerate(_KINDS.values()) if b in some) for b in range(256))


def likely_tokens(text: str) -> int:
    """Return about how many tokens a text has."""
    return count_likely([text])[0]


def most_tokens(text: str) -> int:
    """Return how many tokens a text has at most."""
    return count_most([text])[0]


def count_likely(texts: Sequence[str]) -> list[int]:
    """Return about how many tokens each text has: one at least."""
    return [max(1, min(round(cost / _UNITS), size)) for cost, size in _each(texts, _LIKELY)]


def count_most(texts: Sequence[str]) -> list[int]:
    """Return how many tokens each text has at most: no more than bytes.

    It is a bound for what people write, in any language. Noise of letters may have more.
    """
    return [min(_MOST_BESIDE + -(-cost // _UNITS), size) for cost, size in _each(texts, _MOST)]


def count_joined(texts: Sequence[str]) -> int:
    """Return about how many tokens texts have together, in one go.

    They are read as lines of one text, where the end of a line is one token.
    """
    data = "\n".join(texts).encode()
    (cost,) = _priced([data], _LIKELY)
    return max(len(texts), min(round(cost / _UNITS), len(data)) - (len(texts) - 1))


def _each(texts: Sequence[str], costs: _Costs) -> Iterator[tuple[int, int]]:
    """Yield what each text costs, in units, and its bytes."""
    for group in _grouped(texts):
        yield from zip(_priced(group, costs), map(len, group), strict=True)


def _grouped(texts: Sequence[str]) -> Iterator[list[bytes]]:
    group: list[bytes] = []
    size = 0
    for text in texts:
        data = text.encode()
        if group and size + len(data) > _AT_ONCE:
            yield group
            group, size = [], 0
        group.append(data)
        size += len(data)
    if group:
        yield group


def _priced(group: Sequence[bytes], costs: _Costs) -> list[int]:
    """Return what each text costs, in units; each begins as a line does."""
    if len(group) == 1 and len(group[0]) <= _SHORT:
        return [_price(group[0], costs)]
    return _priced_together(group, costs)


def _price(data: bytes, costs: _Costs) -> int:
    kinds = data.translate(_KIND_OF)
    before = (b"\n" + data[:-1]).translate(_KIND_OF)[: len(data)]
    borders = (int.from_bytes(before, "big") << 4 | int.from_bytes(kinds, "big")).to_bytes(
        len(data), "big"
    )
    return sum(data.translate(costs.of_bytes)) + sum(borders.translate(costs.of_borders))


def _priced_together(group: Sequence[bytes], costs: _Costs) -> list[int]:
    joined = b"\n".join((b"", *group, b""))
    kinds = np.frombuffer(joined.translate(_KIND_OF), np.uint8)
    borders = (kinds[:-1] << 4 | kinds[1:]).tobytes()
    ends = np.cumsum([len(data) + 1 for data in group])
    cuts = np.empty(2 * len(group), np.intp)  # where each begins, and where it ends
    cuts[0], cuts[2::2], cuts[1::2] = 0, ends[:-1], ends - 1
    units = np.frombuffer(borders.translate(costs.of_borders), np.uint8)
    units = units + np.frombuffer(joined[1:].translate(costs.of_bytes), np.uint8)
    sums: list[int] = np.add.reduceat(units, cuts, dtype=np.int64)[::2].tolist()
    return sums
