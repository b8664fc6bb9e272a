"""What the service says when it refuses: status and body -> one of our errors. Performs no I/O.

The bodies follow google.rpc.Status with its standard details:
https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto
"""

from __future__ import annotations

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
from gemini_embed.models import NEWEST, end_of, is_over, served_by, status_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gemini_embed.backend import Backend
    from gemini_embed.models import Model

_LONGEST_SHOWN = 500  # a gateway may answer with a page of HTML
_RETRY_IN = re.compile(r"retry in (\d+(?:\.\d+)?)(ms|s)", re.IGNORECASE)
_LIMIT_ZERO = re.compile(r"limit: 0(?![\d.])")


def refusal(
    status: int, body: object, headers: Mapping[str, str] | None = None, *, identity: str = ""
) -> RequestError:
    """Return the error that an answer other than 200 means.

    `body` is the parsed JSON, `{"error": {...}}`, or whatever stood in its place. `identity`
    says as whom it was asked, for instance `"key from GOOGLE_API_KEY"`.
    """
    error = _error_of(body)
    reason = str(error.get("status") or "") or None
    said = str(error.get("message") or "")
    details = [d for d in _list(error.get("details")) if isinstance(d, dict)]
    shown = said.strip()[:_LONGEST_SHOWN]
    text = f"{status} {reason or ''}".strip() + (f": {shown}" if shown else "")
    evidence: dict[str, Any] = {"status": status, "reason": reason, "service_message": said}

    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} or _is_bad_key(details, said):
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
        return float(found[1]) / (1000 if found[2].lower() == "ms" else 1)
    for detail in details:
        if str(detail.get("@type", "")).endswith("RetryInfo"):
            delay = str(detail.get("retryDelay", "")).removesuffix("s")
            if re.fullmatch(r"\d+(\.\d+)?", delay):
                return float(delay)
    header = next((v for k, v in headers.items() if k.lower() == "retry-after"), None)
    return None if header is None else _retry_after(header)


def _retry_after(value: str) -> float | None:
    if re.fullmatch(r"\d+(\.\d+)?", value.strip()):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _error_of(body: object) -> dict[str, Any]:
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    if not isinstance(body, dict):
        return {}
    error = body.get("error", body)
    return error if isinstance(error, dict) else {"message": str(error)}


def _is_bad_key(details: list[dict[str, Any]], said: str) -> bool:
    # A bad key is a 400, not a 401.
    return any(d.get("reason") == "API_KEY_INVALID" for d in details) or said.startswith(
        "API key not valid"
    )


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
        if isinstance(v, dict) and "quotaId" in v
    ]
    # Day and minute share their quotaMetric; only quotaId tells them apart.
    daily = [v for v in violations if "PerDay" in str(v["quotaId"])]
    violation: dict[str, Any] = (daily or violations or [{}])[0]
    value = str(violation.get("quotaValue", ""))
    none_at_all = value == "0" or _LIMIT_ZERO.search(said) is not None
    error_class = DailyQuotaError if daily or none_at_all else QuotaExceededError
    error = error_class(text, **evidence)
    error.quota_id = violation.get("quotaId")
    error.quota_value = int(value) if value.isdecimal() else None
    error.retry_after = told_delay(said, details, headers)
    return error


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
        error.args = (f"{model.name} at {backend}; it is served in {places}. {error}",)
    error.model, error.backend, error.region = model.name, backend.name, backend.location
    return error


_MOST_TEXTS = (
    re.compile(r"batchSize must be (\d+)"),
    re.compile(r"(\d+) instance\(s\) (?:is|are) allowed"),
    re.compile(r"at most (\d+) requests can be in one batch"),
)
_TOO_MUCH = re.compile(r"too many instances|input token count is \d+ but", re.IGNORECASE)


def most_texts(message: str) -> int | None:
    """Return how many texts a request may have, where a refusal names it."""
    found = next((m for pattern in _MOST_TEXTS if (m := pattern.search(message))), None)
    return None if found is None else int(found[1])


def is_too_much(message: str) -> bool:
    """Tell whether a request was refused for its size: a smaller one may pass."""
    return most_texts(message) is not None or _TOO_MUCH.search(message) is not None
