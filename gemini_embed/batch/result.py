"""The result of a run that is over: its vectors out of the cache, each to its places.

It needs no texts: the ledger has the key of each vector.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from gemini_embed.background.threads import in_thread
from gemini_embed.cache.values import opened
from gemini_embed.errors import BatchCancelledError, BatchError, BatchFailedError, number_of
from gemini_embed.usage import Rate, Usage, billed_at, in_proportion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gemini_embed.batch.jobs import Job, Run
    from gemini_embed.batch.places import Places
    from gemini_embed.cache.sqlite import SQLiteCache
    from gemini_embed.cache.values import Opened
    from gemini_embed.calls.sink import Sink
    from gemini_embed.prices import Price

R = TypeVar("R")

_AT_ONCE = 500
"""Vectors that are read in one go."""


async def result_of(
    run: Run,
    jobs: Sequence[Job],
    places: Places,
    sink: Sink[R],
    *,
    cache: SQLiteCache,
    usage: Usage,
) -> R:
    """Return the result of a run.

    Raises:
        BatchFailedError: Some texts have no vector. The others are in `partial`.
        BatchCancelledError: Likewise, because it was cancelled.
        OSError: The cache cannot be read.
    """
    weights = places.weights.tolist()
    for first in range(0, len(places), _AT_ONCE):
        last = min(first + _AT_ONCE, len(places))
        read = await in_thread(_read, cache, places, first, last, run.asked["sent_dimension"])
        positions = places.positions(first, last)
        some = [weights[first + i] for i in read.found] if weights else ()
        sink.place([positions[i] for i in read.found], read.block, some)
    if sink.missing:
        raise _incomplete(run, jobs, sink)
    return sink.result(usage)


def _read(cache: SQLiteCache, places: Places, first: int, last: int, dimension: int) -> Opened:
    keys = [places.key(content) for content in range(first, last)]
    return opened(keys, cache.get_many(keys), dimension=dimension)


def _incomplete(run: Run, jobs: Sequence[Job], sink: Sink[R]) -> BatchError:
    missing = sink.missing
    errors = [job.error for job in jobs if job.failed and job.error]
    kind: type[BatchError] = BatchFailedError
    if run.is_cancelled:
        kind, what = BatchCancelledError, f"batch run {run.id} was cancelled"
    elif errors:
        what = f"{number_of(len(missing), 'text')} of batch run {run.id} got no vector: {errors[0]}"
    else:
        lost, verb = number_of(len(missing), "vector"), "is" if len(missing) == 1 else "are"
        what = f"{lost} of batch run {run.id} {verb} no longer in the cache"
    advice = "embed the same texts again: the cache has the others"
    return kind(
        f"{what}; {advice}",
        run=run.id,
        indexes=missing,
        partial=sink.partial(),
        total=run.texts,
    )


def billed_of(job: Job, rate: Rate) -> dict[Rate, int]:
    """Return by which rates what a job brought is billed: as its kinds are reported, or likely."""
    tokens = job.prompt_tokens + job.estimated_tokens
    return billed_at(rate, tokens, job.by_modality or in_proportion(job.kinds, tokens))


def kinds_of(usage: Usage) -> dict[str, int]:
    """Return the billed tokens of a usage by their kind."""
    kinds = Counter[str]()
    for rate, tokens in usage.billed.items():
        kinds[rate.modality] += tokens
    return dict(kinds)


def usage_of(run: Run, jobs: Sequence[Job], places: Places, price: Price | None) -> Usage:
    """Return what all of a run has cost, whoever worked it.

    Each job counts as one request. What went online has the usual price.
    """
    rate = Rate(run.asked["model"], run.asked["backend"], price, is_batch=True)
    online, billed, by_modality = Counter[str](), Counter[Rate](), Counter[str]()
    for job in jobs:
        online.update(job.online)
        billed.update(billed_of(job, rate))
        by_modality.update(job.by_modality)
    tokens = sum(job.prompt_tokens for job in jobs)
    estimated = sum(job.estimated_tokens for job in jobs)
    sent = online["prompt_tokens"] + online["estimated_tokens"]
    kinds = {kind: online[kind] for kind in online if kind.isupper()}  # no field of a Usage is
    billed.update(billed_at(rate._replace(is_batch=False), sent, kinds))
    reported = tokens + online["prompt_tokens"]
    created = sum(1 for job in jobs if job.job)
    return Usage(
        requests=created + online["requests"],
        prompt_tokens=reported or None,
        texts=run.texts,
        cached=run.cached,
        duplicates=len(places.contents) - len(places),
        pieces=len(places.contents) - run.texts,
        estimated_tokens=estimated + online["estimated_tokens"],
        by_modality=dict(by_modality),
        billed={rate: number for rate, number in billed.items() if number},
    )
