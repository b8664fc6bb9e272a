"""The arithmetic of quotas, on a clock that is a number; tests/calls has what they do in time."""

from __future__ import annotations

import gc
import math
from itertools import cycle
from typing import Any

import pytest

from gemini_embed.errors import QuotaExceededError
from gemini_embed.pacing.limiter import Limiter, Limits, Room
from gemini_embed.pacing.window import Sent


def refusal(
    delay: float | None, *, quota_id: str | None = None, value: int | None = None
) -> QuotaExceededError:
    return QuotaExceededError("429", retry_after=delay, quota_id=quota_id, quota_value=value)


def test_a_known_quota_counts_until_a_period_after_the_answer() -> None:
    """The service counted a request at some time before its answer: only then does time run."""
    limiter = Limiter(Limits(requests=100, period=60))
    first = limiter.send(70, 0, now=0)

    assert limiter.room(10) == Room(30, math.inf)
    limiter.send(30, 0, now=10)
    assert limiter.room(50) is None
    assert limiter.wait(50) == math.inf
    limiter.accept(first, now=12)
    assert limiter.wait(50) == 22
    assert limiter.room(71.9) is None
    assert limiter.room(72) == Room(70, math.inf)


def test_without_a_limit_everything_may_go() -> None:
    """Nobody waits before the service refuses something."""
    limiter = Limiter(Limits())
    for second in range(100):
        limiter.send(100, 0, now=second)

    assert limiter.room(100) == Room(math.inf, math.inf)


def test_a_refusal_blocks_for_as_long_as_told() -> None:
    """The told delay holds for all; and one refusal proves nothing of a limit."""
    limiter = Limiter(Limits())
    kept = limiter.send(100, 0, now=0)
    refused = limiter.send(100, 0, now=1)
    limiter.accept(kept, now=0.5)

    assert limiter.refuse(refused, refusal(29.0), now=1.5, backoff=1) == 29
    assert limiter.room(30) is None
    assert limiter.wait(30) == 0.5
    assert limiter.room(30.5) == Room(math.inf, math.inf)


def test_a_refusal_without_delay_backs_off() -> None:
    """Where the service names no delay, the caller's backoff is the wait."""
    limiter = Limiter(Limits())
    refused = limiter.send(100, 0, now=0)

    assert limiter.refuse(refused, refusal(None), now=0, backoff=7) == 7
    assert limiter.wait(1) == 6
    assert limiter.room(7) == Room(math.inf, math.inf)


def test_requests_that_left_together_are_refused_once() -> None:
    """A silent refusal's wait grows with refusals one after another, not with those at once."""
    limiter = Limiter(Limits())
    together = [limiter.send(100, 0, now=0) for _ in range(8)]

    attempts = []
    for sent in together:
        attempts.append(limiter.attempts_in_vain(sent))
        limiter.refuse(sent, refusal(None), 0.5, backoff=1)
    later = limiter.send(100, 0, now=2)

    assert attempts == [1] * 8
    assert limiter.attempts_in_vain(later) == 2


def test_a_named_limit_is_taken_over() -> None:
    """A quotaValue caps the texts of a window; a quotaId of tokens caps the tokens."""
    limiter = Limiter(Limits())
    limiter.refuse(
        limiter.send(100, 10, now=0),
        refusal(60, quota_id="RequestsPerMinute", value=40),
        0,
        backoff=1,
    )
    assert limiter.room(60) == Room(40, math.inf)

    limiter.refuse(
        limiter.send(40, 10, now=60),
        refusal(60, quota_id="TokensPerMinute", value=500),
        60,
        backoff=1,
    )
    assert limiter.room(120) == Room(40, 500)
    assert limiter.counts_tokens


def test_reported_tokens_correct_the_estimate() -> None:
    """What the service counts is believed, for this request and for later estimates."""
    limiter = Limiter(Limits(tokens=1000))
    sent = limiter.send(10, 100, now=0)
    assert limiter.room(1) == Room(math.inf, 900)

    limiter.accept(sent, now=1, tokens=200)

    assert limiter.room(1) == Room(math.inf, 800)
    assert limiter.tokens_per_estimate == 1.25


def test_a_text_larger_than_the_quota_goes_alone() -> None:
    """It would never fit; the service may say what it thinks of it."""
    limiter = Limiter(Limits(tokens=100))

    assert limiter.room(0, least_tokens=500) == Room(math.inf, 100)
    limiter.accept(limiter.send(1, 500, now=0), now=0)
    assert limiter.room(1, least_tokens=5) is None
    assert limiter.room(60, least_tokens=5) == Room(math.inf, 100)


def test_a_load_leaves_room_for_queries() -> None:
    """While queries come, a load keeps to its share of the window and spreads itself over it."""
    limiter = Limiter(Limits(requests=600))
    limiter.accept(limiter.send(1, 0, now=0, is_query=True), now=0)

    now, sent = 1.0, 0
    while now < 61:
        if (room := limiter.room(now, wanted=100)) is None:
            now += max(0.01, min(limiter.wait(now, wanted=100), 60))
            continue
        texts = int(min(100, room.texts))
        limiter.accept(limiter.send(texts, 0, now=now), now=now)
        sent += texts
        assert limiter.room(now, wanted=1, is_query=True) == Room(1, math.inf)

    assert 0.95 * 588 <= sent <= 588


def test_without_queries_a_load_takes_all_at_once() -> None:
    """Nothing is kept back where nobody asks."""
    assert Limiter(Limits(requests=600)).room(0, wanted=1000) == Room(600, math.inf)


def test_a_named_limit_is_tried_again_after_a_while() -> None:
    """Someone who is moved to a higher tier need not restart."""
    limiter = Limiter(Limits())
    named = refusal(60, quota_id="RequestsPerMinute", value=100)
    limiter.refuse(limiter.send(100, 0, now=0), named, 0, backoff=1)
    now = 60.0
    passed = 0
    while now < 2000:
        if (room := limiter.room(now, wanted=100)) is None:
            now += min(limiter.wait(now, wanted=100), 60)
            continue
        passed += (texts := int(min(100, room.texts)))
        limiter.accept(limiter.send(texts, 0, now=now), now=now)
        if passed > 20_000:
            break

    assert 700 < now < 1500


def test_a_named_limit_of_another_window_is_learned() -> None:
    """A gateway that names 100 and counts in fifths of a second is not taken for Google."""
    limiter = Limiter(Limits())
    now, passed = 0.0, 0
    window: list[tuple[float, int]] = []
    while now < 20:
        if (room := limiter.room(now, wanted=50)) is None:
            now += min(max(0.001, limiter.wait(now, wanted=50)), 60)
            continue
        texts = int(min(50, room.texts))
        sent = limiter.send(texts, 0, now=now)
        window = [one for one in window if one[0] > now - 0.2]
        if sum(n for _, n in window) + texts <= 100:
            window.append((now, texts))
            passed += texts
            limiter.accept(sent, now=now)
        else:
            told = window[0][0] + 0.2 - now
            named = refusal(told, quota_id="RequestsPerMinute", value=100)
            limiter.refuse(sent, named, now, backoff=1)

    assert passed > 0.7 * 20 * 500


def test_a_raised_limit_is_found_beside_queries() -> None:
    """A load that leaves room for queries tries a named limit again, too."""
    limiter = Limiter(Limits())
    named = refusal(60, quota_id="RequestsPerMinute", value=100)
    limiter.refuse(limiter.send(100, 0, now=0), named, 0, backoff=1)
    now, passed = 60.0, 0
    while now < 1800:
        if limiter.room(now, is_query=True, wanted=1) is not None and now % 20 < 1:
            limiter.accept(limiter.send(1, 0, now=now, is_query=True), now=now)
        room = limiter.room(now, wanted=100)
        if room is not None:
            passed += (texts := int(min(100, room.texts)))
            limiter.accept(limiter.send(texts, 0, now=now), now=now)
        now += 0.25

    assert passed > 10 * 3000


@pytest.mark.parametrize("told", [0.5, None])
def test_what_a_probe_is_refused_for_is_learned(told: float | None) -> None:
    """Where more than a limit is tried and the refusal names a higher one, that one is used."""
    limiter = Limiter(Limits())
    limiter.refuse(
        limiter.send(100, 0, now=0),
        refusal(60, quota_id="RequestsPerMinute", value=100),
        0,
        backoff=1,
    )
    now = 800.0
    while limiter.window.texts_limit == 100:
        if (room := limiter.room(now, wanted=100)) is None:
            now += 1
            continue
        sent = limiter.send(int(min(100, room.texts)), 0, now=now)
        if limiter.window.room(now)[0] < 0:
            named = refusal(told, quota_id="RequestsPerMinute", value=1000)
            limiter.refuse(sent, named, now, backoff=1)
        else:
            limiter.accept(sent, now=now)
        assert now < 1000

    assert limiter.window.texts_limit == 1000


def test_a_raised_limit_is_found_while_queries_are_under_way() -> None:
    """The first probe waits until all is answered; those after it only for one another."""
    limiter = Limiter(Limits())
    limiter.refuse(
        limiter.send(100, 0, now=0),
        refusal(60, quota_id="RequestsPerMinute", value=100),
        0,
        backoff=1,
    )
    now = 800.0
    sent: list[Sent] = []
    while limiter.window.texts_limit < 1000:
        for one in [one for one in sent if one.at <= now - 2]:  # two seconds there and back
            limiter.accept(one, now=now)
            sent.remove(one)
        if now % 1.5 == 0 and now > 803 and limiter.room(now, wanted=1, is_query=True):
            sent.append(limiter.send(1, 0, now=now, is_query=True))
        if room := limiter.room(now, wanted=100):
            sent.append(limiter.send(int(min(100, room.texts)), 0, now=now))
        now += 0.5
        assert now < 1200

    assert limiter.window.texts_limit >= 1000


@pytest.mark.parametrize(
    ("limits", "quota_id", "value"),
    [
        ({"requests": 100}, "TokensPerMinute", 1_000_000),
        ({"tokens": 10_000}, "RequestsPerMinute", 5),
    ],
)
def test_trying_a_named_limit_keeps_to_what_the_user_said(
    limits: dict[str, Any], quota_id: str, value: int
) -> None:
    """Of the other kind, too: what the user gives is never exceeded."""
    limiter = Limiter(Limits(**limits))
    limiter.refuse(
        limiter.send(1, 100, now=0), refusal(60, quota_id=quota_id, value=value), 0, backoff=1
    )
    sent: list[tuple[float, int]] = []
    now = 60.0
    while now < 1200:
        if room := limiter.room(now, wanted=20, least_tokens=100):
            texts = int(min(20, room.texts, room.tokens // 100))
            limiter.accept(limiter.send(texts, 100 * texts, now=now), now=now)
            sent.append((now, texts))
        now += 0.5

    most = max(sum(n for at, n in sent if start <= at < start + 60) for start, _ in sent)
    assert most <= 100


def test_a_refusal_for_tokens_is_no_verdict_on_the_estimate() -> None:
    """It may have been another process's: it does not cost a load its quota for good."""
    limiter = Limiter(Limits(tokens=1000))

    for at in range(5):
        refused = refusal(60, quota_id="Tokens", value=2000)
        limiter.refuse(limiter.send(1, 100, now=at), refused, at, backoff=1)

    assert limiter.tokens_per_estimate == 1


def test_a_limit_of_the_users_is_never_exceeded() -> None:
    """What the user says holds, whatever a refusal names beside it."""
    limiter = Limiter(Limits(requests=100))
    named = refusal(1, quota_id="RequestsPerMinute", value=1000)
    limiter.refuse(limiter.send(100, 0, now=0), named, 0, backoff=1)

    assert limiter.room(1, wanted=1000) == Room(100, math.inf)


@pytest.mark.parametrize("limits", [{}, {"requests": 1000}, {"tokens": 1_000_000}])
def test_a_quota_keeps_what_left_in_the_last_minute_only(limits: dict[str, Any]) -> None:
    """A process that embeds for weeks holds no more than one that embeds for minutes."""
    limiter = Limiter(Limits(**limits))
    before = requests_known()

    for second in range(1000):
        assert limiter.room(second) is not None
        limiter.accept(limiter.send(1, 1, now=second), now=second + 0.5)

    assert requests_known() - before <= 62


def requests_known() -> int:
    """Return how many requests this process remembers."""
    gc.collect()
    return sum(isinstance(one, Sent) for one in gc.get_referrers(Sent))


def test_a_service_that_takes_one_request_at_a_time() -> None:
    """Its refusals are for the pace, however full a window is: nothing is laid to its clock."""
    limiter, now, free_at = Limiter(Limits(requests=600)), 0.0, 0.0
    for way in cycle((0.09, 0.11, 0.1)):
        now += limiter.wait(now, wanted=100) + 1e-6
        if now > 1800.0:
            break
        room = limiter.room(now, wanted=100)
        texts = int(min(room.texts, 100)) if room else 0
        if not texts:
            continue
        sent, met = limiter.send(texts, 0, now), now + way
        now += 0.2
        if met < free_at:
            error = refusal(free_at - met, quota_id="EmbedContentRequestsPerMinute", value=600)
            limiter.refuse(sent, error, now, backoff=1)
        else:
            limiter.accept(sent, now)
            free_at = met + texts / 10

    assert limiter.pace < 12
    assert limiter.window.period == pytest.approx(60, rel=0.01)
