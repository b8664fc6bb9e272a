"""The bench of services as a section of the comparison."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from benchmarks.quotas.rows import measure, missed, rows, worst_first
from benchmarks.quotas.targets import GOALS
from benchmarks.results import Section, Table

if TYPE_CHECKING:
    from benchmarks.field import Bench
    from benchmarks.quotas.measure import Figures

_SEED = 1
_HOW = (
    "Loads of {hours:g} hours of ideal time, in virtual time, through the project's own engine and "
    "a model of a service: {count} rows, single values and combinations. The worst row of each "
    "goal; `python -m benchmarks.quotas --every` shows all."
)


def quotas(bench: Bench) -> Section:
    """Quotas of many kinds, of services that count and refuse in many ways."""
    sizes = bench.sizes
    wanted = rows(sizes.service_pairs, _SEED)
    measured = measure(wanted, sizes.service_hours, _SEED, os.cpu_count() or 1)
    lines = []
    for name, goal in GOALS.items():
        if held := worst_first(name, measured):
            reached = f"{len(held) - missed(held)} of {len(held)}"
            lines.append((goal.what, reached, *_cells(held[0][1])))
    columns = ("goal", "rows that reach it", "share", "refused", "p99", "worst row", "outcome")
    return Section(
        "Quotas",
        how=_HOW.format(hours=sizes.service_hours, count=len(wanted)),
        tables=[Table("", columns, lines)],
        figures={"quotas": missed(measured)},
    )


def _cells(found: Figures) -> tuple[str, ...]:
    waited = "-" if found.p99 is None else f"{found.p99:.1f} s"
    return f"{found.share:.3f}", f"{found.refused:.1%}", waited, found.name, found.outcome
