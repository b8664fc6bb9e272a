"""Stops and forgets a run of which the ledger cannot be read, as far as its parts are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemini_embed.background.threads import in_thread
from gemini_embed.batch import spool
from gemini_embed.batch.doing import by_name, stop
from gemini_embed.errors import BadResponseError, RequestError
from gemini_embed.notices import warn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gemini_embed.batch.ledger import Ledger
    from gemini_embed.batch.records import Remains
    from gemini_embed.batch.site import Service
    from gemini_embed.models import BackendName
    from gemini_embed.service.jobs import ServerJob


async def discard(
    run: str, *, ledger: Ledger, service: Service, cache: Path, backend: BackendName
) -> None:
    """Stop the jobs of a run, delete what it has stored, and forget it.

    On Vertex AI a warning says what may be left, and where: nobody else deletes it there.

    Raises:
        RequestError: The service does not take the end of a job, or cannot be reached: the run is
            kept.
    """
    listed = by_name(await service.list())
    left: list[str] = []
    for remains in await in_thread(ledger.remains, run):
        shown = [one for name in remains.names for one in listed.get(name, [])]
        for one in shown:
            await (stop(service, one.name) if one.state == "running" else service.delete(one.name))
        left += await _deleted(service, remains, shown)
    if left and backend == "vertex":  # the Gemini API deletes files after two days
        warn(f"batch run {run} is forgotten, and this may be left of it: {'; '.join(left)}")
    await in_thread(spool.delete_all, cache, run)
    await in_thread(ledger.forget_all_of, run)


async def _deleted(service: Service, remains: Remains, shown: Sequence[ServerJob]) -> list[str]:
    """Delete the files of a job; return in words which may be left."""
    files = dict.fromkeys([*remains.files, *(one.input for one in shown if one.input)])
    if not files and not remains.is_known:
        names = " or ".join(sorted(remains.names)) or "a job without a name"
        return [f"a folder gemini-embed-... in the bucket, of {names}"]
    left: list[str] = []
    for file in files:
        try:
            await service.delete_file(file, with_results=True)
        except (BadResponseError, RequestError) as error:
            left.append(f"{file} ({error.summary})")
    written = [one.input for one in shown if one.state == "running" and one.input]
    return left + [f"what was done, beside {file}: its job stops soon" for file in written]
