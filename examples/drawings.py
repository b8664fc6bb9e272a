"""A folder of pictures and PDF pages for the example that searches them, drawn here.

Each picture says in its file what is to be seen: Google's model sees that by itself, and the local
stand-in, which cannot see, reads it there.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon, Rectangle

Draw = Callable[[Axes], None]


class Drawn(NamedTuple):
    """A file that can be searched for, and a picture to show it by: of a page, one of the page."""

    path: Path
    shown: Path


def draw_all(folder: Path) -> list[Drawn]:
    """Draw every picture and page into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = [_picture(folder, name, *drawing) for name, drawing in PICTURES.items()]
    pages = [_page(folder, name, text) for name, text in PAGES.items()]
    return pictures + pages


def _picture(folder: Path, name: str, draw: Draw, description: str) -> Drawn:
    figure = Figure(figsize=(3, 3), dpi=80)
    axes = figure.add_axes((0.05, 0.05, 0.9, 0.9))
    draw(axes)
    axes.set(xlim=(0, 10), ylim=(0, 10))
    axes.set_axis_off()
    path = folder / f"{name}.png"
    figure.savefig(path, metadata={"Description": description})
    return Drawn(path, path)


def _page(folder: Path, name: str, text: str) -> Drawn:
    title, _, rest = text.partition("\n")
    figure = Figure(figsize=(3, 3), dpi=80, edgecolor="lightgrey", linewidth=2)
    figure.text(0.07, 0.88, title, size=13, weight="bold")
    figure.text(0.07, 0.8, rest, size=12, va="top", linespacing=1.6)
    path, shown = folder / f"{name}.pdf", folder / f"{name}-page.png"
    with rc_context({"pdf.fonttype": 42}):  # its letters can be read
        figure.savefig(path)
    figure.savefig(shown)
    return Drawn(path, shown)


def _boat(axes: Axes) -> None:
    axes.add_patch(Rectangle((0, 0), 10, 3, color="tab:blue"))
    axes.add_patch(Polygon([(2.5, 3), (7.5, 3), (6.5, 2), (3.5, 2)], color="saddlebrown"))
    axes.add_patch(Polygon([(5, 3.3), (5, 9), (8, 3.3)], color="lightgrey"))


def _house(axes: Axes) -> None:
    axes.add_patch(Rectangle((2, 1), 6, 4, color="wheat"))
    axes.add_patch(Polygon([(1.5, 5), (8.5, 5), (5, 9)], color="firebrick"))
    axes.add_patch(Rectangle((4.3, 1), 1.4, 2.4, color="saddlebrown"))
    axes.add_patch(Circle((9, 9), 0.8, color="gold"))


def _mountain(axes: Axes) -> None:
    axes.add_patch(Rectangle((0, 0), 10, 10, color="skyblue"))
    axes.add_patch(Polygon([(0, 1), (10, 1), (5, 9)], color="slategrey"))
    axes.add_patch(Polygon([(3.75, 7), (6.25, 7), (5, 9)], color="white", ec="lightgrey"))
    axes.plot([0, 10], [1, 1], color="darkgreen", linewidth=6)


def _stars(axes: Axes) -> None:
    axes.add_patch(Rectangle((0, 0), 10, 10, color="midnightblue"))
    across, up = np.random.default_rng(3).uniform(0.3, 9.7, (2, 40))
    axes.scatter(across, up, s=12, marker="*", color="white")
    axes.add_patch(Circle((7.5, 7.5), 1.2, color="lightyellow"))


def _traffic_light(axes: Axes) -> None:
    axes.add_patch(Rectangle((3.5, 1), 3, 8.4, color="black"))
    for height, colour in ((7.8, "red"), (5.2, "dimgrey"), (2.6, "dimgrey")):
        axes.add_patch(Circle((5, height), 1.1, color=colour))


def _chessboard(axes: Axes) -> None:
    board = np.indices((8, 8)).sum(axis=0) % 2
    axes.imshow(board, cmap="Greys", extent=(1, 9, 1, 9), vmax=1.3)


def _bars(axes: Axes) -> None:
    axes.bar(range(1, 10), [3, 4, 4.5, 6, 5, 7, 8, 7.5, 9], color="tab:green")
    axes.plot([0.3, 0.3, 9.8], [9.8, 0, 0], color="black")


def _pie(axes: Axes) -> None:
    axes.pie([40, 30, 20, 10], center=(5, 5), radius=4, labels=["wind", "sun", "gas", "coal"])


def _map(axes: Axes) -> None:
    axes.plot([1, 4, 6, 9], [2, 2, 8, 8], "o-", color="tab:red", linewidth=5)
    axes.plot([1, 5, 9], [8, 5, 5], "o-", color="tab:blue", linewidth=5)
    axes.plot([3, 3, 8], [9, 4, 1], "o-", color="tab:green", linewidth=5)


def _flower(axes: Axes) -> None:
    axes.plot([5, 5], [0.5, 5], color="green", linewidth=5)
    for angle in np.linspace(0, 2 * np.pi, 8, endpoint=False):
        axes.add_patch(
            Circle((5 + 1.6 * np.cos(angle), 6.5 + 1.6 * np.sin(angle)), 0.9, color="hotpink")
        )
    axes.add_patch(Circle((5, 6.5), 1, color="gold"))


PICTURES: Mapping[str, tuple[Draw, str]] = {
    "boat": (_boat, "a sailing boat on the blue sea"),
    "house": (_house, "a house with a red roof, and the sun"),
    "mountain": (_mountain, "a mountain with snow on its top"),
    "stars": (_stars, "the moon and stars in the night sky"),
    "traffic-light": (_traffic_light, "a traffic light that shows red: cars must stop"),
    "chessboard": (_chessboard, "an empty chessboard"),
    "bars": (_bars, "a bar chart of sales that grow month by month"),
    "pie": (_pie, "a pie chart of where electricity comes from: wind, sun, gas, coal"),
    "map": (_map, "a map of underground lines and their stations"),
    "flower": (_flower, "a pink flower"),
}
"""The name of each picture, how it is drawn, and what is to be seen on it."""

PAGES: Mapping[str, str] = {
    "bread": "Bread for beginners\nMix flour, water, salt and yeast.\nLet the dough rest for an "
    "hour,\nthen bake it in a hot oven.",
    "invoice": "Invoice 2041\nTwo office chairs,\n180 euros each. To be paid\nwithin thirty days.",
    "bicycle": "How to mend a flat tyre\nTake the wheel off, find the hole\nin the tube, put a "
    "patch on it,\nand pump it up again.",
    "meeting": "Minutes of the meeting\nThe board agreed to open\na second shop in Lisbon\nnext "
    "spring.",
}
"""The name of each page, and its text: the first line is the heading."""
