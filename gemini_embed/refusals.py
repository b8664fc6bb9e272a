"""What the service says when it refuses: status and body -> one of our errors. Performs no I/O.

The bodies follow google.rpc.Status with its standard details:
https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from gemini_embed.errors import (
    AuthenticationError,
    DailyQuotaError,
    ModelNotFoundError,
    ModelRetiredError,
    QuotaExceededError,
    RequestError,
    ServiceUnavailableError,
)
from gemini_embed.models import MODELS, NEWEST, end_of, is_over, served_by, status_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gemini_embed.ask import Backend
    from gemini_embed.models import Model

_LONGEST_SHOWN = 500  # a gateway may answer with a page of HTML
_LARGEST = 10**18  # that a quota may be
_RETRY_IN = re.compile(r"retry in (\d+(?:\.\d+)?)(ms|s)", re.IGNORECASE)
_LIMIT_ZERO = re.compile(r"limit: 0(?![\d.])")
_UNPAID = re.compile(r"BILLING|CREDIT|PREPA|SUSPENDED|DISABLED")
_NO_CREDITS = re.compile(r"credits (?:are|have been) (?:depleted|used up)", re.IGNORECASE)


def refusal(
    status: int, body: object, headers: Mapping[str, str] | None = None, *, identity: str = ""
) -> RequestError:
    """Return the error that an answer other than 200 means.

    `body` is the parsed JSON, `{"error": {...}}`, or whatever stood in its place: what is not of
    the type that Google documents counts as not there. `identity` says as whom it was asked, for
    instance `"key from GOOGLE_API_KEY"`.
    """
    error = _error_of(body)
    reason = _text(error.get("status")) or None
    said = _text(error.get("message"))
    details = [d for d in _list(error.get("details")) if isinstance(d, dict)]
    shown = said.strip()[:_LONGEST_SHOWN]
    text = f"{status} {reason or ''}".strip() + (f": {shown}" if shown else "")
    evidence: dict[str, Any] = {"status": status, "reason": reason, "service_message": said}

    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} or _is_bad_key(details):
        source = f" ({identity})" if identity else ""
        return AuthenticationError(f"{text}{source}", **evidence)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return _quota_error(text, evidence, said, details, headers or {})
    if status == HTTPStatus.NOT_FOUND and reason == "NOT_FOUND":
        return ModelNotFoundError(text, **evidence)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        unavailable = ServiceUnavailableError(text, **evidence)
        unavailable.retry_after = told_delay(said, details, headers or {})
        return unavailable
    return RequestError(text, **evidence)


def told_delay(
    message: str, details: list[dict[str, Any]], headers: Mapping[str, str]
) -> float | None:
    """Return the seconds the service asks to wait, or None.

    The message repeats RetryInfo's delay with finer digits, so it comes first.
    """
    if found := _RETRY_IN.search(message):
        return _seconds(found[1], parts=1000 if found[2].lower() == "ms" else 1)
    for detail in details:
        if _text(detail.get("@type")).endswith("RetryInfo"):
            delay = _seconds(_text(detail.get("retryDelay")).removesuffix("s"))
            if delay is not None:
                return delay
    header = next((v for k, v in headers.items() if _text(k).lower() == "retry-after"), None)
    return _retry_after(_text(header))


def _retry_after(value: str) -> float | None:
    if (seconds := _seconds(value.strip())) is not None:
        return seconds
    try:
        moment = parsedate_to_datetime(value)
    except (ArithmeticError, LookupError, TypeError, ValueError):  # a year may have 20 digits
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _seconds(written: str, *, parts: int = 1) -> float | None:
    """Return so many seconds, or parts of one; None for what is no number, or too large."""
    if re.fullmatch(r"\d+(\.\d+)?", written) is None:
        return None
    seconds = float(written) / parts
    return seconds if math.isfinite(seconds) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _error_of(body: object) -> dict[str, Any]:
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    if not isinstance(body, dict):
        return {}
    error = body.get("error", body)
    return error if isinstance(error, dict) else {"message": error}


def _is_bad_key(details: list[dict[str, Any]]) -> bool:
    # A bad key is a 400, not a 401.
    return any(d.get("reason") == "API_KEY_INVALID" for d in details)


def _quota_error(
    text: str,
    evidence: dict[str, Any],
    said: str,
    details: list[dict[str, Any]],
    headers: Mapping[str, str],
) -> QuotaExceededError:
    violations = [
        v
        for detail in details
        for v in _list(detail.get("violations"))
        if isinstance(v, dict) and _text(v.get("quotaId"))
    ]
    # Day and minute share their quotaMetric; only quotaId tells them apart.
    daily = [v for v in violations if "PerDay" in v["quotaId"]]
    violation: dict[str, Any] = (daily or violations or [{}])[0]
    value = _whole(violation.get("quotaValue"))
    none_at_all = value == 0 or _LIMIT_ZERO.search(said) is not None
    error_class = DailyQuotaError if daily or none_at_all else QuotaExceededError
    error = error_class(text, **evidence)
    error.quota_id = violation.get("quotaId")
    error.quota_value = value
    error.retry_after = told_delay(said, details, headers)
    error.can_pass = not _is_unpaid(error, details)
    return error


def _whole(value: object) -> int | None:
    """Return a whole number that may be written as a string, as protobuf writes a large one."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,18}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < _LARGEST else None


def _is_unpaid(error: QuotaExceededError, details: list[dict[str, Any]]) -> bool:
    """Tell whether somebody has to pay, or to ask Google, before anything passes.

    What it says in words counts only where nothing else is said: then it ends a wait early.
    """
    if any(_UNPAID.search(_text(detail.get("reason"))) for detail in details):
        return True
    bare = error.quota_id is None and error.retry_after is None
    return bare and _NO_CREDITS.search(error.message) is not None


def of_model(error: ModelNotFoundError, model: Model, backend: Backend) -> ModelNotFoundError:
    """Return the error of a model that the service does not know, saying what to do about it."""
    status = status_of(model, backend.name)
    if is_over(model, backend.name):
        retired = error.recast(
            ModelRetiredError,
            f"Google shut {model.name} down on {end_of(model, backend.name)}. "
            f"Move to {model.successor}"
            + ("" if model.successor == NEWEST else f" (or {NEWEST}, the newest)")
            + " and embed the whole index again: vectors of two models cannot be mixed. "
            f"The service said: {error}",
        )
        retired.successor = model.successor
        error = retired
    elif status == "never":
        error.args = (f"{model.name} is {served_by(model)}. {error}",)
    elif backend.name == "vertex":
        places = ", ".join(model.vertex_only_in) or "many regions, us-central1 among them"
        served = f"; it is served in {places}" if model.name in MODELS else ""
        error.args = (f"{model.name} at {backend}{served}. {error}",)
    error.model, error.backend, error.region = model.name, backend.name, backend.location
    return error


_MOST_TEXTS = (
    re.compile(r"batchSize must be (\d{1,9})\b"),
    re.compile(r"(\d{1,9}) instance\(s\) (?:is|are) allowed"),
    re.compile(r"at most (\d{1,9}) requests can be in one batch"),
)
_TOO_LONG = re.compile(r"payload size exceeds", re.IGNORECASE)
_TOO_MANY_TOKENS = re.compile(r"input token count is \d+ but", re.IGNORECASE)


def most_texts(error: RequestError) -> int | None:
    """Return how many texts a request may have, where a refusal names it in words we know."""
    found = (pattern.search(error.message) for pattern in _MOST_TEXTS)
    return next((int(match[1]) for match in found if match), None)


def is_too_long(error: RequestError) -> bool:
    """Tell whether a request was refused for its bytes, by its status or in words we know."""
    too_large = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return error.status == too_large or _TOO_LONG.search(error.message) is not None


def has_too_many_tokens(error: RequestError) -> bool:
    """Tell whether a request was refused for its tokens, in words we know."""
    return _TOO_MANY_TOKENS.search(error.message) is not None
