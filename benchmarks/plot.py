"""`python -m benchmarks.plot`: the documentation's pictures of the last full comparison.

They are read on white and on black: what is drawn in `_INK` gets the colour of the reader's system.
"""

from __future__ import annotations

import importlib
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "comparison.json"
PICTURES = ROOT / "docs" / "pictures"

_OURS, _THEIRS, _INK = "#1a73e8", "#9aa0a6", "#202124"
_NIGHT = (
    "<style>@media (prefers-color-scheme: dark) {"
    f' [style*="fill: {_INK}"] {{ fill: #e8eaed !important }}'
    f' [style*="stroke: {_INK}"] {{ stroke: #e8eaed !important }}'
    "}</style>"
)

Pairs = dict[str, tuple[float, float]]
"""What was compared -> the figure of who is stood in for, and ours."""

_WHO = {
    "LangChain, sync": ("LangChain official, sync", "our LangChain, sync"),
    "LangChain, async": ("LangChain official, async", "our LangChain, async"),
    "LlamaIndex, sync": ("LlamaIndex official, sync", "our LlamaIndex, sync"),
    "LlamaIndex, async": ("LlamaIndex official, async", "our LlamaIndex, async"),
    "bare SDK, our core; async": ("bare SDK, async, 8 at once", "our core, async"),
}


def pairs_of(results: Mapping[str, Any]) -> dict[str, tuple[str, Pairs]]:
    """Return the pictures of a comparison: a name -> its title, and what stands in it."""
    throughput, stall = results["sections"]["throughput"], results["sections"]["stall"]
    panels = {one["title"]: one["values"] for one in throughput["bars"]}
    (held_up,) = ({row[0]: _number(row[1]) for row in one["rows"]} for one in stall["tables"])
    return {
        "throughput": (
            "Texts a second, at 300 ms latency (more is better)",
            _pairs(panels["texts/s at 300 ms"]),
        ),
        "processor": (
            "Milliseconds of processor time a text (less is better)",
            _pairs(panels["CPU ms per text, 0 ms"]),
        ),
        "stall": (
            "Longest stall of the caller's loop, ms (less is better)",
            _pairs(held_up),
        ),
    }


def _pairs(values: Mapping[str, float]) -> Pairs:
    return {
        what: (values[theirs], values[ours])
        for what, (theirs, ours) in _WHO.items()
        if theirs in values and ours in values
    }


def _number(cell: str) -> float:
    return float(cell.split(maxsplit=1)[0].replace(",", ""))


def shown(value: float) -> str:
    """Return a figure as the pictures have it."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"  # noqa: PLR2004 - digits


def draw(title: str, pairs: Pairs) -> str:
    """Return a picture of two bars for each pair, as SVG."""
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": title, "font.size": 11})
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    figure, panel = pyplot.subplots(figsize=(5, 0.9 + 0.62 * len(pairs)), layout="constrained")
    places = range(len(pairs))
    for side, (label, colour, offset) in enumerate(
        [("official, or the bare SDK", _THEIRS, -0.2), ("gemini-embed", _OURS, 0.2)]
    ):
        values = [pair[side] for pair in pairs.values()]
        drawn = panel.barh([at + offset for at in places], values, 0.36, color=colour, label=label)
        panel.bar_label(drawn, [shown(value) for value in values], padding=3, color=_INK)
    panel.set_yticks(places, pairs, color=_INK)
    panel.set_xticks([])
    panel.tick_params(length=0)
    panel.set_xlim(0, max(max(pair) for pair in pairs.values()) * 1.14)
    panel.spines[:].set_visible(False)
    panel.invert_yaxis()
    figure.suptitle(title, fontsize=11, color=_INK)
    figure.legend(
        loc="outside lower center", ncols=2, frameon=False, labelcolor=_INK, handlelength=1
    )
    svg = io.StringIO()
    figure.savefig(svg, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)
    head, _, body = svg.getvalue().partition("<defs>")
    return f"{head}{_NIGHT}\n<defs>{body}"


def main() -> None:
    """Draw all pictures of the committed results."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    PICTURES.mkdir(exist_ok=True)
    for name, (title, pairs) in pairs_of(results).items():
        (PICTURES / f"{name}.svg").write_text(draw(title, pairs), encoding="utf-8")


if __name__ == "__main__":
    main()
