"""Programs that look for faults for as long as they are told: how they run from the shell."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SHOWN = 5


class Outcome(Protocol):
    """What a search came to; its text counts what was tried."""

    @property
    def faults(self) -> Sequence[object]:
        """What it found."""
        ...


def search(about: str | None, name: str, run: Callable[..., Outcome], **most: float) -> None:
    """Run a search, print what it came to, and exit with 1 where it found something.

    Args:
        about: What `--help` says.
        name: What it looks at.
        run: The search: takes its bound, and `seed`.
        **most: Its bound, by name, as it is without an option of that name.
    """
    options = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for bound, usual in most.items():
        options.add_argument(f"--{bound}", type=type(usual), default=usual)
    options.add_argument("--seed", type=int, default=1)
    given = vars(options.parse_args())
    outcome = run(**given)
    lines = [*map(str, outcome.faults[:_SHOWN]), f"{name}, seed {given['seed']}: {outcome}", ""]
    sys.stdout.write("\n".join(lines))
    sys.exit(bool(outcome.faults))
