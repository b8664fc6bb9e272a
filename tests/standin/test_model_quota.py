"""The quota: its arithmetic, and how it is refused."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from standin.messages import NEW

from gemini_embed.standin import Standin
from gemini_embed.standin.model_quota import (
    ModelQuota,
    OverQuota,
    QuotaLimits,
    SlidingWindow,
    Violation,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Ask = Callable[..., tuple[int, dict[str, Any]]]


def test_window_slides() -> None:
    """What was spent counts for exactly one window, and each amount on its own."""
    window = SlidingWindow(100, 60)
    for at, amount in ((0.0, 50), (20.0, 30), (30.0, 20)):
        assert window.delay(amount, at) is None
        window.spend(amount, at)
    assert window.delay(1, 30.0) == 30.0
    assert window.delay(50, 30.0) == 30.0
    assert window.delay(51, 30.0) == 50.0
    assert window.delay(81, 30.0) == 60.0
    assert window.delay(51, 59.9) == pytest.approx(20.1)
    assert window.delay(50, 60.0) is None
    assert window.delay(51, 60.0) == 20.0


def test_who_waits_as_told_gets_in() -> None:
    """The told delay is enough, to the last bit, whatever the clock shows."""
    for start in (0.1, 12345.678, 1e6 / 3):
        window = SlidingWindow(1, 0.7)
        window.spend(1, start)
        delay = window.delay(1, start + 0.3)
        assert delay is not None
        assert window.delay(1, start + 0.3 + delay) is None


def test_more_than_the_limit_never_fits() -> None:
    """A batch larger than the limit is sent away until the window is empty, and then again."""
    window = SlidingWindow(10, 60)
    window.spend(5, 0.0)
    window.spend(1, 10.0)
    assert window.delay(11, 30.0) == 40.0
    assert window.delay(11, 100.0) == 0.0


def test_refused_requests_do_not_count() -> None:
    """A refusal by one limit spends nothing of the others."""
    quota = ModelQuota(QuotaLimits(requests=10, tokens=100, requests_per_day=15))
    assert quota.take(5, 90, 0.0) is None
    refusal = quota.take(5, 11, 1.0)
    assert refusal is not None
    assert refusal.delay == 59.0
    assert [one.quota_id for one in refusal.violations] == [
        "EmbedContentTokensPerMinutePerUserPerProjectPerModel-FreeTier"
    ]
    assert quota.take(5, 10, 2.0) is None
    assert quota.take(5, 10, 70.0) is None
    refusal = quota.take(1, 1, 140.0)
    assert refusal is not None
    assert [one.limit for one in refusal.violations] == [15]
    assert 0 < (refusal.delay or 0) < 60
    assert quota.take(1, 1, 140.0, today=1) is None


def test_the_answer_names_the_quota(ask: Ask) -> None:
    """A 429 has Google's body, in which gemini-embedding-001 has another name."""
    with Standin(requests=3, window=60) as server:
        assert ask(server, "a", "b")[0] == 200
        status, answer = ask(server, "c", "d")
        assert ask(server, "c")[0] == 200
        assert ask(server, "c", "d", model=NEW)[0] == 200
    error = answer["error"]
    assert (status, error["code"], error["status"]) == (429, 429, "RESOURCE_EXHAUSTED")
    assert (
        "\n* Quota exceeded for metric: generativelanguage.googleapis.com/"
        "embed_content_free_tier_requests, limit: 3, model: gemini-embedding-1.0\n"
        "Please retry in 59."
    ) in error["message"]
    link, failure, retry = error["details"]
    assert link["@type"] == "type.googleapis.com/google.rpc.Help"
    assert failure == {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [
            {
                "quotaMetric": "generativelanguage.googleapis.com/embed_content_free_tier_requests",
                "quotaId": "EmbedContentRequestsPerMinutePerUserPerProjectPerModel-FreeTier",
                "quotaDimensions": {"model": "gemini-embedding-1.0", "location": "global"},
                "quotaValue": "3",
            }
        ],
    }
    assert retry == {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "59s"}


def test_daily_quota(ask: Ask) -> None:
    """A spent day is told by its quotaId only; the delay beside it is short and means nothing."""
    with Standin(requests_per_day=1) as server:
        assert ask(server, "a", model=NEW)[0] == 200
        _, answer = ask(server, "a", model=NEW)
    _, failure, retry = answer["error"]["details"]
    (violation,) = failure["violations"]
    assert violation["quotaId"] == "EmbedContentRequestsPerDayPerUserPerProjectPerModel-FreeTier"
    assert violation["quotaDimensions"]["model"] == NEW
    assert retry["retryDelay"] == "18s"


def test_a_day_ends_at_midnight_pacific(ask: Ask) -> None:
    """What is left of a day is lost, and the next has a quota of its own."""
    midnight = datetime(2026, 11, 21, tzinfo=ZoneInfo("America/Los_Angeles")).timestamp()
    moments = iter([midnight - 2, midnight - 1, midnight, midnight + 1])
    with Standin(requests_per_day=1, clock=lambda: next(moments)) as server:
        assert [ask(server, "a", model=NEW)[0] for _ in range(4)] == [200, 429, 200, 429]


@pytest.mark.parametrize("limits", [{"requests": 0}, {"requests_per_day": 0}])
def test_no_quota_at_all(ask: Ask, limits: dict[str, int]) -> None:
    """A limit of 0 breaks every limit there is, the day's and the minute's."""
    with Standin(**limits) as server:  # type: ignore[arg-type] # both take a whole number
        status, answer = ask(server, "a", model=NEW)
    assert status == 429
    assert answer["error"]["message"].count(f", limit: 0, model: {NEW}\n") == 4
    _, failure, _ = answer["error"]["details"]
    assert {violation["quotaId"] for violation in failure["violations"]} == {
        f"EmbedContentRequests{name}PerModel-FreeTier"
        for name in (
            "PerDayPerProject",
            "PerMinutePerProject",
            "PerMinutePerUserPerProject",
            "PerDayPerUserPerProject",
        )
    }
    assert not any("quotaValue" in violation for violation in failure["violations"])


class Even:
    """Lets every second request pass, and tells of the others as much as it is made to."""

    counts_tokens = True

    def __init__(self, delay: float | None) -> None:
        self._delay = delay
        self.taken: list[tuple[int, int]] = []

    def take(self, texts: int, tokens: int, now: float, today: int = 0) -> OverQuota | None:
        assert now > 0
        assert today > 0
        self.taken.append((texts, tokens))
        if len(self.taken) % 2:
            return None
        return OverQuota([Violation("requests", "PerMinute", 7)], self._delay)


@pytest.mark.parametrize("delay", [3.5, None])
def test_a_quota_that_counts_otherwise(ask: Ask, delay: float | None) -> None:
    """What is given in place of the limits counts, for each model by itself, and refuses."""
    made: list[Even] = []

    def make() -> Even:
        made.append(Even(delay))
        return made[-1]

    with Standin(quota=make) as server:
        assert ask(server, "a", "b")[0] == 200
        assert ask(server, "a", model=NEW)[0] == 200
        status, answer = ask(server, "c")

    assert [len(quota.taken) for quota in made] == [2, 1]
    assert [texts for texts, _ in made[0].taken] == [2, 1]
    assert all(tokens > 0 for _, tokens in made[0].taken)
    assert status == 429
    assert ("Please retry in 3.5" in answer["error"]["message"]) == (delay is not None)
    assert ("details" in answer["error"]) == (delay is not None)


def test_silent_quota(ask: Ask) -> None:
    """A silent 429 tells when to come back, and nothing of the limit."""
    with Standin(tokens=1, silent_quota=True) as server:
        assert ask(server, "a")[0] == 200
        status, answer = ask(server, "a")
    assert status == 429
    (retry,) = answer["error"]["details"]
    assert retry["retryDelay"] == "59s"
    assert "Please retry in 59." in answer["error"]["message"]
    assert "limit:" not in answer["error"]["message"]


def test_real_window(ask: Ask) -> None:
    """After the told delay the same batch is answered."""
    with Standin(requests=2, window=0.4) as server:
        assert ask(server, "a", "b")[0] == 200
        status, answer = ask(server, "a", "b")
        assert status == 429
        told = float(answer["error"]["message"].rpartition("retry in ")[2].rstrip("s."))
        assert 0 < told <= 0.4
        time.sleep(told)
        assert ask(server, "a", "b")[0] == 200
        assert [exchange.status for exchange in server.log] == [200, 429, 200]
