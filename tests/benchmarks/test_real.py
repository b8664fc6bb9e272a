"""The loads over HTTP of the bench of services, at limits that are done with at once."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.error import HTTPError

import pytest

from benchmarks.quotas.real import KINDS, Counted, Found, Row, ideal_seconds, measure, report
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from benchmarks.quotas.scenarios import ServiceKind


SMALL = Row(kind="sliding", told="delay", amount=30, limit=20, period=0.2, batch=10)


@pytest.mark.parametrize("kind", KINDS)
def test_a_load_is_answered_whole(kind: ServiceKind) -> None:
    """A service of each kind answers over HTTP, and each text has its own vector."""
    found = measure(replace(SMALL, kind=kind, amount=7, limit=1000))

    assert found.error is None
    assert found.right == 7


def test_a_load_beyond_the_limit_is_refused_and_done() -> None:
    """What is refused is counted as refused, and sent again until it is answered."""
    found = measure(SMALL)

    assert found.error is None
    assert found.right == 30
    assert found.refused >= 1
    assert found.refused_texts <= 10 * found.refused
    assert found.requests >= 3 + found.refused


def test_a_refusal_that_tells_nothing() -> None:
    """It has neither a limit nor a delay, over HTTP as in the model."""
    quota = Counted(replace(SMALL, told="nothing", limit=1, kind="fixed", period=60.0))
    with Standin(quota=lambda: quota) as server:
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{server.url}/v1beta/models/gemini-embedding-2:embedContent",
            json.dumps({"content": {"parts": [{"text": "a"}]}}).encode(),
            {"x-goog-api-key": "k", "Content-Type": "application/json"},
        )
        urllib.request.urlopen(request).close()  # noqa: S310 - likewise
        with pytest.raises(HTTPError) as caught:
            urllib.request.urlopen(request)  # noqa: S310 - likewise
        error = json.loads(caught.value.read())["error"]

    assert (error["code"], error["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert "details" not in error
    assert (quota.requests, quota.refused, quota.refused_texts) == (2, 1, 1)


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [
        ("sliding", 20.0),
        ("fixed", 5 * 4 - 5 / 3),
        ("bucket", (1500 - 300) / 60),
        ("bucket-tenth", (1500 - 30) / 60),
        ("bucket-small", (1500 - 5) / 60),
        ("gcra-one", (1500 - 100) / 60),
        ("gcra-small", (1500 - 100) / 60 - 0.5),
    ],
)
def test_the_ideal(kind: ServiceKind, seconds: float) -> None:
    """The best client sends what fits as soon as it does."""
    row = Row(kind=kind, told="delay", amount=1500)

    assert ideal_seconds(row) == pytest.approx(seconds, abs=0.01)


def test_the_report_tells_what_went_wrong() -> None:
    """A call that ended in an error has no share, and a wrong vector is told."""
    rows = [SMALL, replace(SMALL, told="named"), replace(SMALL, told="nothing")]
    good = Found(
        seconds=0.4, ideal=0.2, requests=5, refused=2, refused_texts=20, right=30, error=None
    )
    ended = replace(good, error="QuotaExceededError")
    wrong = replace(good, right=29)

    said = report(rows, [good, ended, wrong], 3)

    assert "| 30 texts, sliding, told=delay | 0.500 | 0.4 | 2 of 5 | 20 | done |" in said
    assert "told=named | 0.000 | 0.4 | 2 of 5 | 20 | QuotaExceededError |" in said
    assert "told=nothing | 0.500 | 0.4 | 2 of 5 | 20 | WRONG VECTORS |" in said
