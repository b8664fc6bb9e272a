"""What can be made to go wrong, how often, and how an answer is spoiled. Performs no I/O."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FaultKind = Literal[
    "503",
    "500",
    "reset",
    "half",
    "html",
    "not-json",
    "short",
    "empty",
    "no-values",
    "nan",
    "wrong-dimension",
    "hang",
]
"""What a request can meet:

- `503`, `500`: Google's error bodies.
- `reset`: the connection is closed without an answer.
- `half`: the headers and half of the body, then the connection is closed.
- `html`: 502 with an HTML page, as a proxy answers.
- `not-json`: 200 with a text that is not JSON.
- `short`: one vector fewer than texts.
- `empty`: one vector of no numbers.
- `no-values`: one embedding without its `values`, as Google's is when a medium is not what it was
  declared to be.
- `nan`: one vector with a NaN in it.
- `wrong-dimension`: one vector with one number too few.
- `hang`: no answer until `Standin.release`.
"""

KINDS: tuple[FaultKind, ...] = get_args(FaultKind)

Verbatim: TypeAlias = tuple[int, dict[str, Any] | str | bytes, dict[str, str]]
"""A whole answer: status, body, headers."""

Scripted: TypeAlias = FaultKind | Verbatim | None
"""One entry of `Standin.script`; None answers normally."""


class Faults:
    """Draws one fault, or none, per request: the same ones in every run with the same seed."""

    def __init__(self, shares: Mapping[FaultKind, float], seed: int) -> None:
        for kind, share in shares.items():
            check_kind(kind)
            if not 0 <= share <= 1:
                raise ValueError(f"the share of fault {kind!r} must be from 0 to 1, not {share}")
        if sum(shares.values()) > 1 + 1e-9:
            raise ValueError("the shares of all faults together must not exceed 1")
        self._shares = dict(shares)
        self._random = random.Random(seed)  # noqa: S311  # repeatable on purpose, guards nothing

    def draw(self) -> FaultKind | None:
        """Return the fault of the next request."""
        if not self._shares:
            return None
        point = self._random.random()
        for kind, share in self._shares.items():
            point -= share
            if point < 0:
                return kind
        return None


def check_kind(kind: str) -> None:
    """Refuse a fault that does not exist.

    Raises:
        ValueError: Unknown kind; the text lists the known ones.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown fault {kind!r}; known: {', '.join(KINDS)}")


def spoil(vectors: Sequence[bytes], kind: Scripted) -> list[bytes]:
    """Return the vectors of an answer, each a JSON array, as `kind` leaves them.

    Nothing stands for one that the answer holds no values of.
    """
    *rest, last = vectors
    if kind == "short":
        return rest
    if kind == "empty":
        return [*rest, b"[]"]
    if kind == "no-values":
        return [*rest, b""]
    numbers = last[1:-1].split(b",")
    if kind == "nan":
        return [*rest, b"[" + b",".join([b"NaN", *numbers[1:]]) + b"]"]
    if kind == "wrong-dimension":
        return [*rest, b"[" + b",".join(numbers[:-1]) + b"]"]
    return list(vectors)
