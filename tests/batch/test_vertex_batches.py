"""Batches on Vertex AI: a bucket holds what goes in and what comes out."""

from __future__ import annotations

import random
import sqlite3
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from batch.bucket import BUCKET, SENT, TEXTS, embedder, right
from service.cloud import Row, answered

if TYPE_CHECKING:
    from pathlib import Path

    from service.cloud import Cloud


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
