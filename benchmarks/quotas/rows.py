"""All rows of the bench of services: run, and shown with the worst of each goal."""

from __future__ import annotations

import math
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.quotas.course import run
from benchmarks.quotas.measure import Figures, figures
from benchmarks.quotas.scenarios import Scenario, alone, combined
from benchmarks.quotas.targets import GOALS, badness, goal_of, misses

if TYPE_CHECKING:
    from collections.abc import Sequence

Measured = list[tuple[Scenario, Figures]]

COLUMNS = "share  late%  refus% lateR% R/10p  rtext%  p50    p99    slow  recov  paid  taken"


def rows(pairs: int, seed: int) -> list[Scenario]:
    """Return the single values and so many combinations, each once."""
    return list(dict.fromkeys([*alone(), *combined(pairs, seed)]))


def measure(wanted: Sequence[Scenario], hours: float, seed: int, jobs: int) -> Measured:
    """Run rows in several processes, and return their figures."""
    began = time.monotonic()
    with ProcessPoolExecutor(jobs) as pool:
        found = list(pool.map(partial(one_row, hours=hours, seed=seed), wanted))
    print(f"{len(wanted)} rows in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return list(zip(wanted, found, strict=True))


def one_row(scenario: Scenario, *, hours: float, seed: int) -> Figures:
    """Run one row, and return its figures."""
    return figures(run(scenario, hours, seed=seed))


def missed(measured: Measured) -> int:
    """Return how many rows miss their goal."""
    return sum(bool(misses(GOALS[goal_of(row)], row, found)) for row, found in measured)


def worst_first(name: str, measured: Measured) -> Measured:
    """Return the rows of one goal."""
    held = [(row, found) for row, found in measured if goal_of(row) == name]
    return sorted(held, key=lambda pair: badness(GOALS[name], *pair), reverse=True)


def report(measured: Measured, *, every: bool = False) -> list[str]:
    """Return the worst row of each goal, or all rows, worst first."""
    lines = [COLUMNS]
    for name, goal in GOALS.items():
        held = worst_first(name, measured)
        if not held:
            continue
        reached = f"{len(held) - missed(held)} of {len(held)} rows reach it"
        lines += ["", f"{name}: {goal.what}: {reached}"]
        for row, found in held if every else held[:1]:
            lines.append(line(found))
            lines += [
                f"    misses: {'; '.join(missing)}"
                for missing in (misses(goal, row, found),)
                if missing
            ]
    return lines


def line(found: Figures) -> str:
    """Return the figures of one row."""
    cells = (
        _number(found.share, 6, 3),
        _number(found.late, 6, 3),
        _number(100 * found.refused, 6, 2),
        _number(100 * found.late_refused, 6, 2),
        _number(found.refusals_in_ten, 6, 2),
        _number(100 * found.refused_texts, 6, 2),
        _number(found.p50, 6, 1),
        _number(found.p99, 6, 1),
        _number(found.slowest, 5, 2),
        _number(found.recovery, 6, 1),
        _number(found.paid, 5, 2),
        _number(found.taken, 8, 0),
    )
    return f"{' '.join(cells)}  {found.outcome:5}  {found.name}"


def _number(value: float | None, width: int, digits: int) -> str:
    if value is None:
        return "-".rjust(width)
    return ("never" if not math.isfinite(value) else f"{value:.{digits}f}").rjust(width)
