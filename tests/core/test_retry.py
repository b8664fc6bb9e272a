from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_embed import errors
from gemini_embed.retry import RetryPolicy

POLICY = RetryPolicy(max_retries=3, min_seconds=1, max_seconds=5)


@pytest.mark.parametrize(
    ("error", "retried"),
    [
        (errors.ServiceUnavailableError("503"), True),
        (errors.BadResponseError("short"), True),
        (errors.QuotaExceededError("429"), True),
        (errors.DailyQuotaError("429"), False),
        (errors.RequestError("400"), False),
        (errors.AuthenticationError("403"), False),
        (errors.ModelNotFoundError("404"), False),
        (errors.ConfigurationError("no key"), False),
        (errors.InvalidInputError("blank"), False),
    ],
)
def test_only_what_may_pass_is_tried_again(
    error: errors.GeminiEmbedError, *, retried: bool
) -> None:
    """A permanent refusal costs one request; a passing fault does not end the job."""
    assert (POLICY.wait(error, attempt=1) is not None) is retried


def test_max_retries_are_further_attempts() -> None:
    """`max_retries=3` means up to four attempts."""
    error = errors.ServiceUnavailableError("503")

    waits = [POLICY.wait(error, attempt=attempt) is None for attempt in (1, 2, 3, 4)]

    assert waits == [False, False, False, True]


def test_the_told_delay_rules() -> None:
    """The service's own delay comes before any backoff of ours, whatever its size."""
    error = errors.QuotaExceededError("429")
    error.retry_after = 46.3

    assert POLICY.wait(error, attempt=2) == 46.3


@given(st.integers(1, 50))
def test_backoff_is_random_below_a_growing_bound(attempt: int) -> None:
    """Full jitter: callers that failed together do not come back together."""
    bound = min(5.0, 1.0 * 2 ** (attempt - 1))

    assert 0 <= POLICY.backoff(attempt) <= bound
