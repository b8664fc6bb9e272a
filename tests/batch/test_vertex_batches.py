"""Batches on Vertex AI: a bucket holds what goes in and what comes out."""

from __future__ import annotations

import random
import sqlite3
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from google import genai
from service.cloud import Answer, Cloud, Row, Sent, answered, cloud, refused, told, vector
from service.vertex import credentials

from gemini_embed import (
    AuthenticationError,
    BatchFailedError,
    ConfigurationError,
    GeminiEmbedder,
    RequestError,
)
from gemini_embed.batch.clock import Clock
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

TEXTS = [f"text number {number}" for number in range(12)]
SENT = [f"title: none | text: {text}" for text in TEXTS]
BUCKET = "gs://my-bucket/some/prefix"
SPEED = 20_000.0


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with cloud() as running:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", running.url)
        yield running


def embedder(google: Cloud, folder: Path, **options: Any) -> GeminiEmbedder:
    given: dict[str, Any] = {
        "vertexai": True,
        "project": "p",
        "location": "us",
        "credentials": credentials(),
        "base_url": google.url,
        "cache": folder / "v.sqlite3",
        "output_dimensionality": 128,
        "bucket": BUCKET,
        "batch_fallback": "error",
        "batch_settle": 60.0,
        "timeout": 5.0,
        **options,
    }
    made = GeminiEmbedder(**{name: value for name, value in given.items() if value is not None})
    made._clock = Clock(SPEED)
    return made


def right(texts: Iterable[str] = SENT, dimension: int = 128) -> Any:
    return np.array([vector(text, dimension) for text in texts], np.float32)


def test_a_run_goes_through_a_bucket(google: Cloud, tmp_path: Path) -> None:
    """One job, of one object under a name that nothing has; each text gets its own vector."""
    with embedder(google, tmp_path) as made:
        result = made.embed(TEXTS, role="document", batch=True)

    assert np.array_equal(result.vectors, right())
    assert result.usage.prompt_tokens == 2 * len(TEXTS)
    (created,) = google.sent("POST", "/batchPredictionJobs")
    body = created.json
    (file,) = body["inputConfig"]["gcsSource"]["uris"]
    folder = file.removesuffix("/input.jsonl")
    assert folder.startswith(f"{BUCKET}/gemini-embed-")
    assert body == {
        "displayName": body["displayName"],
        "model": "publishers/google/models/gemini-embedding-2",
        "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": [file]}},
        "outputConfig": {
            "predictionsFormat": "jsonl",
            "gcsDestination": {"outputUriPrefix": f"{folder}/output/"},
        },
    }
    (begun,) = google.sent("POST", "/upload/")
    assert begun.path == "/upload/storage/v1/b/my-bucket/o"
    assert begun.query["ifGenerationMatch"] == "0"
    assert f"gs://my-bucket/{begun.query['name']}" == file
    first, *_ = google.rows()
    assert first["request"] == {
        "content": {"parts": [{"text": SENT[0]}]},
        "embed_content_config": {"output_dimensionality": 128},
    }


def test_nothing_is_left_in_the_bucket(google: Cloud, tmp_path: Path) -> None:
    """Neither the texts nor what came of them; what others have there stays."""
    google.objects[f"{BUCKET}/gemini-embed-x/input.jsonl"] = b"of somebody else"
    with embedder(google, tmp_path) as made:
        run = made.batch(TEXTS, role="document")
        run.wait()

        assert list(google.objects) == [f"{BUCKET}/gemini-embed-x/input.jsonl"]
        assert len(google.jobs) == 1
        run.clean()
        assert google.jobs == {}
        assert np.array_equal(made.embed(TEXTS, role="document").vectors, right())


def test_the_options_of_a_row_for_the_older_model(google: Cloud, tmp_path: Path) -> None:
    """gemini-embedding-001 has its task and title beside the text."""
    with embedder(google, tmp_path, model="gemini-embedding-001", location="us-east4") as made:
        run = made.batch(["a"], role="document", titles=["b"])
        run.wait()
        run.result()

    (row,) = google.rows()
    assert row["request"] == {
        "content": {"parts": [{"text": "a"}]},
        "embed_content_config": {
            "task_type": "RETRIEVAL_DOCUMENT",
            "title": "b",
            "output_dimensionality": 128,
        },
    }
    (created,) = google.sent("POST", "/batchPredictionJobs")
    assert "/projects/p/locations/us-east4/" in created.path


@pytest.mark.parametrize(
    "options",
    [
        {"additional_headers": {"x-gateway": "secret"}},
        {"client_args": {"headers": {"x-gateway": "secret"}, "cookies": {"a": "b"}}},
    ],
)
def test_who_gets_the_token_and_who_gets_headers(
    google: Cloud, tmp_path: Path, options: dict[str, Any]
) -> None:
    """Cloud Storage gets the access token, and nothing that is for a gateway."""
    with embedder(google, tmp_path, **options) as made:
        result = made.embed(TEXTS, role="document", batch=True)

    assert np.array_equal(result.vectors, right())
    for one in google.log:
        assert "batchPredictionJobs" in one.path or "cookie" not in one.headers
        assert one.headers["authorization"] == "Bearer a-token-of-somebody"
        assert ("x-gateway" in one.headers) == ("batchPredictionJobs" in one.path)


def in_any_order(rows: list[Row]) -> list[list[Row]]:
    mixed = random.Random(1).sample(rows, len(rows))  # noqa: S311 - any order
    return [[answered(row) for row in some] for some in (mixed[:5], [], mixed[5:])]


def doubled(rows: list[Row]) -> list[list[Row]]:
    return [[answered(row) for row in rows], [answered(row) for row in rows[::2]]]


def whole(rows: list[Row]) -> list[list[Row]]:
    return [[answered(row, 3072) for row in rows]]


def with_others(rows: list[Row]) -> list[list[Any]]:
    strange = {**answered(rows[0]), "key": "f" * 40}
    return [[strange, *(answered(row) for row in rows)]]


@pytest.mark.parametrize("write", [in_any_order, doubled, whole, with_others])
def test_each_text_gets_its_own_vector(google: Cloud, tmp_path: Path, write: Any) -> None:
    """In several files and any order, twice, beside what nobody sent, or longer than asked for."""
    google.write = write
    with embedder(google, tmp_path) as made:
        result = made.embed(TEXTS, role="document", batch=True)

    assert np.allclose(result.vectors, right(), atol=1e-7)


def test_a_whole_vector_is_cut_as_the_service_cuts(google: Cloud, tmp_path: Path) -> None:
    """A run whose rows come whole, and an online call, give one vector for a text."""
    google.write = whole
    model = {"model": "gemini-embedding-001", "location": "us-east4"}
    with embedder(google, tmp_path, **model) as made:
        result = made.embed(TEXTS, role="document", batch=True)

    prefix = right(TEXTS, 3072)[:, :128]
    expected = prefix / np.linalg.norm(prefix, axis=1)[:, None]
    assert np.allclose(result.vectors, expected, atol=1e-7)


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
        run = made.batch(TEXTS, role="document")
        run.wait()
        with pytest.raises(BatchFailedError) as caught:
            run.result()

    assert caught.value.indexes == (0, 1)
    assert sorted(caught.value.partial) == list(range(2, 12))
    assert np.array_equal(np.array([caught.value.partial[i] for i in range(2, 12)]), right()[2:])
    assert "it is bad" in str(caught.value) or write is not failing


@pytest.mark.parametrize("end", ["PARTIALLY_SUCCEEDED", "CANCELLED", "FAILED"])
def test_what_a_job_had_done_is_kept(google: Cloud, tmp_path: Path, end: str) -> None:
    """It is paid for. Of the rest the error says that it has no vector."""
    google.write = missing
    google.states = ["JOB_STATE_RUNNING", f"JOB_STATE_{end}"]
    with embedder(google, tmp_path) as made:
        run = made.batch(TEXTS, role="document")
        run.wait()
        with pytest.raises(BatchFailedError) as caught:
            run.result()

    assert caught.value.indexes == (0, 1)
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

    def later(sent: Sent) -> None:
        if sent.method == "POST" and sent.path.endswith("batchPredictionJobs") and google.jobs:
            google.write = lambda rows: [[answered(row) for row in rows]]
            google.states = ["JOB_STATE_SUCCEEDED"]

    google.rule = later
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

    def later(sent: Sent) -> None:
        if sent.method == "POST" and sent.path.endswith("batchPredictionJobs") and google.jobs:
            google.write = lambda rows: [[answered(row) for row in rows]]
            google.states = ["JOB_STATE_SUCCEEDED"]

    google.rule = later
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
        if sent.method != "POST" or not sent.path.endswith("batchPredictionJobs"):
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
    late: list[Sent] = []

    def hold_back(sent: Sent) -> Answer | None:
        if sent.method == "POST" and sent.path.endswith("batchPredictionJobs") and not late:
            late.append(sent)
            return Answer(0)
        return None

    google.rule = hold_back
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
    late: list[Sent] = []

    def hold_back(sent: Sent) -> Answer | None:
        if sent.method == "POST" and sent.path.endswith("batchPredictionJobs") and not late:
            late.append(sent)
            return Answer(0)
        return None

    google.rule = hold_back
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


@pytest.mark.parametrize("client_args", [None, {"headers": {"x": "y"}}])
def test_a_piece_that_is_stored_in_part_is_gone_on_with(
    google: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client_args: Any
) -> None:
    """The service says how much it has; what it lacks is sent again, and no byte twice."""
    monkeypatch.setattr("gemini_embed.batch.doing.PIECE", 1024)
    google.stored = 700
    with embedder(google, tmp_path, client_args=client_args) as made:
        result = made.embed(TEXTS, role="document", batch=True)

    assert np.array_equal(result.vectors, right())
    assert [row["request"]["content"]["parts"][0]["text"] for row in google.rows()] == SENT


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
            is_creation = sent.method == "POST" and sent.path.endswith("batchPredictionJobs")
            return lost if is_creation else forbid(sent)

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
        return told(400, "no such model") if sent.path.endswith("batchPredictionJobs") else None

    google.rule = refuse
    with embedder(google, tmp_path, location="me-west1") as made:
        run = made.batch(TEXTS, role="document")
        with pytest.raises(RequestError, match=r"no such model.* are made in global, us, eu"):
            run.wait()
        assert len(google.objects) == 1  # the run is kept
        run.cancel()
        assert run.wait().state == "cancelled"

    assert google.objects == {}


def test_a_clients_project_and_credentials_are_used(google: Cloud, tmp_path: Path) -> None:
    """Of a ready client of the SDK's, which reads its answers itself."""
    client = genai.Client(
        vertexai=True,
        project="p",
        location="eu",
        credentials=credentials(),
        http_options={"base_url": google.url},
    )
    made = GeminiEmbedder(
        client=client, bucket=BUCKET, cache=tmp_path / "v.sqlite3", output_dimensionality=128
    )
    made._clock = Clock(SPEED)
    with made:
        result = made.embed(TEXTS, role="document", batch=True)

    assert np.array_equal(result.vectors, right())
    assert google.objects == {}
    (created,) = google.sent("POST", "/batchPredictionJobs")
    assert "/projects/p/locations/eu/" in created.path


def test_both_adapters_fill_their_index_through_a_bucket(google: Cloud, tmp_path: Path) -> None:
    """With the option of the same name; queries go online."""
    options: dict[str, Any] = {
        "project": "p",
        "location": "us",
        "credentials": credentials(),
        "base_url": google.url,
        "bucket": BUCKET,
        "output_dimensionality": 128,
        "batch_documents": True,
    }
    chain = GeminiEmbeddings(cache=tmp_path / "chain.sqlite3", **options)
    llama = GeminiEmbedding(cache=tmp_path / "llama.sqlite3", **options)
    for one in (chain, llama):
        one.embedder._clock = Clock(SPEED)

    assert np.allclose(chain.embed_documents(TEXTS), right(), atol=1e-7)
    assert np.allclose(llama.get_text_embedding_batch(TEXTS), right(), atol=1e-7)
    assert len(google.jobs) == 2


def test_a_run_goes_on_with_another_bucket(google: Cloud, tmp_path: Path) -> None:
    """The ledger has whole addresses; a run that was made with a bucket needs no option for it."""
    with embedder(google, tmp_path) as made:
        run = made.batch(TEXTS, role="document")
        run.submit()
    with embedder(google, tmp_path, bucket="gs://another") as made:
        same = made.batch(TEXTS, role="document")
        assert same.id == run.id
        same.submit()
    with embedder(google, tmp_path, bucket=None) as made:
        resumed = made.batch_resume(run.id)
        resumed.wait()
        assert np.array_equal(resumed.result().vectors, right())

    assert len(google.jobs) == 1


def test_a_run_goes_on_where_its_jobs_are(
    google: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another location knows them not; nor is the run taken for one of the Gemini API."""
    google.states = ["JOB_STATE_RUNNING"]
    with embedder(google, tmp_path) as made:
        run = made.batch(TEXTS, role="document")
        run.submit()
        assert made.batch_resume(run.id).status().state == "open"
    elsewhere: dict[str, Any] = {"location": "eu", "project": "other"}
    for name, value in elsewhere.items():
        with embedder(google, tmp_path, **{name: value}) as made:
            assert made.batch(TEXTS, role="document").id != run.id
            with pytest.raises(ConfigurationError, match=f"made elsewhere: {name} '"):
                made.batch_resume(run.id)

    monkeypatch.setenv("GOOGLE_VERTEX_BASE_URL", google.url)
    monkeypatch.setattr("google.auth.default", lambda **_: (credentials(), None))
    google.states.append("JOB_STATE_SUCCEEDED")
    bare = GeminiEmbedder(cache=tmp_path / "v.sqlite3")
    bare._clock = Clock(SPEED)
    with bare:
        resumed = bare.batch_resume(run.id)
        resumed.wait()
        assert np.array_equal(resumed.result().vectors, right())
    assert len(google.jobs) == 1


LACKING: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a key": ({"credentials": None, "api_key": "k"}, ["credentials of Google Cloud"]),
    "express": (
        {"credentials": None, "project": None, "location": None, "api_key": "k", "bucket": None},
        ["credentials of Google Cloud", "project", "location, one of global, us, eu", "bucket="],
    ),
    "a bucket": ({"bucket": None}, ['bucket="gs://BUCKET/PREFIX"']),
    "a location": (
        {"location": None, "model": "gemini-embedding-001"},
        ["location, one of us-central1"],
    ),
    "the token": ({"client_args": {"auth": ("somebody", "secret")}}, ["has an auth"]),
    "the form of an older model": ({"model": "text-embedding-005"}, ["no batches"]),
}


@pytest.mark.parametrize("what", LACKING)
def test_what_is_missing_is_said_at_once(
    google: Cloud, tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent, and an embedder whose documents all go that way is not even built."""
    monkeypatch.delenv("GOOGLE_CLOUD_LOCATION", raising=False)
    options, words = LACKING[what]
    with embedder(google, tmp_path, **options) as made, pytest.raises(ConfigurationError) as caught:
        made.batch(TEXTS, role="document")
    with pytest.raises(ConfigurationError):
        embedder(google, tmp_path, batch_documents=True, **options)

    assert [word for word in words if word not in str(caught.value)] == []
    assert google.log == []


def test_credentials_without_a_project(google: Cloud, tmp_path: Path) -> None:
    """Where nothing names one, the run says so before it leaves anything."""
    with (
        embedder(google, tmp_path, credentials=None, project=None) as made,
        pytest.raises(ConfigurationError, match="give project"),
    ):
        made.embed(TEXTS, role="document", batch=True)


def test_a_bucket_means_nothing_to_the_gemini_api(tmp_path: Path) -> None:
    """It is refused, and not ignored."""
    with pytest.raises(ConfigurationError, match="Vertex AI"):
        GeminiEmbedder(api_key="k", bucket="gs://b-1", cache=tmp_path / "v.sqlite3")


@pytest.mark.parametrize(
    "bucket",
    [
        *("", "b", "my-bucket", "https://b/c", "gs://", "gs://B", "gs://ab", "gs://a..b"),
        *("gs://10.0.0.1", "gs://bucket//x", "gs://bucket/../x", "gs://bucket/a*"),
        *("gs://bucket/a\nb", "gs://bucket@evil", "gs://evil.example/?x", 5),
        "gs://bucket/" + "x" * 900,
    ],
)
def test_a_bucket_is_checked_before_anything_leaves(tmp_path: Path, bucket: Any) -> None:
    """Its name becomes part of addresses."""
    with pytest.raises(ConfigurationError, match="bucket"):
        GeminiEmbedder(project="p", bucket=bucket, cache=tmp_path / "v.sqlite3")


@pytest.mark.parametrize(
    "bucket", ["gs://my-bucket", "gs://my-bucket/", " gs://my.bucket_1/a b/ü "]
)
def test_a_bucket_with_or_without_a_prefix(google: Cloud, tmp_path: Path, bucket: str) -> None:
    """All that lies there lies under the prefix."""
    with embedder(google, tmp_path, bucket=bucket) as made:
        result = made.embed(TEXTS, role="document", batch=True)

    assert np.array_equal(result.vectors, right())
    (created,) = google.sent("POST", "/batchPredictionJobs")
    (file,) = created.json["inputConfig"]["gcsSource"]["uris"]
    assert file.startswith(f"{bucket.strip().rstrip('/')}/gemini-embed-")


def test_the_jobs_of_a_run_are_as_large_as_the_service_takes(google: Cloud, tmp_path: Path) -> None:
    """Vertex AI has no limit in tokens: a run is not cut for one, unless you say so."""
    texts = [f"{number} " + "word " * 2_000 for number in range(250)]
    for tokens, jobs in ((None, 1), (300_000, 2)):
        google.jobs.clear()
        folder = tmp_path / str(tokens)
        folder.mkdir()
        with embedder(google, folder, batch_tokens=tokens) as made:
            made.embed(texts, role="document", batch=True)

        assert len(google.jobs) == jobs


def test_the_price_is_that_of_vertex_ai(google: Cloud, tmp_path: Path) -> None:
    """Four fifths for gemini-embedding-001."""
    options = {"model": "gemini-embedding-001", "location": "us-east4"}
    with embedder(google, tmp_path, **options) as made:
        forecast = made.estimate(TEXTS, role="document")
        result = made.embed(TEXTS, role="document", batch=True)

    assert forecast.cost is not None
    assert forecast.batch_cost == forecast.cost * 4 / 5
    assert float(result.usage.cost() or 0) == pytest.approx(24 * 0.15e-6 * 0.8)


def test_the_ledger_keeps_no_token(google: Cloud, tmp_path: Path) -> None:
    """Nor does an error show one."""
    with embedder(google, tmp_path) as made:
        made.batch(TEXTS, role="document").submit()

    with sqlite3.connect(tmp_path / "v.sqlite3") as file:
        held = str(file.execute("SELECT job FROM batch_jobs").fetchall())
    assert "gs://my-bucket/some/prefix/gemini-embed-" in held
    assert "a-token-of-somebody" not in held
