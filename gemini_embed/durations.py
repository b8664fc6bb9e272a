"""How long something takes, in the words of a reader: `1 day 3 h`. Performs no I/O."""

from __future__ import annotations

from itertools import pairwise

_UNITS = ((86_400, "day"), (3_600, "h"), (60, "min"), (1, "s"))

_PRECISE = 9.95
"""Seconds below which a tenth of one is told, too."""


def duration(seconds: float) -> str:
    """Return a number of seconds in the largest unit that fits and the next: `2 min 5 s`."""
    if seconds < _PRECISE:
        return f"{max(0.0, round(seconds, 1)):g} s"
    for (size, unit), (small, smaller) in pairwise(_UNITS):
        whole, rest = divmod(round(seconds / small), size // small)
        if whole:
            return _counted(whole, unit) + (f" {rest} {smaller}" if rest else "")
    return f"{seconds:.0f} s"


def _counted(number: int, unit: str) -> str:
    return f"{number:,} {unit}{'s' if unit == 'day' and number > 1 else ''}"
