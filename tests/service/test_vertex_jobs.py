"""What Vertex AI says of jobs, in all the forms it may have, and addresses in Cloud Storage."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_embed import BadResponseError
from gemini_embed.gs import GsAddress
from gemini_embed.service.jobs import RowAnswer, row_in
from gemini_embed.service.vertex_jobs import (
    names_predictions,
    output_of,
    vertex_job_of,
    vertex_jobs_of,
)

NAME = "projects/123/locations/us-central1/batchPredictionJobs/456"

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
FIELDS = ["state", "displayName", "error", "completionStats", "outputInfo", "outputConfig"]


@pytest.mark.parametrize(
    ("state", "meant", "odd"),
    [
        ("JOB_STATE_PENDING", "running", ""),
        ("JOB_STATE_QUEUED", "running", ""),
        ("JOB_STATE_CANCELLING", "running", ""),
        (None, "running", ""),
        ("JOB_STATE_PAUSED", "running", "JOB_STATE_PAUSED"),
        ("JOB_STATE_OF_LATER", "running", "JOB_STATE_OF_LATER"),
        ("JOB_STATE_SUCCEEDED", "succeeded", ""),
        ("JOB_STATE_PARTIALLY_SUCCEEDED", "succeeded", ""),
        ("JOB_STATE_FAILED", "failed", ""),
        ("JOB_STATE_CANCELLED", "cancelled", ""),
        ("JOB_STATE_EXPIRED", "expired", ""),
    ],
)
def test_a_state_is_an_end_only_if_it_is_known_as_one(state: Any, meant: str, odd: str) -> None:
    """What nobody knows is neither done nor failed."""
    job = vertex_job_of({"name": NAME, "state": state})

    assert (job.state, job.odd) == (meant, odd)


def test_where_results_are() -> None:
    """In a folder of the job's own; else in the one that it was told."""
    told = {"gcsDestination": {"outputUriPrefix": "gs://bucket/x/output"}}
    own = {"gcsOutputDirectory": "gs://bucket/x/output/prediction-model-1"}
    job = {"name": NAME, "outputConfig": told}

    assert output_of(job) == vertex_job_of(job).results == "gs://bucket/x/output/"
    found = vertex_job_of(job | {"outputInfo": own})
    assert found.results == "gs://bucket/x/output/prediction-model-1/"


@pytest.mark.parametrize("where", ["s3://bucket/x", "gs://", "gs://B/x", "https://bucket/x", None])
def test_results_elsewhere_are_none(where: Any) -> None:
    """Addresses become requests."""
    assert vertex_job_of({"name": NAME, "outputInfo": {"gcsOutputDirectory": where}}).results == ""


@pytest.mark.parametrize(
    "name", ["", "batches/1", f"{NAME}/../1", f"{NAME}?x", f"/{NAME}", f"{NAME}:cancel", None, 5]
)
def test_a_name_that_could_lead_elsewhere_is_none(name: Any) -> None:
    """Of a list, that is left to who looks."""
    with pytest.raises(BadResponseError):
        vertex_job_of({"name": name})
    (job,) = vertex_jobs_of({"batchPredictionJobs": [{"name": name, "displayName": "ours"}]})
    assert (job.name, job.display_name) == ("", "ours")


def test_counts_are_read_as_google_writes_them() -> None:
    """As strings; what is not known there is -1."""
    stats = {"successfulCount": "7", "failedCount": "2", "incompleteCount": "-1"}
    job = vertex_job_of({"name": NAME, "completionStats": stats})

    assert (job.rows, job.succeeded, job.failed) == (9, 7, 2)


@given(st.dictionaries(st.sampled_from(FIELDS), ANY))
def test_any_job_is_read(fields: dict[str, Any]) -> None:
    """Whatever stands where something else was expected."""
    job = vertex_job_of({"name": NAME, **fields})

    assert job.name == NAME
    assert job.rows >= job.succeeded >= 0


@given(ANY)
def test_any_page_of_a_list_is_read_or_refused(page: Any) -> None:
    """Never taken for another."""
    for answer in (page, {"batchPredictionJobs": page}):
        try:
            jobs = list(vertex_jobs_of(answer))
        except BadResponseError:
            continue
        assert all(job.name == "" for job in jobs)


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ({"status": "Bad Request: no", "response": {}}, "Bad Request: no"),
        ({"status": "INVALID_ARGUMENT"}, "INVALID_ARGUMENT"),
        ({"status": "", "response": {}}, "it has no vector"),
        ({"status": {"code": 3}}, "it has no vector"),
        ({"error": {"code": 3, "message": "no"}, "status": "x"}, "3 no"),
    ],
)
def test_a_row_that_failed_says_why(row: dict[str, Any], error: str) -> None:
    """Its status is a text beside it."""
    assert row_in({"key": "k", **row}) == RowAnswer("k", None, error=error)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("gs://b/x/predictions.jsonl", True),
        ("gs://b/x/predictions.jsonl-00000-of-00002", True),
        ("gs://b/x/prediction.results-00000-of-00002", True),
        ("gs://b/x/incremental_predictions.jsonl", False),
        ("gs://b/prediction-model-1/", False),
        ("gs://b/prediction-model-1/manifest.json", False),
    ],
)
def test_which_objects_hold_rows(name: str, is_one: bool) -> None:
    """By their own name, whatever folder they lie in."""
    assert names_predictions(name) is is_one


@given(st.text(max_size=30))
def test_an_address_is_written_as_it_was_read(written: str) -> None:
    """Or it is none."""
    address = GsAddress.read(f"gs://{written}")

    assert address is None or str(address) == f"gs://{written}"
