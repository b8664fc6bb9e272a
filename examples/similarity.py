"""Similarity: tell whether two texts say the same, with a threshold that is chosen on data.

Run it from the top of the repository with `python -m examples.similarity`. No threshold can be
copied from elsewhere: cosines of two models are not comparable, nor those of two task types. So it
is chosen on one half of the pairs, and the scores are those of the other. Exits with 1 where a
score is one that guessing could reach.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from examples.chapters import lot
from examples.frameworks import FRAMEWORKS, Embed
from examples.service import announce, connect, key_of_user
from examples.siblings import Pair, pairs

TASK = "SEMANTIC_SIMILARITY"
WRONG = "RETRIEVAL_DOCUMENT"  # the default, for who forgets the task type
DUPLICATE = 0.99
NEEDED = 0.7  # guessing gets half


class Scores(NamedTuple):
    """What was chosen on one half, and how it did on the other."""

    threshold: float
    right: float  # the share of pairs that are told right
    mixed: float  # the same where the second text of each pair comes with the wrong task type
    duplicates: float  # the share of texts that are found again in a copy
    duplicates_mixed: float  # the same where the copies come with the wrong task type


def cosines(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cosine of each row to the same row of the other; all have length 1."""
    return np.asarray(np.sum(first * second, axis=1))


def best_threshold(found: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    """Return the cosine from which on two texts are best said to be the same."""
    ordered = np.sort(found)
    between = (ordered[1:] + ordered[:-1]) / 2
    return float(max(between, key=lambda threshold: np.mean((found >= threshold) == same)))


def run(embed: Embed, corpus: Sequence[Pair], options: Mapping[str, Any]) -> Scores:
    """Choose the threshold on one half, and judge the other with it."""
    first, second = [pair.first for pair in corpus], [pair.second for pair in corpus]
    same = np.array([pair.same for pair in corpus])
    chosen_on = np.array([lot(pair.first + pair.second)[0] % 2 == 0 for pair in corpus])
    vectors = embed(first, TASK, options)
    found = cosines(vectors, embed(second, TASK, options))
    mixed = cosines(vectors, embed(second, WRONG, options))
    threshold = best_threshold(found[chosen_on], same[chosen_on])

    def right(values: NDArray[np.float64]) -> float:
        return float(np.mean((values >= threshold)[~chosen_on] == same[~chosen_on]))

    def found_again(task_type: str) -> float:
        return float(np.mean(cosines(vectors, embed(first, task_type, options)) >= DUPLICATE))

    return Scores(threshold, right(found), right(mixed), found_again(TASK), found_again(WRONG))


def report(framework: str, scores: Scores) -> None:
    """Print what was found, and what the wrong task type would have made of it."""
    print(f"\n{framework}")
    print(f"  say the same from a cosine of {scores.threshold:.2f} on: {scores.right:.1%} right")
    print(f"  duplicates found from {DUPLICATE} on: {scores.duplicates:.0%}")
    print(f"  where one side's task type is forgotten: {scores.mixed:.1%} right,", end=" ")
    print(f"{scores.duplicates_mixed:.0%} of the duplicates")


def main() -> int:
    """Run the example, and return its exit code."""
    corpus = pairs()
    same = sum(pair.same for pair in corpus)
    print(f"{len(corpus)} pairs of docstrings; {same} say the same in other words.")
    first, second = [pair.first for pair in corpus], [pair.second for pair in corpus]
    key = key_of_user()
    announce(key, first, second, second, first, first)
    with connect(key) as service:
        found = {name: run(embed, corpus, service.options) for name, embed in FRAMEWORKS.items()}
    for framework, scores in found.items():
        report(framework, scores)
    print("\nWith Google's vectors the threshold is another one: choose it on your own pairs.")
    return int(min(scores.right for scores in found.values()) < NEEDED)


if __name__ == "__main__":
    sys.exit(main())
