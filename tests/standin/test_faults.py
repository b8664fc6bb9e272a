"""Everything that can be made to go wrong."""

from __future__ import annotations

import http.client
import json
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import pytest

from gemini_embed.standin import FaultKind, Standin
from gemini_embed.standin.faults import KINDS, Faults

if TYPE_CHECKING:
    from collections.abc import Callable

    Ask = Callable[..., tuple[int, dict[str, Any]]]
    Fetch = Callable[..., tuple[int, dict[str, str], bytes]]

MODEL = "gemini-embedding-001"
BODY = {
    "requests": [
        {"model": f"models/{MODEL}", "content": {"parts": [{"text": text}]}} for text in "abc"
    ]
}


def url(server: Standin) -> str:
    return f"{server.url}/v1beta/models/{MODEL}:batchEmbedContents"


@pytest.mark.parametrize(
    ("kind", "status", "reason"), [("503", 503, "UNAVAILABLE"), ("500", 500, "INTERNAL")]
)
def test_server_errors(
    server: Standin, ask: Ask, kind: FaultKind, status: int, reason: str
) -> None:
    """The service can fail with Google's bodies; the next request is answered."""
    server.script.append(kind)
    got, answer = ask(server, "a")
    assert (got, answer["error"]["status"]) == (status, reason)
    assert ask(server, "a")[0] == 200


def test_reset(server: Standin, fetch: Fetch) -> None:
    """The connection can break before any answer; the log tells it by status 0."""
    server.script.append("reset")
    with pytest.raises(ConnectionError):
        fetch(url(server), BODY)
    assert [exchange.status for exchange in server.log] == [0]


def test_half(server: Standin, fetch: Fetch) -> None:
    """The connection can break within an answer."""
    server.script.append("half")
    with pytest.raises(http.client.IncompleteRead) as caught:
        fetch(url(server), BODY)
    assert abs(len(caught.value.partial) - (caught.value.expected or 0)) <= 1


def test_other_peoples_answers(server: Standin, fetch: Fetch) -> None:
    """A proxy's HTML page, and a 200 that is not JSON."""
    server.script.extend(["html", "not-json"])
    status, headers, body = fetch(url(server), BODY)
    assert (status, headers["Content-Type"]) == (502, "text/html; charset=UTF-8")
    assert b"<html>" in body
    status, _, body = fetch(url(server), BODY)
    assert status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


def test_spoiled_vectors(server: Standin, ask: Ask) -> None:
    """A 200 can carry too few vectors, or one that is empty, not finite or too short."""
    server.script.extend(["short", "empty", "nan", "wrong-dimension", None])
    answers = [ask(server, "a", "b", outputDimensionality=64)[1] for _ in range(5)]
    vectors = [[one["values"] for one in answer["embeddings"]] for answer in answers]
    assert [[len(one) for one in listed] for listed in vectors] == [
        [64],
        [64, 0],
        [64, 64],
        [64, 63],
        [64, 64],
    ]
    assert math.isnan(vectors[2][1][0])
    assert not any(math.isnan(number) for number in vectors[2][1][1:])
    assert vectors[4] == [server.vector(text, dimension=64) for text in ("a", "b")]


def test_an_embedding_without_values(server: Standin, ask: Ask, fetch: Fetch) -> None:
    """Told from a short answer by the embedding that is there, in a batch and alone."""
    server.script.extend(["no-values", "no-values", "short"])
    first, last = ask(server, "a", "b", outputDimensionality=2)[1]["embeddings"]
    assert first == {"values": server.vector("a", dimension=2)}
    assert last == {}
    one = f"{server.url}/v1/models/{MODEL}:embedContent"
    body = {"content": {"parts": [{"text": "a"}]}}
    assert json.loads(fetch(one, body)[2]) == {"embedding": {}}
    assert json.loads(fetch(one, body)[2]) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_no_fault_breaks_the_service(kind: FaultKind, fetch: Fetch) -> None:
    """Every fault can hit one single vector of one number, and the next request is fine."""
    with Standin(faults={}) as server:
        one = f"{server.url}/v1/models/{MODEL}:embedContent"
        body = {"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 1}
        server.script.append(kind)
        if kind == "hang":
            threading.Timer(0.05, server.release).start()
        try:
            fetch(one, body)
        except (ConnectionError, http.client.HTTPException):
            assert kind in ("reset", "half")
        assert fetch(one, body)[0] == 200


def test_hang_and_release(server: Standin, ask: Ask) -> None:
    """Requests that hang are answered after `release`, and others meanwhile."""
    server.script.extend(["hang", "hang"])
    with ThreadPoolExecutor(2) as pool:
        hanging = [pool.submit(ask, server, "a") for _ in range(2)]
        while len(server.log) < 2:
            time.sleep(0.005)
        assert ask(server, "b")[0] == 200
        assert [exchange.status for exchange in server.log] == [0, 0, 200]
        assert not any(future.done() for future in hanging)
        server.release()
        assert [future.result(5)[0] for future in hanging] == [200, 200]


def test_verbatim_answers(server: Standin, fetch: Fetch) -> None:
    """A script can answer anything at all."""
    server.script.append((429, {"error": {"code": 429}}, {"Retry-After": "7"}))
    server.script.append((200, "text", {"Content-Type": "text/plain"}))
    server.script.append((204, b"", {}))
    status, headers, body = fetch(url(server), BODY)
    assert (status, headers["Retry-After"], json.loads(body)) == (
        429,
        "7",
        {"error": {"code": 429}},
    )
    status, headers, body = fetch(url(server), BODY)
    assert (status, headers["Content-Type"], body) == (200, "text/plain", b"text")
    assert fetch(url(server), BODY)[0] == 204


def test_random_faults_repeat(ask: Ask) -> None:
    """The same seed draws the same faults, in about the shares asked for."""

    def statuses(seed: int) -> list[int]:
        with Standin(faults={"503": 0.3, "500": 0.2}, seed=seed) as server:
            return [ask(server, "a", outputDimensionality=1)[0] for _ in range(60)]

    first = statuses(1)
    assert first == statuses(1)
    assert first != statuses(2)
    assert 5 <= first.count(503) <= 31
    assert set(first) == {200, 500, 503}


def test_unknown_faults() -> None:
    """A misspelt fault, or shares of more than everything, are refused at once."""
    with pytest.raises(ValueError, match="unknown fault 'nap'; known: 503"):
        Standin(faults={cast("FaultKind", "nap"): 0.5})
    with pytest.raises(ValueError, match="from 0 to 1"):
        Faults({"nan": 2}, 0)
    with pytest.raises(ValueError, match="must not exceed 1"):
        Faults({"nan": 0.6, "half": 0.6}, 0)
