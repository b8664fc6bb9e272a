"""The stand-in beside what Vertex AI answered to others.

The recordings are not part of this project; `GEMINI_EMBED_REAL_EXCHANGES` names the folder.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest
import yaml

from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Fetch = Callable[..., tuple[int, dict[str, str], bytes]]
    Post = Callable[..., tuple[int, dict[str, str], Any]]

FOLDER = "GEMINI_EMBED_REAL_EXCHANGES"
TOKEN = {"Authorization": "Bearer t"}
OLD, NEW, OLDER = "gemini-embedding-001", "gemini-embedding-2", "text-embedding-005"

_RUBY = "ruby_llm__embedding_basic_functionality_vertexai_text-embedding-004_"

RECORDED = (
    "TestGoogle.test_vertex_query.yaml",
    "test_google_task_prefix_vertex.yaml",
    f"{_RUBY}can_handle_multiple_texts_with_custom_dimensions.yml",
)


@dataclass(frozen=True)
class Recording:
    """One request to Vertex AI and its answer, JSON parsed."""

    path: str
    asked: Any
    status: int
    content_type: str
    answered: Any


@pytest.fixture
def folder() -> Path:
    """Return the folder of recordings; skip where none is named."""
    named = os.environ.get(FOLDER)
    if named is None:
        pytest.skip(f"real recordings are not part of this project; set {FOLDER} to their folder")
    return Path(named)


@pytest.fixture
def recorded(folder: Path) -> Callable[[str], Recording]:
    """Return a reader of recordings. The exchange before the last one only fetches a token."""

    def read(name: str) -> Recording:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        text = (folder / name).read_text(encoding="utf-8")
        whole = yaml.load(text, loader)  # noqa: S506 - both are safe
        last = (whole.get("interactions") or whole["http_interactions"])[-1]
        request, response = last["request"], last["response"]

        def body(message: Mapping[str, Any]) -> Any:
            return message.get("parsed_body") or json.loads(message["body"]["string"])

        headers = {name.lower(): values for name, values in response["headers"].items()}
        return Recording(
            path=urlsplit(request["uri"]).path,
            asked=body(request),
            status=response["status"]["code"],
            content_type=headers["content-type"][0],
            answered=body(response),
        )

    return read


@pytest.fixture
def quoted(folder: Path) -> Callable[[str], tuple[int, Any]]:
    """Return a reader of `error_bodies.json`: part of an entry's description -> status, body."""
    listed = json.loads((folder / "error_bodies.json").read_text(encoding="utf-8"))["bodies"]

    def entry(part: str) -> tuple[int, Any]:
        (found,) = (one for one in listed if part in one["_kind"])
        return found["http"], found["body"]

    return entry


@pytest.fixture
def post(fetch: Fetch) -> Post:
    """Send one request to a path, with an access token."""

    def send(server: Standin, path: str, body: Any) -> tuple[int, dict[str, str], Any]:
        # The names that are left out of a recording stand between < and >.
        url = server.url + quote(path, safe="/:")
        status, headers, raw = fetch(url, body, key=None, headers=TOKEN)
        return status, headers, json.loads(raw)

    return send


def shape(value: Any) -> Any:
    """Return JSON with the kind of each value in its place; lists by their first entry."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    # A bool is a number to Python, but not in JSON.
    return "number" if type(value) in (int, float) else type(value).__name__


def vectors(answer: Any) -> list[list[float]]:
    if "embedding" in answer:
        return [answer["embedding"]["values"]]
    return [one["embeddings"]["values"] for one in answer["predictions"]]


@pytest.mark.parametrize("name", RECORDED)
def test_the_standin_answers_as_vertex_did(
    server: Standin, post: Post, recorded: Callable[[str], Recording], name: str
) -> None:
    """A test against the stand-in meets Vertex AI's status, keys, dimensions and lengths."""
    google = recorded(name)
    status, headers, ours = post(server, google.path, google.asked)
    assert (status, headers["Content-Type"]) == (google.status, google.content_type)
    assert shape(ours) == shape(google.answered)
    assert len(vectors(ours)) == len(vectors(google.answered))
    for here, there in zip(vectors(ours), vectors(google.answered), strict=True):
        assert len(here) == len(there)
        assert math.hypot(*here) == pytest.approx(math.hypot(*there), abs=1e-3)
    assert ours.get("metadata") == google.answered.get("metadata")


def _predict(model: str, location: str = "global") -> str:
    return f"/v1/projects/p/locations/{location}/publishers/google/models/{model}:predict"


def _texts(*texts: str) -> dict[str, Any]:
    return {"instances": [{"content": text} for text in texts]}


PROVOKED: dict[str, tuple[str, Any]] = {
    "with 56 instances": (_predict(OLD), _texts(*["a"] * 56)),
    "onyx#2343": (_predict(OLDER, "us-central1"), _texts(*["a"] * 512)),
    "Vertex 20k-token cap": (_predict(OLDER, "us-central1"), _texts("a" * 4 * 109_362)),
    "zero instances": (_predict(OLD), _texts()),
    ":predict on gemini-embedding-2": (_predict(NEW), _texts("a")),
}


@pytest.mark.parametrize("part", PROVOKED)
def test_the_standin_refuses_with_vertex_words(
    post: Post, quoted: Callable[[str], tuple[int, Any]], part: str
) -> None:
    """A limit met on the stand-in is the limit, and the message, that Google's users reported."""
    with Standin(vertex_001_instances=1) as server:
        status, _, answer = post(server, *PROVOKED[part])
    assert (status, answer) == quoted(part)


def test_the_standin_refuses_over_a_quota_as_vertex_does(
    post: Post, quoted: Callable[[str], tuple[int, Any]]
) -> None:
    """A 429 of Vertex AI says no more than that it is one."""
    with Standin(requests=1) as server:
        status, _, answer = post(server, _predict(OLD), _texts("a", "b"))
    expected, body = quoted("Vertex 429")
    assert status == expected
    assert shape(answer) == shape(body)
