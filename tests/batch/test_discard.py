"""What becomes of a damaged run that is cleaned: as little as possible is left of it."""

from __future__ import annotations

import sqlite3
import warnings
from typing import TYPE_CHECKING

import pytest
from batch.bucket import BUCKET, TEXTS, embedder, right
from service.cloud import Answer, Cloud, Sent, told

if TYPE_CHECKING:
    from pathlib import Path

OTHERS = f"{BUCKET}/gemini-embed-{'0' * 32}/input.jsonl"
"""What lies in the bucket, and is of another run."""


@pytest.fixture
def google(google: Cloud) -> Cloud:
    google.objects[OTHERS] = b"of another run"
    return google


def damage(folder: Path, job: str) -> None:
    """Write something else in the place of a job; a run of no texts hears of it."""
    with sqlite3.connect(folder / "v.sqlite3") as file:
        file.execute(f"UPDATE batch_jobs SET job = {job}")  # noqa: S608 - ours


def refuse_jobs(sent: Sent) -> Answer | None:
    return told(429, "later") if sent.is_creation else None


@pytest.mark.parametrize("job", ["'{}'", "x'ff'", "substr(job, 1, length(job) - 1)"])
def test_what_a_job_reads_is_deleted_that_the_service_knows(
    google: Cloud, tmp_path: Path, job: str
) -> None:
    """The job is stopped, and what it may still write is named, with its folder."""
    google.states = ["JOB_STATE_RUNNING"]
    with embedder(google, tmp_path) as made:
        run = made.batch(TEXTS, role="document")
        run.submit()
        (file,) = google.objects.keys() - {OTHERS}
        damage(tmp_path, job)
        with pytest.warns(UserWarning, match="may be left of it: what was done, beside") as caught:
            made.batch_resume(run.id).clean()
        assert made.batches() == []

    assert file in str(caught[0].message)
    assert list(google.objects) == [OTHERS]
    assert [one["state"] for one in google.jobs.values()] == ["JOB_STATE_CANCELLED"]


def test_the_results_of_a_job_that_is_over_are_deleted(google: Cloud, tmp_path: Path) -> None:
    """Nothing may come any more: there is no warning."""
    google.states = ["JOB_STATE_RUNNING"]
    with embedder(google, tmp_path) as made:
        run = made.batch(TEXTS, role="document")
        run.submit()
        google.states.append("JOB_STATE_SUCCEEDED")
        for _ in range(2):
            run.status()  # it is over at the service now
        assert len(google.objects) == 3
        damage(tmp_path, "'{}'")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            made.batch_resume(run.id).clean()

    assert list(google.objects) == [OTHERS]
    assert google.jobs == {}


def test_what_was_stored_without_a_job_is_deleted(google: Cloud, tmp_path: Path) -> None:
    """As long as its name can be read, in whatever is left of the row."""
    google.rule = refuse_jobs
    with embedder(google, tmp_path) as made:
        run = made.batch(TEXTS, role="document")
        run.submit()
        assert len(google.objects) == 2
        damage(tmp_path, "substr(job, 1, length(job) - 1)")
        made.batch_resume(run.id).clean()

    assert list(google.objects) == [OTHERS]


def test_what_nobody_knows_is_told(google: Cloud, tmp_path: Path) -> None:
    """By the name of its job, and what its folder is called; the run can be made anew."""
    google.rule = refuse_jobs
    with embedder(google, tmp_path) as made:
        run = made.batch(TEXTS, role="document")
        status = run.submit()
        damage(tmp_path, "'{}'")
        with pytest.warns(UserWarning, match=r"a folder gemini-embed-\.\.\. in the bucket") as seen:
            made.batch_resume(run.id).clean()
        assert status.jobs[0].name in str(seen[0].message)
        google.rule = lambda _: None
        assert (made.embed(TEXTS, role="document", batch=True).vectors == right()).all()


def test_a_bucket_that_lets_nobody_in_hinders_nothing(google: Cloud, tmp_path: Path) -> None:
    """The run is forgotten, and what is left is named with the reason."""
    google.rule = refuse_jobs
    with embedder(google, tmp_path) as made:
        run = made.batch(TEXTS, role="document")
        run.submit()
        (file,) = google.objects.keys() - {OTHERS}
        damage(tmp_path, "substr(job, 1, length(job) - 1)")
        google.rule = lambda sent: told(403, "no access") if "storage" in sent.path else None
        with pytest.warns(UserWarning, match="no access") as caught:
            made.batch_resume(run.id).clean()
        assert made.batches() == []

    assert file in str(caught[0].message)
