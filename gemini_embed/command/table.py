"""How commands print what they know: in lines for a reader, or as JSON for a program."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_LEAST = Decimal("0.0001")
"""In dollars; of what costs less nobody wants to know how little."""


def table(rows: Sequence[tuple[str, str]]) -> str:
    """Return rows of a name and what is said of it, below each other."""
    width = max(len(name) for name, _ in rows) + 2
    return "\n".join(f"{name:{width}}{said}".rstrip() for name, said in rows)


def as_json(values: Mapping[str, Any]) -> str:
    """Return values as JSON; what has no form there becomes text."""
    return json.dumps(values, indent=2, default=str)


def dollars(amount: Decimal) -> str:
    """Return an amount of US dollars in the words of a reader."""
    if 0 < amount < _LEAST:
        return f"less than ${_LEAST}"
    return f"${amount:,.2f}" if amount >= 1 or not amount else f"${amount:.4f}"
