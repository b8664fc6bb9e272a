"""`python -m benchmarks.quotas`: how well quotas are used, at services of many kinds.

Each row is a load through the real flow in virtual time. Nothing may be tuned to one service:
the worst row of each line is the figure.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.quotas.course import run
from benchmarks.quotas.measure import Figures, figures
from benchmarks.quotas.scenarios import Scenario, alone, combined, parse
from benchmarks.quotas.targets import GOALS, badness, goal_of, misses

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_COLUMNS = "share  late%  refus% lateR% R/10p  rtext%  p50    p99    slow  recov  paid  taken"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the bench; return the exit status: 0 if every row reaches its goal."""
    options = _parser().parse_args(argv)
    if options.row:
        return _one(parse(options.row), options.hours, options.seed, trace=options.trace)
    rows = [*alone(), *combined(options.pairs, options.seed)]
    rows = [row for row in dict.fromkeys(rows) if options.only in f"{goal_of(row)}: {row.name}"]
    measured = measure(rows, options.hours, options.seed, options.jobs)
    print("\n".join(report(measured, every=options.every)))
    return int(any(complaints for _, _, complaints in judged(measured)))


def measure(
    rows: Sequence[Scenario], hours: float, seed: int, jobs: int
) -> list[tuple[Scenario, Figures]]:
    """Run rows in several processes, and return their figures."""
    began = time.monotonic()
    measured = []
    with ProcessPoolExecutor(jobs) as pool:
        for row, found in zip(
            rows, pool.map(partial(one_row, hours=hours, seed=seed), rows), strict=True
        ):
            measured.append((row, found))
    print(f"{len(rows)} rows in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return measured


def one_row(scenario: Scenario, *, hours: float, seed: int) -> Figures:
    """Run one row, and return its figures."""
    return figures(run(scenario, hours, seed=seed))


def judged(
    measured: Iterable[tuple[Scenario, Figures]],
) -> list[tuple[Scenario, Figures, list[str]]]:
    """Return with each row what it misses of its goal."""
    return [(row, found, misses(GOALS[goal_of(row)], row, found)) for row, found in measured]


def report(measured: Sequence[tuple[Scenario, Figures]], *, every: bool = False) -> list[str]:
    """Return the worst row of each goal, or all rows, worst first."""
    lines = [_COLUMNS]
    for name, goal in GOALS.items():
        rows = [(row, found) for row, found in measured if goal_of(row) == name]
        if not rows:
            continue
        rows.sort(key=lambda pair: badness(goal, *pair), reverse=True)
        missed = sum(bool(misses(goal, *pair)) for pair in rows)
        lines += ["", f"{name}: {goal.what}: {len(rows) - missed} of {len(rows)} rows reach it"]
        for row, found in rows if every else rows[:1]:
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


def _one(scenario: Scenario, hours: float, seed: int, *, trace: bool) -> int:
    began = time.process_time()
    found = figures(run(scenario, hours, seed=seed, trace=print if trace else None))
    goal = goal_of(scenario)
    missing = misses(GOALS[goal], scenario, found)
    print(_COLUMNS, line(found), f"{goal}: {GOALS[goal].what}", sep="\n")
    print("misses: " + "; ".join(missing) if missing else "reached")
    print(f"{found.requests} requests, {time.process_time() - began:.1f} s of processor time")
    return int(bool(missing))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quotas", description=__doc__)
    parser.add_argument("--hours", type=float, default=4.0, help="of ideal time, each row")
    parser.add_argument("--pairs", type=int, default=300, help="combinations beside single values")
    parser.add_argument("--only", default="", help="rows whose goal and name contain this")
    parser.add_argument("--every", action="store_true", help="print all rows, not the worst")
    parser.add_argument("--jobs", type=int, default=2, help="processes that run rows")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--row", help='one row alone, for instance "told=named service=bucket"')
    parser.add_argument("--trace", action="store_true", help="print what happens in that row")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
