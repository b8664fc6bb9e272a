"""Google's error bodies, word for word where they are known. Performs no I/O.

Quoted from recorded and reported exchanges. Where the wording is presumed, the function
says so: rely on the status there, not on the text.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gemini_embed.standin.quota import Refusal

SERVICE = "generativelanguage.googleapis.com"

_TYPE = "type.googleapis.com/google.rpc."
_RATE_LIMITS = "https://ai.google.dev/gemini-api/docs/rate-limits"


class GoogleError(Exception):
    """An answer that refuses: `status` and the JSON `body`."""

    def __init__(self, status: int, reason: str, message: str, *details: dict[str, Any]) -> None:
        super().__init__(message)
        self.status = status
        error: dict[str, Any] = {"code": status, "message": message, "status": reason}
        if details:
            error["details"] = list(details)
        self.body = {"error": error}


def invalid(message: str) -> GoogleError:
    """400, with Google's reason for it."""
    return GoogleError(400, "INVALID_ARGUMENT", message)


def invalid_fields(*complaints: str) -> GoogleError:
    """400 for values that make no sense, each named by its path."""
    return invalid("".join(f"* {complaint}\n" for complaint in complaints))


def invalid_payload(message: str, where: str) -> GoogleError:
    """400 for JSON that does not fit the message; `where` is the path of the field."""
    violation = {"field": where, "description": message} if where else {"description": message}
    details = {"@type": f"{_TYPE}BadRequest", "fieldViolations": [violation]}
    return GoogleError(400, "INVALID_ARGUMENT", message, details)


def unknown_field(name: str, where: str) -> GoogleError:
    """400 for a field that the message does not have."""
    place = f" at '{where}'" if where else ""
    return invalid_payload(
        f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot find field.', where
    )


def missing_key() -> GoogleError:
    """403: no key at all."""
    return GoogleError(
        403,
        "PERMISSION_DENIED",
        "Method doesn't allow unregistered callers (callers without established identity). "
        "Please use API Key or other form of API consumer identity to call this API.",
    )


def bad_key(service: str = SERVICE) -> GoogleError:
    """400, not 401: a key that Google does not know."""
    message = "API key not valid. Please pass a valid API key."
    return GoogleError(
        400,
        "INVALID_ARGUMENT",
        message,
        {
            "@type": f"{_TYPE}ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
            "metadata": {"service": service},
        },
        {"@type": f"{_TYPE}LocalizedMessage", "locale": "en-US", "message": message},
    )


def not_found(model: str, version: str, method: str) -> GoogleError:
    """404: unknown or retired model. A batch is told about `embedContent` too.

    Google words its end in two ways, and has done so for one and the same request; here each
    method has the one that it was recorded with last.
    """
    method = "embedContent" if method == "batchEmbedContents" else method
    service = "" if method == "countTokens" else "ModelService."
    return GoogleError(
        404,
        "NOT_FOUND",
        f"models/{model} is not found for API version {version}, or is not supported for "
        f"{method}. Call {service}ListModels to see the list of available models and their "
        "supported methods.",
    )


def model_not_found(model: str, version: str) -> GoogleError:
    """404 of `GET models/{id}`. Presumed wording."""
    return GoogleError(
        404, "NOT_FOUND", f"Model is not found: models/{model} for api version {version}"
    )


def overloaded() -> GoogleError:
    """503."""
    return GoogleError(503, "UNAVAILABLE", "The model is overloaded. Please try again later.")


def internal() -> GoogleError:
    """500. Presumed wording."""
    return GoogleError(
        500,
        "INTERNAL",
        "An internal error has occurred. Please retry or report in "
        "https://developers.generativeai.google/guide/troubleshooting",
    )


def quota_exceeded(refusal: Refusal, model: str, *, silent: bool) -> GoogleError:
    """429. A `silent` one tells the delay and no more, as Google's sometimes do."""
    # Up, never down: who waits as long as the message says must be let in.
    exact = math.ceil(refusal.delay * 1e9) / 1e9
    message = (
        "You exceeded your current quota, please check your plan and billing details. "
        f"For more information on this error, head to: {_RATE_LIMITS}."
    )
    retry = {"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{int(exact)}s"}  # cut off, as by Google
    if silent:
        message += f" \nPlease retry in {exact:.9f}s."
        return GoogleError(429, "RESOURCE_EXHAUSTED", message, retry)
    # Google's quotas know this model by an older name.
    known_as = "gemini-embedding-1.0" if model == "gemini-embedding-001" else model
    message += " To monitor your current usage, head to: https://ai.dev/rate-limit. "
    for metric, _, limit in refusal.violations:
        message += f"\n* Quota exceeded for metric: {metric}, limit: {limit}, model: {known_as}"
    message += f"\nPlease retry in {exact:.9f}s."
    link = {"description": "Learn more about Gemini API quotas", "url": _RATE_LIMITS}
    violations = [
        {
            "quotaMetric": metric,
            "quotaId": quota_id,
            "quotaDimensions": {"model": known_as, "location": "global"},
            **({"quotaValue": str(limit)} if limit else {}),  # Google leaves a zero out
        }
        for metric, quota_id, limit in refusal.violations
    ]
    return GoogleError(
        429,
        "RESOURCE_EXHAUSTED",
        message,
        {"@type": f"{_TYPE}Help", "links": [link]},
        {"@type": f"{_TYPE}QuotaFailure", "violations": violations},
        retry,
    )
