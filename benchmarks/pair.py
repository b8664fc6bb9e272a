"""`python -m benchmarks.pair --base REVISION`: what a change costs, measured in pairs.

The committed state of REVISION and the files as they are now embed the same texts in turn, each
time in fresh processes, driven by the same script (this folder's, as it is now), against one
service that answers at once. Of the pairs' ratios the median is shown with its 95 % interval. The
exit status is 1 if the upper end for processor time a text, or the loss of throughput, is too much.
"""

from __future__ import annotations

import argparse
import io
import math
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contestants import Settings
from benchmarks.environments import ROOT
from benchmarks.processes import Conversation, Worker

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_CPU = 1.03
"""Upper end of the interval of: processor time a text, now over before."""

LEAST_THROUGHPUT = 0.95
"""Texts a second, now over before."""

_TURNS = 6
"""Calls of each side in a pair: what else runs on the machine comes and goes within a second."""

_PATIENCE = 120.0
_COVERAGE = 0.95
_FEWEST_PAIRS = 6
"""Fewer have no interval of 95 %."""


@dataclass(frozen=True)
class Course:
    """One thing that is measured in every pair.

    Attributes:
        kind: See `benchmarks.contestants`.
        dimension: Numbers per vector.
        texts: Embedded in one call.
    """

    kind: str
    dimension: int
    texts: int

    def __str__(self) -> str:
        return f"{self.kind}, {self.dimension}"


COURSES = (
    Course("core", 768, 3000),
    Course("core", 3072, 1500),
    Course("langchain", 768, 2000),
)


@dataclass(frozen=True)
class Interval:
    """The median of some numbers, and between which of them the true one lies.

    Attributes:
        low: Its lower end.
        median: Of the numbers.
        high: Its upper end.
    """

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        """Return the interval by order statistics, which asks nothing of the distribution.

        Six values are the fewest that have one of 95 %: the smallest and the largest are its ends.
        """
        ordered, count = sorted(values), len(values)
        # How many ways there are for 0, 0 or 1, ... of so many values to lie below the true median.
        ways = accumulate(math.comb(count, below) for below in range(count))
        left_out = sum(2 * below <= (1 - _COVERAGE) * 2**count for below in ways) - 1
        return cls(ordered[left_out], statistics.median(ordered), ordered[-1 - left_out])

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.low:.3f} to {self.high:.3f})"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; return 1 if the change costs too much, else 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pair", description=__doc__)
    parser.add_argument("--base", required=True, metavar="REVISION", help="what to compare with")
    parser.add_argument("--pairs", type=_pairs, default=15, help="how many (15)")
    options = parser.parse_args(argv)
    ratios: dict[Course, list[tuple[float, float]]] = {course: [] for course in COURSES}
    with (
        tempfile.TemporaryDirectory() as folder,
        Conversation(sys.executable, "benchmarks.canned", "{}") as server,
    ):
        check_out(options.base, Path(folder))
        url = server.read(_PATIENCE)
        for number in range(options.pairs):
            for course, ratio in measure_pair(Path(folder), url, swapped=number % 2 == 1).items():
                ratios[course].append(ratio)
                print(f"{number + 1:3}  {course}: {ratio[0]:.3f}, {ratio[1]:.3f}", file=sys.stderr)
    return verdict(ratios)


def check_out(revision: str, folder: Path) -> None:
    """Put the packages of a revision into a folder, and this script beside them."""
    packed = subprocess.run(  # noqa: S603 - git, and a revision of our own
        ["git", "archive", "--format=tar", revision],  # noqa: S607 - wherever it is
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
    )
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    shutil.rmtree(folder / "benchmarks", ignore_errors=True)
    shutil.copytree(ROOT / "benchmarks", folder / "benchmarks")


def measure_pair(base: Path, url: str, *, swapped: bool) -> dict[Course, tuple[float, float]]:
    """Return, for each course, processor time a text and throughput: now over before.

    The two sides load at the same time; then they take turns, one embedding while the other waits.
    """
    trees = (ROOT, base) if swapped else (base, ROOT)
    ratios: dict[Course, tuple[float, float]] = {}
    for kind in sorted({course.kind for course in COURSES}):
        with Worker(kind, trees[0]) as first, Worker(kind, trees[1]) as second:
            for course in COURSES:
                if course.kind == kind:
                    spent = dict(zip(trees, _take_turns(first, second, course, url), strict=True))
                    now, before = spent[ROOT], spent[base]
                    ratios[course] = now.cpu / before.cpu, before.seconds / now.seconds
    return ratios


@dataclass(frozen=True)
class _Spent:
    cpu: float
    seconds: float


def _take_turns(first: Worker, second: Worker, course: Course, url: str) -> list[_Spent]:
    """Return what a call of each side took, in the middle of its turns."""
    sides = (first, second)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda side: _embed(side, course, url), sides))  # loads, and warms up
    turns = [[_embed(side, course, url) for side in sides] for _ in range(_TURNS)]
    return [
        _Spent(
            statistics.median(turn.cpu for turn in side),
            statistics.median(turn.seconds for turn in side),
        )
        for side in zip(*turns, strict=True)
    ]


def _embed(side: Worker, course: Course, url: str) -> _Spent:
    settings = asdict(Settings(base_url=url, dimension=course.dimension))
    job = {"op": "embed", "mode": "sync", "settings": settings, "start": 0, "count": course.texts}
    answer: dict[str, Any] = side.ask(job, _PATIENCE)
    if answer["error"] is not None:
        raise SystemExit(f"{course}: {answer['error']}")
    return _Spent(answer["cpu"], answer["seconds"])


def verdict(ratios: dict[Course, list[tuple[float, float]]]) -> int:
    """Print the figures; return 1 if one is beyond its bound."""
    failed = False
    print("now over before: median of the pairs (95 % interval)")
    for course, pairs in ratios.items():
        cpu, throughput = (Interval.of(values) for values in zip(*pairs, strict=True))
        bad = cpu.high > MOST_CPU or throughput.median < LEAST_THROUGHPUT
        failed |= bad
        print(
            f"{course!s:16} processor time a text {cpu}, throughput {throughput}"
            + ("  TOO MUCH" if bad else "")
        )
    print(f"allowed: upper end of processor time {MOST_CPU}, throughput {LEAST_THROUGHPUT}")
    return int(failed)


def _pairs(value: str) -> int:
    if int(value) < _FEWEST_PAIRS:
        raise argparse.ArgumentTypeError(f"{_FEWEST_PAIRS} at least, for an interval")
    return int(value)


if __name__ == "__main__":
    raise SystemExit(main())
