"""What Vertex AI says of batch jobs, read. Performs no I/O.

As documented: the reference of `projects.locations.batchPredictionJobs`. That the completed rows of
a job that ended early are there is documented for the batches of all Gemini models.
"""

from __future__ import annotations

import re
from typing import Any

from gemini_embed.errors import BadResponseError
from gemini_embed.gs import GsAddress
from gemini_embed.service.jobs import (
    LONGEST_SHOWN,
    ServerJob,
    listed_in,
    number_in,
    state_of,
    text_in,
)
from gemini_embed.service.json_vectors import field_of, is_count

_NAME = re.compile(r"projects/[A-Za-z0-9:._-]+/locations/[a-z0-9-]+/batchPredictionJobs/[0-9]+")
_INPUT = re.compile(r".*/gemini-embed-[0-9a-f]{32}/input\.jsonl", re.DOTALL)
_COUNTED = ("successful", "failed", "incomplete")


def vertex_job_of(job: Any) -> ServerJob:
    """Return a job.

    Raises:
        BadResponseError: It has no name that is one.
    """
    found = _read(job)
    if not found.name:
        raise BadResponseError("Vertex AI named a batch job in a way that cannot be read")
    return found


def _read(job: Any) -> ServerJob:
    """Return a job as far as it can be read: others than ours may be of any shape."""
    name = text_in(field_of(job, "name"))
    stats, error = field_of(job, "completionStats"), field_of(job, "error")
    counts = [number_in(field_of(stats, f"{what}Count")) or 0 for what in _COUNTED]
    state, odd = state_of(text_in(field_of(job, "state")))
    code = field_of(error, "code")
    return ServerJob(
        name=name if _NAME.fullmatch(name) else "",
        display_name=text_in(field_of(job, "displayName")),
        state=state or "running",
        odd=odd,
        rows=sum(counts),
        succeeded=counts[0],
        failed=counts[1],
        code=code if is_count(code) else 0,
        error=text_in(field_of(error, "message"))[:LONGEST_SHOWN],
        results=_results(job),
        input=_input(job),
    )


def vertex_jobs_of(page: Any) -> list[ServerJob]:
    """Return the jobs of a page of the list.

    Raises:
        BadResponseError: It cannot be read.
    """
    return list(map(_read, listed_in(page, "batchPredictionJobs")))


def output_of(job: Any) -> str:
    """Return where a job was told to put its results; empty where it does not say."""
    destination = field_of(field_of(job, "outputConfig"), "gcsDestination")
    return _folder(field_of(destination, "outputUriPrefix"))


def _input(job: Any) -> str:
    """Return what a job reads, if it is one object, called as we call ours."""
    uris = field_of(field_of(field_of(job, "inputConfig"), "gcsSource"), "uris")
    said = text_in(uris[0]) if isinstance(uris, list) and len(uris) == 1 else ""
    return said if _INPUT.fullmatch(said) and GsAddress.read(said) else ""


def _results(job: Any) -> str:
    """Return the folder of a job's results: of its own, within the one that it was told."""
    own = _folder(field_of(field_of(job, "outputInfo"), "gcsOutputDirectory"))
    return own or output_of(job)


def _folder(said: Any) -> str:
    written = f"{text_in(said).rstrip('/')}/"
    return written if GsAddress.read(written) else ""


def names_predictions(name: str) -> bool:
    """Tell whether an object holds rows of results, by its name.

    `predictions.jsonl` in its own folder is documented; large ones are in several parts. What is
    called `incremental` has the same rows while the job runs.
    """
    return name.rpartition("/")[2].startswith("prediction")
