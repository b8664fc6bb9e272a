"""Compares tasks: which one suits these queries. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gemini_embed.dimensions.advice import MANY_QUERIES, within
from gemini_embed.dimensions.given import check_asked, check_searchable, checked, labels_of
from gemini_embed.dimensions.measures import Bootstrap, Interval
from gemini_embed.dimensions.search import Way, search
from gemini_embed.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike

QUERY_TASKS = (
    "RETRIEVAL_QUERY",
    "QUESTION_ANSWERING",
    "FACT_VERIFICATION",
    "CODE_RETRIEVAL_QUERY",
)
"""Those of queries whose documents are embedded for RETRIEVAL_DOCUMENT, all alike."""

_FEWEST = 20
"""Queries: fewer may all be better by chance, and a bootstrap of them sees no doubt."""


@dataclass(frozen=True, slots=True)
class TaskRow:
    """How well queries find their documents that were embedded for one task.

    Attributes:
        task: The task.
        ndcg: nDCG@k.
        recall: Recall@k.
        change: How much the nDCG differs from the first task's (paired bootstrap).
    """

    task: str
    ndcg: float
    recall: float
    change: Interval


@dataclass(frozen=True, slots=True)
class TaskAdvice:
    """Which task suits the queries. `print` shows the rows and the advice.

    Attributes:
        rows: Each task, in the order in which they were given.
        recommended: The task with the highest nDCG, if it is surely above the first task's, by 20
            queries or more; else the first.
        k: How many documents a query finds.
        queries: How many queries have labels.
    """

    rows: tuple[TaskRow, ...]
    recommended: str
    k: int
    queries: int

    @property
    def line(self) -> str:
        """The advice in words."""
        first, best = self.rows[0].task, max(self.rows, key=lambda row: row.ndcg)
        if self.recommended != first:
            said = f"Take task_type={best.task!r}: its nDCG is surely higher than that of {first}"
        elif self.queries < _FEWEST:
            said = f"Stay with {first}: so few queries tell nothing of others"
        else:
            said = f"Stay with {first}: no other task is surely better"
        few = f" ({self.queries} queries, and {MANY_QUERIES} say more)"
        return f"{said}{few if self.queries < MANY_QUERIES else ''}."

    def __str__(self) -> str:
        width = max(len(row.task) for row in self.rows) + 2
        titles = f"nDCG@{self.k}  {'change':25}  recall@{self.k}"
        rows = [f"{'task':{width}}{titles}"]
        for row in self.rows:
            change = within(row.change, sign="+")
            rows.append(f"{row.task:{width}}{row.ndcg:<{6 + len(str(self.k))}.3f} {change:25}")
            rows[-1] += f"  {row.recall:.3f}"
        return "\n".join([*rows, "", self.line])


def compare_tasks(
    vectors: ArrayLike,
    queries: Mapping[str, ArrayLike],
    qrels: Sequence[Mapping[int, float]],
    k: int = 10,
) -> TaskAdvice:
    """Return which task suits the queries: retrieval, question answering, fact checking or code.

    For all of them documents are embedded alike, so that only queries are embedded again.

    Args:
        vectors: Of the documents.
        queries: By task: vectors of the same queries, each time embedded for that task. The first
            one is that with which the others are compared.
        qrels: For each query its labels: the places of documents among `vectors`, and how well each
            of them answers it, above 0. Queries without any are left out.
        k: How many documents a query finds.

    Raises:
        ConfigurationError: These cannot be compared; says why.
    """
    documents = checked("vectors", vectors)
    k = check_asked(len(documents), k)
    asked = {task: checked(f"queries for {task}", given) for task, given in queries.items()}
    if len({block.shape for block in asked.values()}) != 1:
        raise ConfigurationError("queries: there must be vectors of the same ones for each task")
    (count, full), *_ = (block.shape for block in asked.values())
    labels, judged = labels_of(qrels, queries=count, documents=len(documents))
    together = np.concatenate([block[judged] for block in asked.values()])
    check_searchable(documents, together, least=full)
    found = search(documents, together, [full], count=k, storages=["float32"])
    ranked = np.split(found[Way(full, "float32")].places, len(asked))
    ndcg = [labels.ndcg(places) for places in ranked]
    sample = Bootstrap(len(judged))
    rows = tuple(
        TaskRow(
            task,
            float(reached.mean()),
            float(labels.recall(places).mean()),
            sample.interval(reached - ndcg[0]),
        )
        for task, places, reached in zip(asked, ranked, ndcg, strict=True)
    )
    best = max(rows, key=lambda row: row.ndcg)
    is_sure = len(judged) >= _FEWEST and best.change.low > 0
    recommended = best.task if is_sure else rows[0].task
    return TaskAdvice(rows, recommended, k, len(judged))
