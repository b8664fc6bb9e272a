from __future__ import annotations

import re
from typing import Any

import pytest

from gemini_embed import (
    FingerprintMismatchError,
    GeminiEmbedder,
    GeminiEmbedError,
    check_fingerprint,
)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "gemini-embedding-2.3072.retrieval.prefix.unit"),
        ({"model": "models/gemini-embedding-2"}, "gemini-embedding-2.3072.retrieval.prefix.unit"),
        ({"output_dimensionality": 768}, "gemini-embedding-2.768.retrieval.prefix.unit"),
        ({"task_prefix": False}, "gemini-embedding-2.3072.retrieval.bare.unit"),
        ({"task_type": "clustering"}, "gemini-embedding-2.3072.clustering.prefix.unit"),
        ({"task_type": "RETRIEVAL_QUERY"}, "gemini-embedding-2.3072.retrieval.prefix.unit"),
        (
            {"model": "gemini-embedding-001", "output_dimensionality": 768},
            "gemini-embedding-001.768.retrieval.field.unit",
        ),
        (
            {"model": "gemini-embedding-001", "output_dimensionality": 768, "normalize": False},
            "gemini-embedding-001.768.retrieval.field.asis",
        ),
        (
            {"model": "gemini-embedding-001", "normalize": False},
            "gemini-embedding-001.3072.retrieval.field.unit",
        ),
        ({"on_long": "error"}, "gemini-embedding-2.3072.retrieval.prefix.unit"),
        ({"on_long": "split"}, "gemini-embedding-2.3072.retrieval.prefix.unit-split"),
        (
            {"on_long": "split", "normalize": False},
            "gemini-embedding-2.3072.retrieval.prefix.asis-split",
        ),
    ],
)
def test_the_fingerprint_of_settings(options: dict[str, Any], expected: str) -> None:
    """It names what shapes a vector, in words that do not change from release to release."""
    assert GeminiEmbedder(**options).fingerprint == expected


def test_only_what_shapes_a_vector_counts() -> None:
    """Keys, retries, timeouts, concurrency and batch size change nothing."""
    tuned = GeminiEmbedder(
        api_key="k", timeout=1, max_retries=1, max_concurrency=1, batch_size=3, deadline=9
    )

    assert tuned.fingerprint == GeminiEmbedder().fingerprint


def test_another_service_makes_other_vectors() -> None:
    """A stand-in's or a gateway's vectors are not taken for Google's; no address is shown."""
    here = GeminiEmbedder(base_url="http://127.0.0.1:8080").fingerprint

    assert re.fullmatch(r"gemini-embedding-2-at-[0-9a-f]{8}\.3072\.retrieval\.prefix\.unit", here)


def test_it_can_name_a_folder() -> None:
    """Only letters, digits, `_`, `.` and `-` occur, whatever a gateway calls its model."""
    made = GeminiEmbedder(
        model="team/embed:v1.5 beta", behaves_like="gemini-embedding-2", base_url="http://127.0.0.1"
    )

    assert re.fullmatch(r"[a-zA-Z0-9_.-]+", made.fingerprint)
    check_fingerprint(made.fingerprint, made)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "gemini-embedding-001"}, "model is 'gemini-embedding-2' and was 'gemini-e"),
        ({"output_dimensionality": 768}, "dimension is '3072' and was '768' .set output_dim"),
        ({"task_type": "CLUSTERING"}, "task_type is 'retrieval' and was 'clustering'"),
        ({"task_prefix": False}, "task_prefix is 'prefix' and was 'bare'"),
        ({"on_long": "split"}, r"index: long texts is 'whole' and was 'split' .set on_long"),
    ],
)
def test_an_index_that_does_not_belong_says_why(options: dict[str, Any], said: str) -> None:
    """The error names each difference, and what to do about it."""
    stored = GeminiEmbedder(**options).fingerprint

    with pytest.raises(FingerprintMismatchError, match=said) as caught:
        check_fingerprint(stored, GeminiEmbedder())

    assert isinstance(caught.value, GeminiEmbedError)
    assert "embed the index again" in str(caught.value)


def test_what_belongs_together_passes() -> None:
    """So does an index that holds no fingerprint."""
    made = GeminiEmbedder(output_dimensionality=256)

    check_fingerprint(made.fingerprint, made)
    check_fingerprint(None, made)


def test_what_is_no_fingerprint_is_told() -> None:
    """Somebody else's note is not taken for one."""
    with pytest.raises(FingerprintMismatchError, match="not a fingerprint"):
        check_fingerprint("sha256:abc", GeminiEmbedder())
