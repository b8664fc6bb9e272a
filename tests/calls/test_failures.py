from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_embed import errors
from gemini_embed.calls.failures import VERDICTS, Verdict, verdict
from gemini_embed.calls.policy import MAX_RETRIES
from gemini_embed.observe.events import Retry
from gemini_embed.pacing.backoff import Backoff
from gemini_embed.service.refusals import refusal


def google(status: int, message: str, name: str = "X", **detail: Any) -> errors.RequestError:
    details = [detail] if detail else []
    return refusal(status, {"error": {"message": message, "status": name, "details": details}})


PER_MINUTE: dict[str, Any] = {"violations": [{"quotaId": "PerMinute", "quotaValue": "100"}]}
SOME_QUOTA: dict[str, Any] = {"violations": [{"quotaId": "RequestsPerMinute"}]}
PER_DAY: dict[str, Any] = {"violations": [{"quotaId": "RequestsPerDay"}]}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (google(503, "overloaded"), Verdict.RETRY),
        (google(500, ""), Verdict.RETRY),
        (google(408, ""), Verdict.RETRY),
        (errors.BadResponseError("short"), Verdict.RETRY),
        (google(429, "Please retry in 3s."), Verdict.WAIT),
        (google(429, "x", **PER_MINUTE), Verdict.WAIT),
        (google(429, "x", **SOME_QUOTA), Verdict.WAIT),
        (google(429, "embed_content_input_tokens_per_minute_per_base_model"), Verdict.WAIT),
        (google(429, "Resource exhausted. Please try again later."), Verdict.WAIT),
        (google(429, "Please retry in 3s.", **PER_DAY), Verdict.NEXT_DAY),
        (google(429, "limit: 0", **PER_DAY), Verdict.STOP),
        (google(429, "x", reason="BILLING_DISABLED"), Verdict.STOP),
        (google(429, "Please retry in 3s.", reason="PREPAYMENT_CREDITS_DEPLETED"), Verdict.STOP),
        (google(429, "Your prepayment credits are depleted."), Verdict.STOP),
        (google(429, "Your credits are depleted. Please retry in 3s."), Verdict.WAIT),
        (google(429, "Kein Guthaben."), Verdict.WAIT),
        (google(400, "API key not valid.", reason="API_KEY_INVALID"), Verdict.STOP),
        (google(400, "", "FAILED_PRECONDITION"), Verdict.STOP),
        (google(400, "", "INVALID_ARGUMENT"), Verdict.ASK),
        (google(413, "<html>"), Verdict.ASK),
        (google(402, ""), Verdict.STOP),
        (google(403, "content"), Verdict.STOP),
        (google(404, "not supported for embedContent", "NOT_FOUND"), Verdict.STOP),
        (errors.ConfigurationError("no key"), Verdict.STOP),
    ],
)
def test_what_an_error_means(error: errors.GeminiEmbedError, expected: Verdict) -> None:
    """A permanent refusal costs one request; what may pass is tried again; a full quota waits."""
    assert verdict(error) is expected


@given(st.text(), st.sampled_from([400, 403, 404, 413, 503]))
def test_words_decide_nothing(message: str, status: int) -> None:
    """Whatever a refusal says, what is done about it goes by its status and its reason."""
    assert verdict(google(status, message)) is verdict(google(status, ""))


def test_the_more_special_error_is_decided_first() -> None:
    """A row of the table is never hidden by a row above it."""
    for position, (error_class, _) in enumerate(VERDICTS):
        assert not any(issubclass(error_class, above) for above, _ in VERDICTS[:position])


def test_a_query_is_not_tried_as_long_as_a_document() -> None:
    """Somebody waits for a query: two retries, where a bulk load has six."""
    assert MAX_RETRIES == {"document": 6, "query": 2}


@given(st.integers(1, 50))
def test_backoff_is_random_below_a_growing_bound(attempt: int) -> None:
    """Full jitter: callers that failed together do not come back together."""
    bound = min(5.0, 1.0 * 2 ** (attempt - 1))

    assert 0 <= Backoff(min_seconds=1, max_seconds=5).wait(attempt) <= bound


def test_the_record_of_a_retry_cannot_be_changed_and_pickles() -> None:
    """A hook may keep it, or send it elsewhere."""
    record = Retry(errors.BadResponseError("short"), 1, 0.5, quota=False, indexes=(0, 1))

    assert pickle.loads(pickle.dumps(record)).indexes == (0, 1)  # noqa: S301 - our own bytes
    with pytest.raises(AttributeError):
        record.attempt = 2  # type: ignore[misc] # that is the point
