"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.windows import Limit


@dataclass(frozen=True, kw_only=True)
class Amounts:
    """How much of everything; the defaults are those of a plain run.

    Attributes:
        texts: Sizes of a load, in texts.
        adapters: The largest of them that goes through the adapters.
        runs: Of each size of up to 100,000 texts; of larger ones there is one.
        dimension: Numbers per vector.
        processes: How many share a quota, or workers of Ray.
        limit: The quota.
        periods: For how many of its periods it is looked at.
        a_day: Texts of the simulated day.
    """

    texts: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    adapters: int = 100_000
    runs: int = 3
    dimension: int = 256
    processes: tuple[int, ...] = (1, 2, 4)
    limit: Limit = field(default_factory=Limit)
    periods: int = 6
    a_day: int = 1_000_000


PLAIN = Amounts()
QUICK = Amounts(
    texts=(1000, 10_000),
    adapters=10_000,
    runs=1,
    processes=(1, 2),
    limit=Limit(60, 2.0),
    periods=3,
    a_day=20_000,
)
