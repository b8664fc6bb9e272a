"""Batches on Vertex AI: which bucket, whose credentials, and where a run goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from batch.bucket import BUCKET, SPEED, TEXTS, embedder, right
from google import genai
from service.vertex import credentials

from gemini_embed import ConfigurationError, GeminiEmbedder
from gemini_embed.batch.clock import Clock
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from pathlib import Path

    from service.cloud import Cloud


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
