"""Draws an advice with matplotlib, which the extra `plot` brings."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gemini_embed.dimensions.storage import STORAGES
from gemini_embed.errors import ConfigurationError

if TYPE_CHECKING:
    from os import PathLike

    from gemini_embed.dimensions.advice import Advice
    from gemini_embed.dimensions.storage import Storage

_MB = 1_000_000

_COLOURS = dict(zip(STORAGES, ("#1a73e8", "#188038", "#e37400", "#a142f4"), strict=True))


def plot(advice: Advice, file: str | PathLike[str]) -> None:
    """Draw what each way keeps over the bytes that are searched; the name's end says the format.

    Raises:
        ConfigurationError: There is no matplotlib.
    """
    try:
        figures: Any = importlib.import_module("matplotlib.figure")
    except ImportError as error:
        raise ConfigurationError(
            "a plot needs matplotlib: install gemini-embed with the extra `plot`"
        ) from error
    figure = figures.Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.add_subplot()
    for storage in STORAGES:
        for rescored in (False, True):
            _draw(axes, advice, storage, rescored=rescored)
    axes.axhline(advice.target, color="#5f6368", linewidth=1, label=f"target {advice.target:g}")
    axes.set_xscale("log")
    axes.set_xlabel("MB that are searched, for a million vectors")
    axes.set_ylabel(_kept(advice))
    axes.set_title(f"Take {advice.recommended.name}")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(file, dpi=110)


def _draw(axes: Any, advice: Advice, storage: Storage, *, rescored: bool) -> None:
    rows = [row for row in advice.rows if (row.storage, row.rescored) == (storage, rescored)]
    sizes = [row.bytes_per_million / _MB for row in rows]
    errors = [
        [max(row.kept.mean - row.kept.low, 0) for row in rows],  # but for rounding
        [max(row.kept.high - row.kept.mean, 0) for row in rows],
    ]
    axes.errorbar(
        sizes,
        [row.kept.mean for row in rows],
        yerr=errors,
        color=_COLOURS[storage],
        linestyle="--" if rescored else "-",
        marker="o",
        markersize=4,
        capsize=2,
        label=f"{storage}, rescored" if rescored else storage,
    )
    if not rescored:
        for row, size in zip(rows, sizes, strict=True):
            axes.annotate(
                row.dimension, (size, row.kept.mean), (3, -9), textcoords="offset points", size=7
            )


def _kept(advice: Advice) -> str:
    if advice.recommended.ndcg is None:
        return f"recall@{advice.k} against the full vectors"
    return f"share of the full vectors' nDCG@{advice.k}"
