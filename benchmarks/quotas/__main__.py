"""`python -m benchmarks.quotas`: how well quotas are used, at services of many kinds.

Each row is a load through the real flow in virtual time. Nothing may be tuned to one service:
the worst row of each line is the figure.
"""

from __future__ import annotations

import argparse
import logging
import time
from typing import TYPE_CHECKING

from benchmarks.quotas.course import run
from benchmarks.quotas.measure import figures
from benchmarks.quotas.rows import COLUMNS, line, measure, missed, report, rows
from benchmarks.quotas.scenarios import Scenario, parse
from benchmarks.quotas.targets import GOALS, goal_of, misses

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the bench; return the exit status: 0 if every row reaches its goal."""
    logging.getLogger("gemini_embed").disabled = True  # thousands of hours are waited
    options = _parser().parse_args(argv)
    if options.row:
        return _one(parse(options.row), options.hours, options.seed, trace=options.trace)
    wanted = rows(options.pairs, options.seed)
    wanted = [row for row in wanted if options.only in f"{goal_of(row)}: {row.name}"]
    measured = measure(wanted, options.hours, options.seed, options.jobs)
    print("\n".join(report(measured, every=options.every)))
    return int(missed(measured) > 0)


def _one(scenario: Scenario, hours: float, seed: int, *, trace: bool) -> int:
    began = time.process_time()
    happened: list[str] = []
    found = figures(run(scenario, hours, seed=seed, trace=happened.append if trace else None))
    print(*happened, sep="\n" if happened else "")
    goal = goal_of(scenario)
    missing = misses(GOALS[goal], scenario, found)
    print(COLUMNS, line(found), f"{goal}: {GOALS[goal].what}", sep="\n")
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
