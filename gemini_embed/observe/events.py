"""What happens, as frozen records. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waiting:
    """A call that sends nothing now.

    Attributes:
        seconds: How much longer, as far as is known.
        reason: What for, in words.
        done: Texts of the call that have their vector.
        total: All texts of the call.
    """

    seconds: float
    reason: str
    done: int
    total: int
