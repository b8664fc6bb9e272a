"""The stand-in beside what Google answered to others."""

from __future__ import annotations

import http.client
import json
import math
import re
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest
from google import genai
from google.genai import types
from real.catalogue import (
    ASKED,
    BAD_KEY,
    FILE_JOB,
    JOB,
    LISTED,
    NEWEST,
    NO_VALUES,
    ONE_OF_THREE,
    PREVIEW,
    SENT,
    TWO_NUMBERS,
)
from real.recordings import Exchange, accepted_forms

import gemini_embed as ge
from gemini_embed.service.refusals import refusal
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OLDER = "gemini-embedding-001"
OLDEST = "text-embedding-005"


def _ask(
    server: Standin, path: str, body: Any, key: str | None = "a-key", method: str = "POST"
) -> Exchange:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    headers = {} if key is None else {"x-goog-api-key": key}
    try:
        # The names that are left out of a recording stand between < and >.
        connection.request(method, quote(path, safe="/:"), json.dumps(body), headers)
        with connection.getresponse() as response:
            return Exchange(
                path,
                body,
                response.status,
                json.loads(response.read()),
                response.headers["content-type"],
            )
    finally:
        connection.close()


def _batch(
    server: Standin, requests: list[Any], model: str = NEWEST, key: str | None = "a-key"
) -> Exchange:
    path = f"/v1beta/models/{model}:batchEmbedContents"
    return _ask(server, path, {"requests": requests}, key=key)


def _entry(text: str, model: str = NEWEST, **changes: Any) -> dict[str, Any]:
    return {"model": f"models/{model}", "content": {"parts": [{"text": text}]}, **changes}


def _embed(
    server: Standin, *texts: str, key: str | None = "a-key", model: str = NEWEST
) -> Exchange:
    return _batch(server, [_entry(text, model) for text in texts], model, key)


def _lengths(vectors: list[list[float]]) -> list[float]:
    return [math.hypot(*vector) for vector in vectors]


def _shape(value: Any) -> Any:
    """Return JSON with the kind of each value in its place; lists by their first entry.

    The details of an error go by their type: their order varies in Google's own answers.
    """
    if isinstance(value, dict):
        return {name: _shape(item) for name, item in value.items()}
    if isinstance(value, list):
        if value and isinstance(value[0], dict) and "@type" in value[0]:
            return {item["@type"]: _shape(item) for item in value}
        return [_shape(item) for item in value[:1]]
    # A bool is a number to Python, but not in JSON.
    return "number" if type(value) in (int, float) else type(value).__name__


@pytest.mark.parametrize("name", ASKED)
def test_the_standin_answers_as_google_did(
    server: Standin, recorded: Callable[[str], Exchange], name: str
) -> None:
    """A test against the stand-in meets Google's status, keys, dimensions and lengths."""
    google = recorded(name)
    # Google shut the preview down after these were recorded, and the stand-in says so with a
    # 404; its successor answers alike.
    asked = json.loads(json.dumps(google.asked).replace(PREVIEW, NEWEST))
    ours = _ask(server, google.path.replace(PREVIEW, NEWEST), asked)
    assert (ours.status, ours.content_type) == (google.status, google.content_type)
    if google.status != 200:
        assert ours.answered == google.answered
    shape = _shape(ours.answered)
    if PREVIEW in google.path and "usageMetadata" not in google.answered:
        shape.pop("usageMetadata", None)  # the preview told it in its later months only
    assert shape == _shape(google.answered)
    assert [len(vector) for vector in ours.vectors] == [len(vector) for vector in google.vectors]
    for length, theirs in zip(_lengths(ours.vectors), _lengths(google.vectors), strict=True):
        if abs(theirs - 1) < 1e-3:
            assert length == pytest.approx(1, abs=1e-3)
        else:
            assert theirs < 0.95
            assert length < 0.95


def test_the_standin_refuses_a_bad_key_as_google_did(
    server: Standin, recorded: Callable[[str], Exchange]
) -> None:
    """Handling of a bad key, tried out on the stand-in, works with Google."""
    google, ours = recorded(BAD_KEY), _embed(server, "hello", key="invalid-key")
    assert (ours.status, ours.answered) == (google.status, google.answered)


@pytest.mark.parametrize(
    ("part", "model", "limits"),
    [
        ("free tier per-minute", OLDER, {"requests": 1}),
        ("free tier per-day", OLDER, {"requests_per_day": 1}),
        ("gemini-embedding-2, free tier, per minute", NEWEST, {"requests": 1}),
    ],
)
def test_the_standin_refuses_over_a_quota_as_google_did(
    quoted: Callable[[str], tuple[int, Any]], part: str, model: str, limits: dict[str, int]
) -> None:
    """Handling of a quota, tried out on the stand-in, works with Google."""
    status, body = quoted(part)
    with Standin(**limits) as server:  # type: ignore[arg-type] # both take a whole number
        ours = _embed(server, "one", "two", model=model)
    assert ours.status == status
    assert _shape(ours.answered) == _shape(body)
    theirs, here = refusal(status, body), refusal(ours.status, ours.answered)
    assert type(here) is type(theirs)
    assert isinstance(here, ge.QuotaExceededError)
    assert isinstance(theirs, ge.QuotaExceededError)
    assert here.quota_id == theirs.quota_id
    assert _names_of_models(ours.answered) == _names_of_models(body)


def _names_of_models(body: Any) -> list[str]:
    """Return what a refusal over a quota calls the model: in its message, and in its details."""
    (failure,) = (one for one in body["error"]["details"] if "violations" in one)
    return [
        *re.findall(r"model: (\S+)", body["error"]["message"]),
        *(violation["quotaDimensions"]["model"] for violation in failure["violations"]),
    ]


PROVOKED: dict[str, Callable[[Standin], Exchange]] = {
    "NEWER wording": lambda server: _embed(server, "a", model="no-such-embedding-model"),
    "Gemini API batch>100": lambda server: _embed(server, *map(str, range(101))),
    "empty text part": lambda server: _embed(server, "hello", ""),
    "no API key sent": lambda server: _embed(server, "hello", key=None),
    "model lacks models/": lambda server: _batch(
        server, [_entry("hello")] * 9 + [_entry("hello") | {"model": NEWEST}]
    ),
    "part holds no data": lambda server: _batch(
        server, [_entry("hello") | {"content": {"parts": [{"text": None}]}}]
    ),
    "with an unknown field": lambda server: _batch(
        server, [_entry("hello", OLDER, totallyNotAField={})], OLDER
    ),
}
"""Quoted refusals, and a request that the stand-in refuses in the same words."""


@pytest.mark.parametrize("part", PROVOKED)
def test_the_standin_refuses_with_googles_words(
    server: Standin, quoted: Callable[[str], tuple[int, Any]], part: str
) -> None:
    """A limit met on the stand-in is the limit, and the message, that Google's users reported."""
    ours = PROVOKED[part](server)
    assert (ours.status, ours.answered) == quoted(part)


def test_an_entry_without_a_model_is_refused_as_by_google(
    server: Standin, quoted: Callable[[str], tuple[int, Any]]
) -> None:
    """Quoted, but for the star and the end of line that stand around such sentences."""
    status, body = quoted("an entry without model")
    ours = _batch(server, [{"content": {"parts": [{"text": "hello"}]}}])
    assert ours.status == status
    ours.answered["error"]["message"] = ours.answered["error"]["message"].strip("* \n")
    assert ours.answered == body


def test_the_standin_takes_the_forms_that_google_takes(server: Standin, folder: Path) -> None:
    """`autoTruncate` is known in one place and refused in two others, and so is an unknown name."""
    forms = accepted_forms(folder)
    path = f"/v1beta/models/{OLDER}:batchEmbedContents"
    answered = [_ask(server, path, form["request"]).status for form in forms]
    assert answered == [form["status"] for form in forms]
    assert set(answered) == {200, 400}


def test_the_standin_lists_models_as_google_does(
    server: Standin, recorded: Callable[[str], Exchange]
) -> None:
    """The rows of the models that are still served are Google's, to the letter."""
    google = recorded(f"{LISTED}#0")
    ours = _ask(server, google.path, None, method="GET").answered["models"]
    theirs = {row["name"]: row for row in google.answered["models"]}
    assert {row["name"] for row in ours} == {f"models/{OLDER}", f"models/{NEWEST}"}
    assert all(row == theirs[row["name"]] for row in ours)


def test_the_standin_gives_two_numbers_of_length_1(
    server: Standin, recorded: Callable[[str], Exchange]
) -> None:
    """The texts of that recording are not held; the form of its answer is."""
    google = recorded(TWO_NUMBERS)
    ours = _batch(server, [_entry(text, outputDimensionality=2) for text in ("one", "two")])
    assert _shape(ours.answered) == _shape(google.answered)
    assert [len(vector) for vector in ours.vectors] == [2, 2]
    assert _lengths(ours.vectors) == pytest.approx(_lengths(google.vectors), abs=1e-3)


def test_the_standin_makes_one_vector_of_one_content(
    server: Standin, recorded: Callable[[str], Exchange]
) -> None:
    """Three texts in one content are one vector, as they were at Google."""
    google = recorded(ONE_OF_THREE)
    ours = _ask(server, google.path, google.asked)
    (embedding,) = google.answered["embeddings"]
    assert [len(vector) for vector in ours.vectors] == [embedding["values_total"]]


def test_the_fault_without_values_is_googles(
    server: Standin, recorded: Callable[[str], Exchange]
) -> None:
    """What to do about an embedding without values can be tried out on the stand-in."""
    server.script.append("no-values")
    ours, google = _embed(server, "a film that is no film"), recorded(NO_VALUES)
    assert ours.status == google.status
    assert ours.answered["embeddings"] == google.answered["embeddings"]


# Vertex AI.


@pytest.mark.parametrize("name", [name for name in SENT if "vertex" in name])
def test_the_standin_answers_as_vertex_did(
    server: Standin, recorded: Callable[[str], Exchange], name: str
) -> None:
    """A test against the stand-in meets Vertex AI's status, keys, dimensions and lengths."""
    google = recorded(name)
    ours = _ask(server, google.path, google.asked)
    assert (ours.status, ours.content_type) == (google.status, google.content_type)
    assert _shape(ours.answered) == _shape(google.answered)
    assert [len(vector) for vector in ours.vectors] == [len(vector) for vector in google.vectors]
    assert _lengths(ours.vectors) == pytest.approx(_lengths(google.vectors), abs=1e-3)
    assert ours.answered.get("metadata") == google.answered.get("metadata")


def _predict(server: Standin, model: str, *texts: str, location: str = "global") -> Exchange:
    path = f"/v1/projects/p/locations/{location}/publishers/google/models/{model}:predict"
    return _ask(server, path, {"instances": [{"content": text} for text in texts]})


PROVOKED_ON_VERTEX: dict[str, Callable[[Standin], Exchange]] = {
    "with 56 instances": lambda server: _predict(server, OLDER, *["a"] * 56),
    "onyx#2343": lambda server: _predict(server, OLDEST, *["a"] * 512, location="us-central1"),
    "Vertex 20k-token cap": lambda server: _predict(
        server, OLDEST, "1" * 109_362, location="us-central1"
    ),
    "zero instances": lambda server: _predict(server, OLDER),
    ":predict on gemini-embedding-2": lambda server: _predict(server, NEWEST, "a"),
}


@pytest.mark.parametrize("part", PROVOKED_ON_VERTEX)
def test_the_standin_refuses_with_vertex_words(
    quoted: Callable[[str], tuple[int, Any]], part: str
) -> None:
    """A limit met on the stand-in is the limit, and the message, that Google's users reported."""
    with Standin(vertex_001_instances=1) as server:
        ours = PROVOKED_ON_VERTEX[part](server)
    assert (ours.status, ours.answered) == quoted(part)


def test_the_standin_refuses_over_a_quota_as_vertex_does(
    quoted: Callable[[str], tuple[int, Any]],
) -> None:
    """A 429 of Vertex AI says no more than that it is one."""
    with Standin(requests=1) as server:
        ours = _predict(server, OLDER, "a", "b")
    status, body = quoted("Vertex 429")
    assert ours.status == status
    assert _shape(ours.answered) == _shape(body)


# The Batch API.


def test_the_standin_describes_a_job_as_google_did(
    server: Standin, recorded: Callable[[str], Exchange]
) -> None:
    """A finished inline job has Google's members, by itself and in the list."""
    alone, listed = recorded(f"{JOB}#0"), recorded(f"{JOB}#1")
    requests = [
        {"request": {"content": {"parts": [{"text": text}]}}, "metadata": {"key": text}}
        for text in ("one", "two")
    ]
    batch = {"displayName": "mine", "inputConfig": {"requests": {"requests": requests}}}
    path = f"/v1beta/models/{NEWEST}:asyncBatchEmbedContent"
    name = _ask(server, path, {"batch": batch}).answered["name"]
    ours = _ask(server, f"/v1beta/{name}", None, method="GET")
    assert ours.status == alone.status
    assert _shape(ours.answered) == _shape(alone.answered)
    ours_listed = _ask(server, "/v1beta/batches", None, method="GET")
    assert _shape(ours_listed.answered) == _shape(listed.answered)
    for mine, google in ((ours, alone), (ours_listed, listed)):
        told, theirs = json.dumps(mine.answered), json.dumps(google.answered)
        assert _state(told) == _state(theirs)
    stale = ours_listed.answered["operations"][0]["metadata"]["batchStats"]
    assert stale["pendingRequestCount"] == stale["requestCount"]


def test_the_standin_answers_rows_of_a_file_as_google_did(server: Standin, folder: Path) -> None:
    """The lines of its results have Google's members in Google's order, and as many numbers."""
    google = json.loads((folder / FILE_JOB).read_text(encoding="utf-8"))
    sdk = genai.Client(api_key="k", http_options=types.HttpOptions(base_url=server.url))
    config = types.UploadFileConfig(mime_type="application/jsonl")
    raw = "\n".join(google["input_jsonl"]).encode()
    try:
        file = sdk.files.upload(file=BytesIO(raw), config=config)
        given = {"batch": {"inputConfig": {"file_name": file.name}}}
        job = _ask(server, f"/v1beta/models/{OLDER}:asyncBatchEmbedContent", given).answered["name"]
        ended = _ask(server, f"/v1beta/{job}", None, method="GET").answered
        name = ended["response"]["responsesFile"]
        ours = sdk.files.download(file=name).decode().splitlines()
    finally:
        sdk.close()

    for mine, theirs in zip(ours, google["output_jsonl"], strict=True):
        row, recorded = json.loads(mine), json.loads(theirs)
        assert list(row) == list(recorded)
        assert list(row["response"]) == list(recorded["response"])
        assert _shape(row) == _shape(recorded)
        assert row["key"] == recorded["key"]
        values = row["response"]["embedding"]["values"]
        assert len(values) == len(recorded["response"]["embedding"]["values"])


def _state(told: str) -> list[str]:
    return re.findall(r"BATCH_STATE_\w+|type.googleapis.com/[\w.]+", told)
