"""`python -m benchmarks.plot RESULTS.json PICTURE.png`: the bars of a comparison."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

_OURS, _BARE, _OFFICIAL = "#1a73e8", "#5f6368", "#bdc1c6"
_INCHES_A_PANEL, _INCHES_A_BAR = 3.1, 0.32


def draw(bars: list[dict[str, Any]], picture: Path) -> None:
    """Draw one panel for each set of bars, side by side.

    Raises:
        ImportError: There is no matplotlib.
    """
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    labels = list(bars[0]["values"])
    size = (3.2 + _INCHES_A_PANEL * len(bars), 1.2 + _INCHES_A_BAR * len(labels))
    figure, panels = pyplot.subplots(
        1, len(bars), sharey=True, figsize=size, squeeze=False, layout="constrained"
    )
    for panel, one in zip(panels[0], bars, strict=True):
        values = [one["values"][label] for label in labels]
        drawn = panel.barh(labels, values, color=[_colour(label) for label in labels])
        panel.bar_label(drawn, fmt="{:,.3g}" if max(values) < 10 else "{:,.0f}", padding=3)  # noqa: PLR2004 - digits
        panel.set_xlim(0, max(values) * 1.25)
        panel.set_title(one["title"], fontsize=11)
        panel.spines[["top", "right"]].set_visible(False)
        panel.locator_params(axis="x", nbins=4)
    panels[0][0].invert_yaxis()
    figure.savefig(picture, dpi=110)
    pyplot.close(figure)


def _colour(label: str) -> str:
    if label.startswith("our "):
        return _OURS
    return _BARE if label.startswith("bare ") else _OFFICIAL


def main() -> None:
    """Draw the bars of a results file."""
    results = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    bars = [one for section in results["sections"].values() for one in section["bars"]]
    draw(bars, Path(sys.argv[2]))


if __name__ == "__main__":
    main()
