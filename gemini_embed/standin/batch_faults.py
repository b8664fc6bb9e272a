"""What can be made to go wrong with a job of a batch API. Performs no I/O."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

JobFault = Literal[
    "refused",
    "answer-lost",
    "late",
    "unlisted",
    "slow",
    "expired",
    "failed",
    "rows-missing",
    "rows-shuffled",
    "rows-failed",
    "rows-spoiled",
    "partly",
    "paused",
    "sharded",
    "full-dimension",
]
"""What a job can meet, several at once too:

- `refused`: 429 where it is to be created.
- `answer-lost`: it is created, and the connection is closed without an answer.
- `late`: the connection is closed likewise, and the job is created `batch_lag` seconds later: on
  the Gemini API if its input file is still there then; on Vertex AI it fails where it is not.
- `unlisted`: it is not in the list for `batch_lag` seconds.
- `slow`: it takes ten times as long.
- `expired`, `failed`: how it ends when its time is over, without results.
- `rows-missing`, `rows-failed`: of a tenth of the rows, at least one, the results have nothing, or
  an error. What is missing was paid for.
- `rows-spoiled`: as many have a vector that is none: no numbers, a NaN, or one number too few.
- `rows-shuffled`: the results are in another order.

A job of Vertex AI alone:

- `partly`: it ends as `JOB_STATE_PARTIALLY_SUCCEEDED`. Of a tenth of the rows, at least one, the
  results have nothing, and nothing was paid.
- `paused`: it is `JOB_STATE_PAUSED` for a fifth of its time, and goes on.
- `sharded`: the results are in several files, one of them empty; beside them lies a file of
  what was done halfway.
- `full-dimension`: each vector has as many numbers as the model makes, whatever was asked for. One
  developer saw that.
"""

JOB_FAULTS: tuple[JobFault, ...] = get_args(JobFault)

OF_VERTEX: frozenset[JobFault] = frozenset({"partly", "paused", "sharded", "full-dimension"})
"""Those that a job of the Gemini API does not meet."""


class JobFaults:
    """Draws the faults of each job: the same ones in every run with the same seed."""

    def __init__(self, shares: Mapping[JobFault, float], seed: int) -> None:
        for kind, share in shares.items():
            check_job_faults([kind])
            if not 0 <= share <= 1:
                raise ValueError(f"the share of fault {kind!r} must be from 0 to 1, not {share}")
        self._shares = dict(shares)
        self._random = random.Random(seed)  # noqa: S311  # repeatable on purpose, guards nothing

    def draw(self) -> frozenset[JobFault]:
        """Return the faults of the next job, each drawn for itself."""
        return frozenset(kind for kind, share in self._shares.items() if self._hit(share))

    def _hit(self, share: float) -> bool:
        return self._random.random() < share


def check_job_faults(kinds: Collection[str]) -> None:
    """Refuse faults that do not exist.

    Raises:
        ValueError: Unknown kind; the text lists the known ones.
    """
    for kind in kinds:
        if kind not in JOB_FAULTS:
            raise ValueError(f"unknown fault {kind!r}; known: {', '.join(JOB_FAULTS)}")
