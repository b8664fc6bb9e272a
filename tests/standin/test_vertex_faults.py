"""Faults, scripts, the log and latency where the stand-in is Vertex AI."""

from __future__ import annotations

import http.client
import time
from typing import TYPE_CHECKING, Any

import pytest
from standin.messages import OLD, REGION, content, instances, requests

from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed.standin import FaultKind

    Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.mark.parametrize(
    ("kind", "lengths"),
    [("short", [2]), ("empty", [2, 0]), ("wrong-dimension", [2, 1]), (None, [2, 2])],
)
def test_spoiled_vectors(
    server: Standin, post: Ask, kind: FaultKind | None, lengths: list[int]
) -> None:
    """The answers of both methods for several texts can be spoiled."""
    server.script.extend([kind, kind])
    body = {**instances("a", "b"), "parameters": {"outputDimensionality": 2}}
    predicted = post(server, "predict", body)[1]["predictions"]
    assert [len(one["embeddings"]["values"]) for one in predicted] == lengths
    body = requests("a", "b", config={"outputDimensionality": 2})
    batch = post(server, "batchEmbedContents", body)[1]["embeddings"]
    assert [len(one["values"]) for one in batch] == lengths


def test_an_embedding_without_values(server: Standin, post: Ask) -> None:
    """Told from a short answer by the embedding that is there, whatever the method."""
    server.script.extend(("no-values",) * 3)
    one, other = post(server, "predict", instances("a", "b"))[1]["predictions"]
    assert one["embeddings"].keys() == {"values", "statistics"}
    assert other["embeddings"].keys() == {"statistics"}
    assert post(server, "embedContent", content("a"))[1]["embedding"] == {}
    assert post(server, "batchEmbedContents", requests("a", "b"))[1]["embeddings"][1:] == [{}]


@pytest.mark.parametrize("method", ["predict", "embedContent", "batchEmbedContents"])
def test_faults_and_scripts(server: Standin, post: Ask, method: str) -> None:
    """What is scripted is met by every method of Vertex AI, before any look at the request."""
    server.script.extend(["503", (429, {"said": 1}, {}), "reset", "half"])
    assert post(server, method, {})[1]["error"]["status"] == "UNAVAILABLE"
    assert post(server, method, {}) == (429, {"said": 1})
    with pytest.raises(ConnectionError):
        post(server, method, {})
    body = {**instances("a"), **content("a"), **requests("a")}
    wanted = {"predict": "instances", "embedContent": "content", "batchEmbedContents": "requests"}
    with pytest.raises(http.client.IncompleteRead):
        post(server, method, {wanted[method]: body[wanted[method]]})
    assert not server.script
    assert [exchange.status for exchange in server.log] == [503, 429, 0, 200]


def test_drawn_faults_hit_vertex_too(post: Ask) -> None:
    """A share of faults is a share of all embedding requests, whichever service is asked."""
    with Standin(faults={"500": 1}) as server:
        assert post(server, "predict", instances("a"))[0] == 500


def test_log_and_latency(server: Standin, post: Ask) -> None:
    """Requests are logged with their whole path, and take the time that is set."""
    server.latency = 0.1
    started = time.monotonic()
    body = instances("a")
    post(server, "predict", body, place=REGION, version="v1")
    assert time.monotonic() - started >= 0.1
    (exchange,) = server.log
    assert exchange.path == f"/v1/{REGION}publishers/google/models/{OLD}:predict"
    assert (exchange.body, exchange.status) == (body, 200)
    assert exchange.headers["authorization"] == "Bearer t"
