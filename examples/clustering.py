"""Clustering: find the chapters of Python's documentation in its docstrings, without their labels.

Run it from the top of the repository with `python -m examples.clustering [FOLDER]`. K-means sees
vectors alone; afterwards its clusters are held against the chapters, and drawn (clusters.png in
FOLDER, or here). Exits with 1 where they agree no better than chance could.
"""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.manifold import TSNE
from sklearn.metrics import adjusted_rand_score

from examples.chapters import CHAPTERS, Entry, entries
from examples.frameworks import FRAMEWORKS, Embed
from examples.service import announce, connect, key_of_user

TASK = "CLUSTERING"
NEEDED = 0.25  # 0 is what chance gives, 1 is full agreement


class Clusters(NamedTuple):
    """Which text went where, and how well that agrees with the chapters (adjusted Rand index)."""

    vectors: NDArray[np.float64]
    numbers: NDArray[np.int32]
    agreement: float


def run(embed: Embed, corpus: Sequence[Entry], options: Mapping[str, Any]) -> Clusters:
    """Make as many clusters as there are chapters."""
    vectors = embed([entry.text for entry in corpus], TASK, options)
    numbers = KMeans(len(CHAPTERS), n_init="auto", random_state=0).fit_predict(vectors)
    return Clusters(vectors, numbers, agreement([entry.chapter for entry in corpus], numbers))


def agreement(chapters: Sequence[str], numbers: NDArray[np.int32]) -> float:
    """Return how well clusters agree with the chapters: the adjusted Rand index."""
    return float(adjusted_rand_score(chapters, numbers))


def most_of(corpus: Sequence[Entry], clusters: Clusters) -> list[tuple[str, int]]:
    """Return for each cluster the chapter that most of it is from, and how many texts that is."""
    inside = [Counter[str]() for _ in CHAPTERS]
    for entry, number in zip(corpus, clusters.numbers, strict=True):
        inside[number][entry.chapter] += 1
    return [chapters.most_common(1)[0] for chapters in inside]


def draw(corpus: Sequence[Entry], clusters: Clusters, path: Path) -> None:
    """Draw each text as a dot, near those that it is near to, and write the names of the clusters.

    A dot's colour is its cluster; a cross was put among texts of another chapter.
    """
    places = TSNE(init="pca", random_state=0).fit_transform(clusters.vectors)
    figure = Figure(figsize=(9, 7), layout="constrained")
    axes = figure.subplots()
    chapters = np.array([entry.chapter for entry in corpus])
    for number, (name, _) in enumerate(most_of(corpus, clusters)):
        own, colour = clusters.numbers == number, f"C{number}"
        for which, marker in ((own & (chapters == name), "o"), (own & (chapters != name), "x")):
            across, up = places[which].T
            axes.scatter(across, up, s=22, color=colour, marker=marker)
        across, up = np.median(places[own], axis=0)
        axes.text(across, up, name, weight="bold", ha="center", bbox=_LABEL)
    axes.set_title("Docstrings of Python's library, in clusters found by k-means")
    axes.set_axis_off()
    figure.savefig(path, dpi=120)


_LABEL = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 2}


def report(framework: str, corpus: Sequence[Entry], clusters: Clusters) -> None:
    """Print a line for each cluster, and how well all of them agree with the chapters."""
    print(f"\n{framework}")
    sizes = np.bincount(clusters.numbers)
    for (name, most), size in zip(most_of(corpus, clusters), sizes, strict=True):
        print(f"  {size:3} texts, {most / size:4.0%} of them {name}")
    print(f"  adjusted Rand index: {clusters.agreement:.2f} (chance: 0, full agreement: 1)")


def main(folder: Path = Path()) -> int:
    """Run the example, and return its exit code."""
    corpus = entries()
    print(f"{len(corpus)} docstrings of {len(CHAPTERS)} chapters, which k-means is not told.")
    key = key_of_user()
    announce(key, [entry.text for entry in corpus])
    with connect(key) as service:
        found = {name: run(embed, corpus, service.options) for name, embed in FRAMEWORKS.items()}
    for framework, clusters in found.items():
        report(framework, corpus, clusters)
    picture = folder / "clusters.png"
    draw(corpus, next(iter(found.values())), picture)
    print(f"\nThose of the first are drawn in {picture}.")
    return int(min(clusters.agreement for clusters in found.values()) < NEEDED)


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
