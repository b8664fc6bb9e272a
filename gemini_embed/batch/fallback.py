"""Embeds online what the jobs of a run brought no vector for: from the spool, into the cache."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from gemini_embed.background.threads import in_thread
from gemini_embed.batch import outcomes, spool
from gemini_embed.batch.hold import KEPT_EVERY
from gemini_embed.media.composition import seen_again
from gemini_embed.media.contents import MediaContent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gemini_embed.batch.hold import Hold
    from gemini_embed.batch.jobs import Job
    from gemini_embed.batch.places import Places
    from gemini_embed.contents import Content

_ONLINE_AT_ONCE = 1000
_ONLINE_BYTES = 2**25
"""Rows that are embedded online in one call, and their bytes: so many are in memory."""


async def embed(hold: Hold, job: Job) -> None:
    """Embed online what a job brought no vector for."""
    places = await hold.places()
    lost: list[int] = []
    why, took = job.error, Counter[str]()
    backend = hold.run.asked["backend"]
    again = partial(seen_again, model=hold.site.model, backend=backend)
    for some in _together(job, places):
        rows = {row: places.lines(job.first + row, job.first + row + 1) for row in some}
        contents = await in_thread(
            spool.contents_at, hold.spool, rows, hold.run.kept, backend, again
        )
        without, error, more = await _online(hold, contents, uncut=job.uncut)
        _let_go(contents)
        lost += [some[i] for i in without]
        why = error or why
        took.update(more)
    await hold.write(outcomes.embedded(job, tuple(lost), why, took))


def _together(job: Job, places: Places) -> Iterator[list[int]]:
    """Yield the failed rows of a job, as many at once as may be in memory."""
    some: list[int] = []
    size = 0
    for row in job.failed:
        start, end = places.span(job.first + row, job.first + row + 1)
        if some and (len(some) == _ONLINE_AT_ONCE or size + end - start > _ONLINE_BYTES):
            yield some
            some, size = [], 0
        some.append(row)
        size += end - start
    if some:
        yield some


async def _online(
    hold: Hold, contents: Sequence[Content], *, uncut: bool
) -> tuple[Sequence[int], str, Mapping[str, int]]:
    """Embed contents online, and keep the lease meanwhile."""
    task = asyncio.ensure_future(hold.site.online(contents, uncut=uncut))
    try:
        while not task.done():
            await hold.keep(KEPT_EVERY)
            await asyncio.wait([task], timeout=KEPT_EVERY)
        return await task
    finally:
        task.cancel()


def _let_go(contents: Sequence[Content]) -> None:
    """Let the bytes of media go: what is left of a call waits for the garbage collector."""
    for content in contents:
        for medium in content.media if isinstance(content, MediaContent) else ():
            if medium.media.data is not None:
                medium.media = replace(medium.media, data=b"")
