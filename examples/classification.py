"""Classification: say to which chapter of Python's documentation a docstring belongs.

Run it from the top of the repository with `python -m examples.classification`. Two thirds of the
texts are learned from, with the task type made for it; the scores are those of the rest, which
neither classifier has seen. Exits with 1 where a score is one that guessing could reach.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid

from examples.chapters import CHAPTERS, Entry, entries, lot
from examples.frameworks import FRAMEWORKS, Embed
from examples.service import announce, connect, key_of_user

TASK = "CLASSIFICATION"
WRONG = "RETRIEVAL_DOCUMENT"  # the default, for who forgets the task type
NEEDED = 0.6  # guessing gets one in eight


class Scores(NamedTuple):
    """The share of the texts held out that got their right chapter."""

    centroid: float
    regression: float
    mixed: float  # by the regression, where the texts asked about come with the wrong task type


def split(corpus: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Return what to learn from, and a third to be held out."""
    held_out = [entry for entry in corpus if lot(f"held out? {entry.text}")[0] % 3 == 0]
    return [entry for entry in corpus if entry not in held_out], held_out


def run(embed: Embed, corpus: Sequence[Entry], options: Mapping[str, Any]) -> Scores:
    """Learn from one part of the corpus, and be tested on the other."""
    known, asked = split(corpus)
    learned_from = embed([entry.text for entry in known], TASK, options)
    labels = [entry.chapter for entry in known]
    texts, right = [entry.text for entry in asked], [entry.chapter for entry in asked]
    vectors = embed(texts, TASK, options)
    # The nearest mean of a chapter's vectors: needs no training, and a new class at any time.
    centroid = NearestCentroid().fit(learned_from, labels)
    regression = LogisticRegression(C=10, max_iter=1000).fit(learned_from, labels)
    return Scores(
        float(centroid.score(vectors, right)),
        float(regression.score(vectors, right)),
        float(regression.score(embed(texts, WRONG, options), right)),
    )


def report(framework: str, scores: Scores) -> None:
    """Print a line for each classifier."""
    print(f"\n{framework}")
    print(f"  nearest centroid      {scores.centroid:6.1%} right")
    print(f"  logistic regression   {scores.regression:6.1%} right")
    print(f"  the same, where the task type is forgotten: {scores.mixed:.1%}")


def main() -> int:
    """Run the example, and return its exit code."""
    corpus = entries()
    known, asked = ([entry.text for entry in part] for part in split(corpus))
    print(f"{len(corpus)} docstrings of {len(CHAPTERS)} chapters; {len(asked)} are held out.")
    key = key_of_user()
    announce(key, known, asked, asked)
    with connect(key) as service:
        found = {name: run(embed, corpus, service.options) for name, embed in FRAMEWORKS.items()}
    for framework, scores in found.items():
        report(framework, scores)
    print(f"\nGuessing would get {1 / len(CHAPTERS):.1%}. The stand-in's model knows nothing of")
    print("tasks: only Google's shows what the right one is worth.")
    return int(min(min(scores[:2]) for scores in found.values()) < NEEDED)


if __name__ == "__main__":
    sys.exit(main())
