"""What `make bench-pair` and `make soak` say of the figures they measured."""

from __future__ import annotations

import pytest

from benchmarks.pair import COURSES, Interval, verdict
from benchmarks.soak import Reading, growth, has_grown


@pytest.mark.parametrize(
    ("count", "low", "high"), [(6, 1, 6), (9, 2, 8), (15, 4, 12), (30, 10, 21)]
)
def test_the_interval_of_a_median_is_the_one_in_the_tables(
    count: int, low: float, high: float
) -> None:
    """The ranks for 95 % are those that statistics books print."""
    interval = Interval.of(range(count, 0, -1))

    assert (interval.low, interval.high) == (low, high)
    assert interval.median == (count + 1) / 2


@pytest.mark.parametrize(
    ("cpu", "throughput", "status"),
    [
        ([1.0] * 15, [1.0] * 15, 0),
        ([1.0] * 11 + [1.5] * 4, [1.0] * 15, 1),  # the 12th of 15 is the upper end
        ([1.0] * 12 + [1.5] * 3, [1.0] * 15, 0),
        ([1.0] * 15, [0.94] * 8 + [1.0] * 7, 1),
        ([1.0] * 15, [0.94] * 7 + [1.0] * 8, 0),
    ],
)
def test_a_change_that_costs_too_much_fails(
    cpu: list[float], throughput: list[float], status: int
) -> None:
    """Processor time is held to the upper end of its interval, throughput to its median."""
    alike = [(1.0, 1.0)] * 15

    ratios = dict.fromkeys(COURSES, alike) | {COURSES[1]: list(zip(cpu, throughput, strict=True))}

    assert verdict(ratios) == status


def readings(mib: list[float], descriptors: int = 20) -> list[Reading]:
    last = Reading(0, 0, mib[-1], descriptors, 3, 0)
    return [Reading(0, 0, one, 20, 3, 0) for one in mib[:-1]] + [last]


@pytest.mark.parametrize(
    ("mib", "grown"),
    [
        ([50.0] + [100.0] * 20, False),
        ([50.0, *(100 + 0.05 * i for i in range(20))], False),  # 0.25 MiB in a quarter
        ([50.0, *(100 + 1.0 * i for i in range(20))], True),
        ([50.0, *(100 + 1.0 * i for i in range(10)), *[110.0] * 10], False),  # it ended
    ],
)
def test_a_process_that_goes_on_growing_fails(mib: list[float], *, grown: bool) -> None:
    """What is learned at the start may take memory; what grows in the second half may not."""
    assert has_grown(growth(readings(mib))) is grown
