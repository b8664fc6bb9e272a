"""Makes our errors of the service's refusals: of status, body and headers. Performs no I/O.

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
from gemini_embed.models import MODELS, NEWEST, is_over, served_by
from gemini_embed.pacing.day import next_reset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gemini_embed.ask import Backend
    from gemini_embed.models import Model

_LONGEST_SHOWN = 500  # a gateway may answer with a page of HTML
_LARGEST = 10**18  # a larger quota is not believed
_RETRY_IN = re.compile(r"retry in (\d+(?:\.\d+)?)(ms|s)", re.IGNORECASE)
_LIMIT_ZERO = re.compile(r"limit: 0(?![\d.])")
_UNPAID = re.compile(r"BILLING|CREDIT|PREPA|SUSPENDED|DISABLED")
_NO_CREDITS = re.compile(r"credits (?:are|have been) (?:depleted|used up)", re.IGNORECASE)


def refusal(
    status: int,
    body: object,
    headers: Mapping[str, str] | None = None,
    *,
    identity: str = "",
    asked: str = "",
) -> RequestError:
    """Return the error that an answer other than 200 means.

    Args:
        status: Its HTTP status.
        body: The parsed JSON, `{"error": {...}}`, or whatever stood in its place: what is not of
            the type that Google documents counts as not there.
        headers: Its headers.
        identity: With which credentials it was asked, for instance `"key from GOOGLE_API_KEY"`.
        asked: The address to show, where the answer does not look like Google's.
    """
    error = _error_of(body)
    reason = _text(error.get("status")) or None
    said = _text(error.get("message"))
    details = [d for d in _list(error.get("details")) if isinstance(d, dict)]
    shown = said.strip()[:_LONGEST_SHOWN]
    delay = delay_of(said, details, headers or {})
    text = f"{status} {reason or ''}".strip() + (f": {shown}" if shown else "")
    where = f"; asked: {asked}" if asked else ""
    evidence: dict[str, Any] = {
        "summary": text + where,
        "status": status,
        "reason": reason,
        "message": said,
        "details": body,
    }

    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} or _is_bad_key(details):
        source = f"; sent with {identity}" if identity else ""
        evidence["summary"] = f"{text}{source}{where}"
        return AuthenticationError(**evidence)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return _quota_error({**evidence, "retry_after": delay}, details)
    if status == HTTPStatus.NOT_FOUND and reason == "NOT_FOUND":
        return ModelNotFoundError(**evidence)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        return ServiceUnavailableError(**evidence, retry_after=delay)
    return RequestError(**evidence)


def delay_of(
    message: str, details: list[dict[str, Any]], headers: Mapping[str, str]
) -> float | None:
    """Return the seconds that the service asks to wait, or None.

    The message repeats the delay of RetryInfo with more digits, so it is read first.
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
    """Return a number of seconds, or of `parts` of one; None if it is no number, or too large."""
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


def _quota_error(evidence: dict[str, Any], details: list[dict[str, Any]]) -> QuotaExceededError:
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
    evidence |= {
        "quota_id": violation.get("quotaId"),
        "quota_value": value,
        "can_pass": not _is_unpaid(evidence, details, names_quota=bool(violations)),
    }
    if value == 0 or _LIMIT_ZERO.search(evidence["message"]) is not None:
        return DailyQuotaError(**evidence)  # none at all
    if daily:
        return DailyQuotaError(**evidence, resets_at=next_reset(datetime.now(UTC)))
    return QuotaExceededError(**evidence)


def _whole(value: object) -> int | None:
    """Return a whole number that may be written as a string, as protobuf writes a large one."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,18}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < _LARGEST else None


def _is_unpaid(
    evidence: dict[str, Any], details: list[dict[str, Any]], *, names_quota: bool
) -> bool:
    """Tell whether waiting is in vain: somebody has to pay, or to ask Google, first.

    The message decides only where there is nothing else, and then only ends a wait early.
    """
    if any(_UNPAID.search(_text(detail.get("reason"))) for detail in details):
        return True
    bare = not names_quota and evidence["retry_after"] is None
    return bare and _NO_CREDITS.search(evidence["message"]) is not None


def model_not_served(
    error: ModelNotFoundError, model: Model, backend: Backend
) -> ModelNotFoundError:
    """Return the error of a model that the service does not know, saying what to do about it."""
    asked = {"model": model.name, "backend": backend.name, "region": backend.location}
    if is_over(model, backend.name):
        newest = "" if model.successor == NEWEST else f" (or {NEWEST}, the newest)"
        summary = (
            f"Google shut {model.name} down on {model.on(backend.name).shutdown}. "
            f"Move to {model.successor}{newest} and embed the whole index again: vectors of two "
            f"models cannot be mixed. The service said: {error.summary}"
        )
        return error.recast(ModelRetiredError, summary=summary, successor=model.successor, **asked)
    hint = ""
    if model.on(backend.name).status == "never":
        hint = f"{model.name} is {served_by(model)}. "
    elif backend.name == "vertex":
        places = ", ".join(model.vertex.only_in) or "many regions, us-central1 among them"
        served = f"; it is served in {places}" if model.name in MODELS else ""
        hint = f"{model.name} at {backend}{served}. "
    return error.with_context(summary=f"{hint}{error.summary}", **asked)


_MOST_TEXTS = (
    re.compile(r"batchSize must be (\d{1,9})\b"),
    re.compile(r"(\d{1,9}) instance\(s\) (?:is|are) allowed"),
    re.compile(r"at most (\d{1,9}) requests can be in one batch"),
)
_TOO_LONG = re.compile(r"payload size exceeds", re.IGNORECASE)
_TOO_MANY_TOKENS = re.compile(r"input token count is \d+ but", re.IGNORECASE)


def limit_named_in(error: RequestError) -> int | None:
    """Return how many texts a request may have, if a refusal names it in words that we know."""
    found = (pattern.search(error.message) for pattern in _MOST_TEXTS)
    return next((int(match[1]) for match in found if match), None)


def is_too_large(error: RequestError) -> bool:
    """Tell whether a request was refused for its bytes, by status or in words that we know."""
    too_large = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return error.status == too_large or _TOO_LONG.search(error.message) is not None


def has_too_many_tokens(error: RequestError) -> bool:
    """Tell whether a request was refused for its tokens, in words that we know."""
    return _TOO_MANY_TOKENS.search(error.message) is not None
