"""The recorded jobs of the Batch API, as their captors kept them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gemini_embed.service.jobs import job_of, jobs_of, row_in, row_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def answers(folder: Path) -> tuple[Any, Any]:
    """Return the answer about a job, and the list of jobs."""
    held = json.loads((folder / "kio__embedding_2_batch_job.json").read_text(encoding="utf-8"))
    one, listed = (exchange["response"] for exchange in held["exchanges"])
    return one, listed


def test_a_job_is_read_by_itself(answers: tuple[Any, Any]) -> None:
    """Its name is ours, its counts are strings, its rows come with it, with their keys."""
    job = job_of(answers[0])

    assert job.name == answers[0]["name"]
    assert job.display_name.startswith("kio-")
    assert (job.state, job.rows, job.succeeded, job.failed) == ("succeeded", 5, 5, 0)
    assert (job.results, job.error, job.code) == ("", "", 0)
    rows = [row_in(row) for row in job.inline]
    assert [(row.key, row.tokens, row.error) for row in rows] == [
        ("sha256:aaa", 81, ""),
        ("sha256:bbb", 25, ""),
    ]
    sent = answers[0]["response"]["inlinedResponses"]["inlinedResponses"]
    for row, expected in zip(rows, sent, strict=True):
        values = expected["response"]["embedding"]["values"]
        assert np.asarray(row.values).tolist() == np.float32(values).tolist()


def test_a_job_is_read_in_the_list(answers: tuple[Any, Any]) -> None:
    """The list answers under `operations`; its counts are behind, and its state is right."""
    (job,) = jobs_of(answers[1])

    assert (job.state, job.rows, job.succeeded) == ("succeeded", 6, 0)
    assert job.display_name.startswith("kio-")


def test_a_job_is_found_in_either_of_the_two_places(answers: tuple[Any, Any]) -> None:
    """Every vector stands twice: in the metadata and in the response."""
    one = json.loads(json.dumps(answers[0]))
    del one["metadata"]["output"]

    assert job_of(one) == job_of(answers[0])


@pytest.mark.parametrize("fast", [True, False])
def test_rows_of_a_file_are_read(folder: Path, *, fast: bool) -> None:
    """The key comes last, the count of tokens is a string."""
    held = json.loads((folder / "cookbook__batch_embeddings.json").read_text(encoding="utf-8"))

    rows = [row_of(line.encode(), fast=fast) for line in held["output_jsonl"]]

    assert [(row.key, row.tokens, row.error) for row in rows] == [
        ("request_1", 1, ""),
        ("request_2", 1, ""),
    ]
    assert [len(np.asarray(row.values)) for row in rows] == [3, 4]
