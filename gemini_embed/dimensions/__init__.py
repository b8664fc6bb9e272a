"""The dimension adviser: how many numbers of each vector are enough for your own corpus.

`advise` compares dimensions and ways to store them, `compare_tasks` what queries are embedded for,
and `plot` draws an advice.
"""

from __future__ import annotations

from gemini_embed.dimensions.advice import Advice, Row
from gemini_embed.dimensions.adviser import DIMS, advise
from gemini_embed.dimensions.measures import Interval
from gemini_embed.dimensions.plot import plot
from gemini_embed.dimensions.tasks import QUERY_TASKS, TaskAdvice, TaskRow, compare_tasks

__all__ = [
    "DIMS",
    "QUERY_TASKS",
    "Advice",
    "Interval",
    "Row",
    "TaskAdvice",
    "TaskRow",
    "advise",
    "compare_tasks",
    "plot",
]
