"""Processes on one quota, and workers of Ray on one quota."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from benchmarks import shared_quota
from benchmarks.environments import ROOT, clean_environment, python_with_ray
from benchmarks.results import Section, Table
from benchmarks.windows import SETTLING, Use

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.growth.amounts import Amounts

_RAY_PATIENCE = 300.0
"""Seconds beside those that the quota takes."""

_HOW = (
    "The quota is {texts} texts in any {period:g} s, by the stand-in's own clock; looked at for "
    "{seconds:g} s, after the first {settling:g}."
)
_OF_PROCESSES = (
    " Each process sends loads of 60 texts without end, all together send one query a second, and "
    "the quota is in a file (`Quota(path=...)`)."
)
_OF_RAY = (
    " One dataset, of which each worker embeds blocks of 20 rows, several at once, through one "
    "shared embedder (`gemini_embed.scale.ray.shared`)."
)
_USE = ("used", "refused", "most in a window")


def processes(amounts: Amounts) -> Section:
    """Return what comes of a quota when processes share it."""
    section = Section("Processes on one quota", _how(amounts) + _OF_PROCESSES)
    seconds = (SETTLING + amounts.periods) * amounts.limit.period
    uses = {n: shared_quota.run(n, amounts.limit, seconds) for n in amounts.processes}
    rows = [
        (f"{n}", *_cells(use), f"{use.queries}", _seconds(use.p50), _seconds(use.p99))
        for n, use in uses.items()
    ]
    heads = ("processes", *_USE, "queries", "p50", "p99")
    section.tables.append(Table("", heads, rows))
    section.figures = _figures("shared", [*uses.values()])
    section.figures["shared-p99"] = max(use.p99 or 0.0 for use in uses.values())
    return section


def ray(amounts: Amounts) -> Section:
    """Return the same of Ray's workers, where Ray is set up."""
    section = Section("Workers of Ray on one quota", _how(amounts) + _OF_RAY)
    if (python := python_with_ray()) is None:
        section.how = "Not measured: Ray is not set up here. `make test-ray` makes its environment."
        return section
    found = {n: _with_ray(python, n, amounts) for n in amounts.processes}
    wrong = {n: one.pop("wrong") for n, one in found.items()}
    uses = {n: Use(**one) for n, one in found.items()}
    rows = [(f"{n}", *_cells(use), f"{wrong[n]}") for n, use in uses.items()]
    heads = ("workers", *_USE, "rows without their own vector")
    section.tables.append(Table("", heads, rows))
    section.figures = _figures("ray", [*uses.values()])
    section.figures["ray-wrong"] = sum(wrong.values())
    return section


def _how(amounts: Amounts) -> str:
    texts, period = amounts.limit
    return _HOW.format(
        texts=texts, period=period, seconds=amounts.periods * period, settling=SETTLING * period
    )


def _with_ray(python: str, workers: int, amounts: Amounts) -> dict[str, Any]:
    texts, period = amounts.limit
    options = {"workers": workers, "periods": amounts.periods, "limit": texts, "period": period}
    done = subprocess.run(  # noqa: S603 - our own program
        [python, "-m", "benchmarks.ray_quota", *(f"--{key}={one}" for key, one in options.items())],
        cwd=ROOT,
        env=clean_environment() | {"PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"},
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        timeout=_RAY_PATIENCE + (SETTLING + amounts.periods + 1) * period,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _cells(use: Use) -> tuple[str, ...]:
    return f"{use.used:.1%}", f"{len(use.refused)}", f"{use.most}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def _figures(name: str, uses: Sequence[Use]) -> dict[str, float]:
    return {
        f"{name}-used": 100 * min(use.used for use in uses),
        f"{name}-refused": sum(len(use.refused) for use in uses),
    }
