from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_embed.ask import Backend
from gemini_embed.calls.failures import Verdict, verdict
from gemini_embed.errors import (
    AuthenticationError,
    DailyQuotaError,
    ModelNotFoundError,
    ModelRetiredError,
    QuotaExceededError,
    RequestError,
    ServiceUnavailableError,
)
from gemini_embed.model_names import find_model
from gemini_embed.models import MODELS
from gemini_embed.service.refusals import limit_named_in, model_not_served, refusal


def body(message: str = "said", status: str = "X", *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"message": message, "status": status, "details": list(details)}}


def quota_failure(*violations: dict[str, str]) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": list(violations)}


MINUTE = {"quotaId": "EmbedContentRequestsPerMinutePerUser-FreeTier", "quotaValue": "100"}
DAY = {"quotaId": "EmbedContentRequestsPerDayPerUser-FreeTier", "quotaValue": "1000"}
RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"}


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (400, body("bad", "INVALID_ARGUMENT"), RequestError),
        (400, body("x", "INVALID_ARGUMENT", {"reason": "API_KEY_INVALID"}), AuthenticationError),
        (401, body(), AuthenticationError),
        (403, body("no", "PERMISSION_DENIED"), AuthenticationError),
        (404, body("no such model", "NOT_FOUND"), ModelNotFoundError),
        (404, {"message": "<html>", "status": "Not Found"}, RequestError),
        (408, body(), ServiceUnavailableError),
        (429, body(), QuotaExceededError),
        (500, body(), ServiceUnavailableError),
        (502, {"message": "<html>" + "x" * 9000, "status": "Bad Gateway"}, ServiceUnavailableError),
        (503, None, ServiceUnavailableError),
        (504, [body()], ServiceUnavailableError),
        (302, "moved", RequestError),
    ],
)
def test_a_status_becomes_the_named_error(
    status: int, answer: object, expected: type[RequestError]
) -> None:
    """Whatever the body looks like, the error has the right name, the status and a short text."""
    error = refusal(status, answer)

    assert type(error) is expected
    assert error.status == status
    assert len(str(error)) < 700


def test_a_bad_key_says_where_it_came_from() -> None:
    """With two variables in play, the user is told which one to look at."""
    error = refusal(403, body("no"), identity="key from GEMINI_API_KEY")

    assert str(error).endswith("no; sent with key from GEMINI_API_KEY")


def test_a_quota_error_carries_the_evidence() -> None:
    """Name and size of the quota and the delay are attributes, not text to parse."""
    error = refusal(429, body("Slow down", "RESOURCE_EXHAUSTED", quota_failure(MINUTE), RETRY))

    assert isinstance(error, QuotaExceededError)
    assert not isinstance(error, DailyQuotaError)
    assert (error.quota_id, error.quota_value) == (MINUTE["quotaId"], 100)
    assert error.retry_after == 34.4


def test_the_finer_delay_of_the_message_wins() -> None:
    """The message repeats RetryInfo's delay with more digits."""
    error = refusal(429, body("Please retry in 33.384105706s.", "X", RETRY))

    assert error.retry_after == 33.384105706


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ({"Retry-After": "7"}, 7, 7),
        ({"retry-after": format_datetime(datetime.now(UTC) + timedelta(hours=9))}, 3600, 9 * 3600),
        ({"Retry-After": "soon"}, None, None),
        ({}, None, None),
    ],
)
def test_the_header_counts_where_the_body_is_silent(
    header: dict[str, str], low: float | None, high: float | None
) -> None:
    """Gateways say it in Retry-After, in seconds or as a date."""
    delay = refusal(503, body(), header).retry_after

    assert delay is None if low is None or high is None else low <= (delay or 0) <= high


@pytest.mark.parametrize(
    "answer",
    [
        body("x", "X", quota_failure(DAY), RETRY),
        body("x", "X", quota_failure(MINUTE, DAY), RETRY),
        body(
            "Quota exceeded for metric: m, limit: 0", "X", quota_failure({"quotaId": "PerMinute"})
        ),
        body("x", "X", quota_failure({**MINUTE, "quotaValue": "0"})),
    ],
)
def test_a_spent_day_and_no_quota_at_all_are_told_apart(answer: dict[str, Any]) -> None:
    """A job does not wait minutes for what comes back at midnight, or never."""
    assert type(refusal(429, answer)) is DailyQuotaError


@pytest.mark.parametrize(
    "answer",
    [
        body("retry in 1..2s"),
        {"error": {"message": 3, "status": [], "details": 7}},
        {"error": {"details": [{"violations": 5}, {"violations": [5, {}]}, 3]}},
        {"error": "text"},
        [],
        7,
    ],
)
@pytest.mark.parametrize("status", [400, 404, 429, 500])
def test_an_ugly_answer_is_still_a_named_error(status: int, answer: object) -> None:
    """Whatever a gateway makes up, the caller gets one of our errors."""
    header = {"Retry-After": "Wed, 21 Oct 2099 07:28:00"}

    assert refusal(status, answer, header).status == status


NINES = "9" * 5000
ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.sampled_from(["0s", f"{NINES}s", NINES, 10**400, "PerDay", "RetryInfo", "limit: 0"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text() | st.integers() | st.binary(), inner, max_size=3)
    ),
    max_leaves=8,
)
SHAPED = st.fixed_dictionaries(
    {
        "error": st.fixed_dictionaries(
            {},
            optional={
                "message": ODD,
                "status": ODD,
                "details": st.lists(
                    st.fixed_dictionaries(
                        {},
                        optional={
                            "@type": ODD,
                            "reason": ODD,
                            "retryDelay": ODD,
                            "violations": st.lists(
                                st.fixed_dictionaries(
                                    {}, optional={"quotaId": ODD, "quotaValue": ODD}
                                ),
                                max_size=2,
                            )
                            | ODD,
                        },
                    ),
                    max_size=2,
                )
                | ODD,
            },
        )
    }
)


@given(
    st.sampled_from([400, 402, 403, 404, 413, 429, 500, 503]),
    SHAPED | ODD,
    st.dictionaries(st.just("Retry-After") | st.text(), st.text() | ODD, max_size=2),
)
def test_whatever_a_service_answers_is_a_named_error(
    status: int, answer: object, headers: dict[str, Any]
) -> None:
    """Wrong types, numbers too large, nonsense in headers: never another error than ours."""
    error = refusal(status, answer, headers)

    assert error.status == status
    assert isinstance(verdict(error), Verdict)
    assert error.retry_after is None or 0 <= error.retry_after < float("inf")
    if isinstance(error, QuotaExceededError):
        assert error.quota_id is None or isinstance(error.quota_id, str)
        assert error.quota_value is None or 0 <= error.quota_value < 10**18
    assert pickle.loads(pickle.dumps(error)).args == error.args  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    "header",
    [
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 2099 99:99:99 +99999999",
        "-5",
        "nan",
        "1e309",
        NINES,
        "\u0663",
        "",
    ],
)
def test_a_delay_that_is_none_is_not_waited_for(header: str) -> None:
    """A date that no calendar has, a number that no clock has: as if nothing were said."""
    delay = refusal(503, None, {"retry-after": header}).retry_after

    assert delay in {None, 3.0}


def test_a_limit_of_5000_digits_is_none() -> None:
    """Neither a quota nor a number of texts is that large."""
    violation = {"quotaId": "RequestsPerMinute", "quotaValue": NINES}
    error = refusal(429, body("x", "X", {"violations": [violation]}))
    assert isinstance(error, QuotaExceededError)
    assert error.quota_value is None
    assert (
        limit_named_in(refusal(400, body(f"at most {NINES} requests can be in one batch"))) is None
    )


@pytest.mark.parametrize(
    ("answer", "can_pass"),
    [
        (body("x", "X", {"reason": "BILLING_DISABLED"}, RETRY), False),
        (body("Your prepayment credits are depleted. Please go to AI Studio."), False),
        (body("Your prepayment credits are depleted.", "X", RETRY), True),
        (body("please check your plan and billing details", "X", quota_failure(MINUTE)), True),
        (body("x", "X", {"reason": "RATE_LIMIT_EXCEEDED"}), True),
    ],
)
def test_what_somebody_has_to_pay_for_is_not_waited_for(
    answer: dict[str, Any], *, can_pass: bool
) -> None:
    """A 429 of spent credits ends at once by its fields; by its words only where it has none."""
    error = refusal(429, answer)

    assert type(error) is QuotaExceededError
    assert error.can_pass is can_pass


def test_limit_100_is_not_limit_0() -> None:
    """Only a limit of zero means there is no quota."""
    error = refusal(429, body("limit: 0.5, limit: 01, limit: 100"))

    assert type(error) is QuotaExceededError


def test_a_retired_model_names_its_successor() -> None:
    """The 404 of a dead model says what to move to, and that it means re-embedding."""
    told = refusal(404, body("not found", "NOT_FOUND"))
    assert isinstance(told, ModelNotFoundError)

    error = model_not_served(
        told, MODELS["gemini-embedding-exp-03-07"], Backend("gemini", "by default")
    )

    assert isinstance(error, ModelRetiredError)
    assert (error.model, error.successor) == ("gemini-embedding-exp-03-07", "gemini-embedding-001")
    assert "embed the whole index again" in str(error)
    assert "not found" in str(error)


def test_a_vertex_model_says_where_it_lives() -> None:
    """A 404 for a model the Gemini API never had is explained."""
    told = refusal(404, body("not found", "NOT_FOUND"))
    assert isinstance(told, ModelNotFoundError)

    error = model_not_served(told, MODELS["text-embedding-005"], Backend("gemini", "by default"))

    assert type(error) is ModelNotFoundError
    assert "served by Vertex AI, not by the Gemini API" in str(error)


def test_nothing_is_said_of_where_a_gateways_own_model_is() -> None:
    """Google's regions have nothing to do with it."""
    told = refusal(404, body("not found", "NOT_FOUND"))
    assert isinstance(told, ModelNotFoundError)
    model = find_model("ours", behaves_like="gemini-embedding-2", elsewhere=True)

    error = model_not_served(told, model, Backend("vertex", "project given", project="p"))

    assert str(error).startswith("ours at Vertex AI, project p (project given). 404")


def test_a_model_missing_in_a_region_says_where_it_is() -> None:
    """A 404 on Vertex AI names model, project and region, and the regions that have the model."""
    told = refusal(404, body("not found", "NOT_FOUND"))
    assert isinstance(told, ModelNotFoundError)
    backend = Backend("vertex", "project given", project="p", location="us-central1")

    error = model_not_served(told, MODELS["gemini-embedding-2"], backend)

    assert (error.model, error.backend, error.region) == (
        "gemini-embedding-2",
        "vertex",
        "us-central1",
    )
    assert (
        "gemini-embedding-2 at Vertex AI, project p, location us-central1 (project given); "
        "it is served in global, us, eu" in str(error)
    )
