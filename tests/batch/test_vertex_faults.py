"""Batches on Vertex AI that go wrong: no text is lost, guessed or paid for twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from batch.bucket import BUCKET, SENT, TEXTS, embedder, right
from service.cloud import Answer, Row, Sent, answered, refused, told

from gemini_embed import AuthenticationError, BatchFailedError, GeminiEmbedder, RequestError

if TYPE_CHECKING:
    from pathlib import Path

    from service.cloud import Cloud


def failure(made: GeminiEmbedder) -> BatchFailedError:
    """Return the error of a run, once it is over."""
    run = made.batch(TEXTS, role="document")
    run.wait()
    with pytest.raises(BatchFailedError) as caught:
        run.result()
    return caught.value


def missing(rows: list[Row]) -> list[list[Row]]:
    return [[answered(row) for row in rows[2:]]]


def failing(rows: list[Row]) -> list[list[Row]]:
    return [[*map(refused, rows[:2]), *map(answered, rows[2:])]]


def of_others(rows: list[Row]) -> list[list[Row]]:
    made = [answered(row) for row in rows]
    for row, other in zip(made[:2], made[2:4], strict=True):
        row["response"] = {**row["response"], "embedding": {"values": [0.0] * 128}}
        assert other
    return [made]


def two_for_one(rows: list[Row]) -> list[list[Row]]:
    made = [answered(row) for row in rows]
    again = [{**row, "response": other["response"]} for row, other in zip(made[:2], made[5:7])]  # noqa: B905 - two of each
    return [[*made, *again]]


def short(rows: list[Row]) -> list[list[Row]]:
    return [[*(answered(row, 127) for row in rows[:2]), *map(answered, rows[2:])]]


@pytest.mark.parametrize("write", [missing, failing, of_others, two_for_one, short])
def test_a_text_without_a_good_vector_is_named(google: Cloud, tmp_path: Path, write: Any) -> None:
    """The others are finished; nothing is guessed."""
    google.write = write
    with embedder(google, tmp_path) as made:
        error = failure(made)

    assert error.indexes == (0, 1)
    assert sorted(error.partial) == list(range(2, 12))
    assert np.array_equal(np.array([error.partial[i] for i in range(2, 12)]), right()[2:])
    assert "it is bad" in str(error) or write is not failing


@pytest.mark.parametrize("end", ["PARTIALLY_SUCCEEDED", "CANCELLED", "FAILED"])
def test_what_a_job_had_done_is_kept(google: Cloud, tmp_path: Path, end: str) -> None:
    """It is paid for. Of the rest the error says that it has no vector."""
    google.write = missing
    google.states = ["JOB_STATE_RUNNING", f"JOB_STATE_{end}"]
    with embedder(google, tmp_path) as made:
        error = failure(made)

    assert error.indexes == (0, 1)
    assert len(google.jobs) == 1
    assert [one for one in google.objects if one.startswith(BUCKET)] == []


def test_the_rest_of_a_job_that_expired_is_tried_once_more(google: Cloud, tmp_path: Path) -> None:
    """What it had done is paid for, and is not paid for again; then the rest has no vector."""

    def two_of_three(rows: list[Row]) -> list[list[Row]]:
        return [[answered(row) for place, row in enumerate(rows) if place % 3]]

    google.write = two_of_three
    google.states = ["JOB_STATE_EXPIRED"]
    with embedder(google, tmp_path) as made:
        run = made.batch(TEXTS[:9], role="document")
        status = run.wait()
        with pytest.raises(BatchFailedError) as caught:
            run.result()

    assert [len(job["_rows"]) for job in google.jobs.values()] == [9, 1, 1, 1]
    assert [row["request"]["content"]["parts"][0]["text"] for row in google.rows()[9:]] == SENT[
        :9:3
    ]
    assert caught.value.indexes == (0, 3, 6)
    assert (status.rows, status.done, status.failed) == (9, 6, 3)
    assert [one for one in google.objects if one.startswith(BUCKET)] == []


def test_the_rest_of_a_job_that_expired_goes_well(google: Cloud, tmp_path: Path) -> None:
    """In another job, at the same price."""
    google.states = ["JOB_STATE_EXPIRED"]
    google.write = lambda rows: [[answered(row) for row in rows[:5]]]
    google.end_well_later()
    with embedder(google, tmp_path) as made:
        result = made.embed(TEXTS, role="document", batch=True)

    assert np.array_equal(result.vectors, right())
    assert [len(job["_rows"]) for job in google.jobs.values()] == [12, 7]
    assert result.usage.prompt_tokens == 2 * len(TEXTS)


def nothing(_: list[Row]) -> list[list[Row]]:
    return []


def test_a_job_that_expires_is_tried_in_halves(google: Cloud, tmp_path: Path) -> None:
    """Where it has done nothing."""
    google.write = nothing
    google.states = ["JOB_STATE_EXPIRED"]
    google.end_well_later()
    with embedder(google, tmp_path) as made:
        result = made.embed(TEXTS, role="document", batch=True)

    assert np.array_equal(result.vectors, right())
    assert [len(job["_rows"]) for job in google.jobs.values()] == [12, 6, 6]


@pytest.mark.parametrize("state", ["JOB_STATE_PAUSED", "JOB_STATE_OF_LATER", "???"])
def test_a_strange_state_is_waited_for_and_told(
    google: Cloud, tmp_path: Path, state: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is neither done nor failed, and the log says so once."""
    google.states = [state] * 4 + ["JOB_STATE_SUCCEEDED"]
    with embedder(google, tmp_path) as made:
        run = made.batch(TEXTS, role="document")
        run.wait()
        assert np.array_equal(run.result().vectors, right())

    told_of = [one for one in caplog.messages if state in one]
    assert len(told_of) == 1


def test_a_strange_state_is_seen_in_the_status(google: Cloud, tmp_path: Path) -> None:
    """Whoever looks while it is so."""
    google.states = ["JOB_STATE_PAUSED"]
    with embedder(google, tmp_path) as made:
        run = made.batch(TEXTS, role="document")
        status = run.wait(timeout=0.5)

        assert status.state == "open"
        assert "JOB_STATE_PAUSED" in status.jobs[0].error
        google.states = ["JOB_STATE_PAUSED", "JOB_STATE_OF_LATER"]
        assert "JOB_STATE_OF_LATER" in run.status().jobs[0].error


def test_a_creation_whose_answer_is_lost_is_adopted(google: Cloud, tmp_path: Path) -> None:
    """Though the list is late, nothing is paid for twice."""
    google.hidden = 1

    def lose(sent: Sent) -> Answer | None:
        if not sent.is_creation:
            return None
        google.rule = lambda _: None
        google.answer(sent)
        return Answer(0)

    google.rule = lose
    with embedder(google, tmp_path) as made:
        result = made.embed(TEXTS, role="document", batch=True)

    assert np.array_equal(result.vectors, right())
    assert len(google.jobs) == 1


def test_a_late_creation_fails_for_want_of_its_input(google: Cloud, tmp_path: Path) -> None:
    """The object is deleted before another job is created."""
    late = google.hold_back()
    with embedder(google, tmp_path) as made:
        result = made.embed(TEXTS, role="document", batch=True)

    assert np.array_equal(result.vectors, right())
    google.rule = lambda _: None
    assert google.answer(late[0]).status == 400
    assert len(google.jobs) == 1
    first, second = google.sent("POST", "/upload/")
    assert first.query["name"] != second.query["name"]


def test_a_late_job_is_looked_for_where_it_would_be(google: Cloud, tmp_path: Path) -> None:
    """An embedder of another place leaves it alone; one of its place finds it, and cancels it."""
    late = google.hold_back()
    with embedder(google, tmp_path) as made:
        made.embed(TEXTS, role="document", batch=True)
        google.rule = lambda _: None
        (uri,) = late[0].json["inputConfig"]["gcsSource"]["uris"]
        google.objects[uri] = b""
        google.answer(late[0])
        asked = len(google.log)
        with GeminiEmbedder(cache=tmp_path / "v.sqlite3") as elsewhere:  # it has no key
            assert len(elsewhere.batches()) == 1
        with embedder(google, tmp_path, location="eu") as elsewhere:
            assert elsewhere.batches()[0].duplicates == ()
        assert len(google.log) == asked
        with pytest.warns(UserWarning, match="so late that another job had its texts"):
            (status,) = made.batches()

    states = {name: job["state"] for name, job in google.jobs.items()}
    assert [states[name] for name in status.duplicates] == ["JOB_STATE_CANCELLED"]


@pytest.mark.parametrize(
    ("method", "part", "permission"),
    [
        ("POST", "/upload/", "storage.objects.create"),
        ("GET", "/o/", "storage.objects.get"),
        ("GET", "/o", "storage.objects.list"),
        ("DELETE", "/o/", "storage.objects.delete"),
    ],
)
def test_a_missing_permission_is_named_with_its_bucket(
    google: Cloud, tmp_path: Path, method: str, part: str, permission: str
) -> None:
    """Before a job is paid for, whose results nobody could fetch; the run is kept."""

    def forbid(sent: Sent) -> Answer | None:
        is_it = sent.method == method and "storage" in sent.path
        has = sent.path.endswith(part) if part == "/o" else part in sent.path
        return told(403, "somebody does not have access to it.") if is_it and has else None

    google.rule = forbid
    lost = Answer(0)
    if method == "DELETE":  # of an input that has to go before another job

        def lose(sent: Sent) -> Answer | None:
            return lost if sent.is_creation else forbid(sent)

        google.rule = lose
    with embedder(google, tmp_path) as made:
        run = made.batch(TEXTS, role="document")
        with pytest.raises(AuthenticationError) as caught:
            run.wait()
        assert "gs://my-bucket" in str(caught.value)
        assert permission in str(caught.value)
        assert "roles/storage.objectUser" in str(caught.value)
        assert google.jobs == {}

        google.rule = lambda _: None
        run.wait()
        assert np.array_equal(run.result().vectors, right())


def test_a_bucket_that_is_not_there(google: Cloud, tmp_path: Path) -> None:
    """The error names it."""
    google.rule = lambda sent: (
        told(404, "The specified bucket does not exist.") if "storage" in sent.path else None
    )
    with (
        embedder(google, tmp_path) as made,
        pytest.raises(RequestError, match=r"gs://my-bucket: 404.*does not exist"),
    ):
        made.embed(TEXTS, role="document", batch=True)


def test_a_bucket_that_the_service_may_not_read(google: Cloud, tmp_path: Path) -> None:
    """As one of another project: the job fails, and no text is sent online for it."""
    google.write = nothing
    google.states = ["JOB_STATE_FAILED"]
    error = {"code": 7, "message": "service-1@gcp-sa-aiplatform has no access to the bucket"}

    def fail(_: Sent) -> None:
        for job in google.jobs.values():
            job["error"] = error

    google.rule = fail
    with embedder(google, tmp_path, batch_fallback="online") as made:
        run = made.batch(TEXTS, role="document")
        run.wait()
        with pytest.raises(BatchFailedError, match="gcp-sa-aiplatform has no access"):
            run.result()

    assert [one for one in google.log if "embedContent" in one.path] == []


def test_a_location_without_batches_of_the_model(google: Cloud, tmp_path: Path) -> None:
    """The service decides, since Google adds locations; the error says which are documented."""

    def refuse(sent: Sent) -> Answer | None:
        return told(400, "no such model") if sent.is_creation else None

    google.rule = refuse
    with embedder(google, tmp_path, location="me-west1") as made:
        run = made.batch(TEXTS, role="document")
        with pytest.raises(RequestError, match=r"no such model.* are made in global, us, eu"):
            run.wait()
        assert len(google.objects) == 1  # the run is kept
        run.cancel()
        assert run.wait().state == "cancelled"

    assert google.objects == {}
