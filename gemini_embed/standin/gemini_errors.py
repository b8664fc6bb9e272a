"""The errors of the Gemini API that are not those of Vertex AI too. Performs no I/O.

Quoted as in `google_errors`, and with the same reservation.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from gemini_embed.standin.google_errors import GoogleError, detail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gemini_embed.standin.model_quota import Violation

SERVICE = "generativelanguage.googleapis.com"

_RATE_LIMITS = "https://ai.google.dev/gemini-api/docs/rate-limits"


def missing_key() -> GoogleError:
    """403: no key at all."""
    return GoogleError(
        403,
        "PERMISSION_DENIED",
        "Method doesn't allow unregistered callers (callers without established identity). "
        "Please use API Key or other form of API consumer identity to call this API.",
    )


def not_found(model: str, version: str, method: str) -> GoogleError:
    """404: unknown or retired model. The refusal of a batch names `embedContent` too.

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


def no_file(name: str) -> GoogleError:
    """403, not 404: a file that is not there, or is another project's."""
    return GoogleError(
        403,
        "PERMISSION_DENIED",
        f"You do not have permission to access the File {name.removeprefix('files/')} "
        "or it may not exist.",
    )


def not_active(name: str) -> GoogleError:
    """400: a file that the service still prepares, or cannot read."""
    return GoogleError(
        400,
        "FAILED_PRECONDITION",
        f"The File {name.removeprefix('files/')} is not in an ACTIVE state and usage is not "
        "allowed.",
    )


def no_job() -> GoogleError:
    """404: a job that is not there. Presumed wording."""
    return GoogleError(404, "NOT_FOUND", "Requested entity was not found.")


def job_refused() -> GoogleError:
    """429 where a job is to be created: no number, no delay, only a link."""
    message = (
        "You exceeded your current quota, please check your plan and billing details. "
        f"For more information on this error, head to: {_RATE_LIMITS}. "
        "To monitor your current usage, head to: https://ai.dev/rate-limit. "
    )
    return GoogleError(429, "RESOURCE_EXHAUSTED", message, _help())


def quota_exceeded(
    violations: Sequence[Violation], delay: float, model: str, *, silent: bool
) -> GoogleError:
    """429. A `silent` one gives the delay and no more, as Google's sometimes do."""
    # Rounded up: a client that waits as long as the message says must be let in.
    exact = math.ceil(delay * 1e9) / 1e9
    message = (
        "You exceeded your current quota, please check your plan and billing details. "
        f"For more information on this error, head to: {_RATE_LIMITS}."
    )
    retry = detail("RetryInfo", retryDelay=f"{int(exact)}s")  # cut off, as by Google
    if silent:
        message += f" \nPlease retry in {exact:.9f}s."
        return GoogleError(429, "RESOURCE_EXHAUSTED", message, retry)
    # Google's quotas know this model by an older name.
    known_as = "gemini-embedding-1.0" if model == "gemini-embedding-001" else model
    message += " To monitor your current usage, head to: https://ai.dev/rate-limit. "
    for metric, _, limit in violations:
        message += f"\n* Quota exceeded for metric: {metric}, limit: {limit}, model: {known_as}"
    message += f"\nPlease retry in {exact:.9f}s."
    failures = [
        {
            "quotaMetric": metric,
            "quotaId": quota_id,
            "quotaDimensions": {"model": known_as, "location": "global"},
            **({"quotaValue": str(limit)} if limit else {}),  # Google leaves a zero out
        }
        for metric, quota_id, limit in violations
    ]
    return GoogleError(
        429,
        "RESOURCE_EXHAUSTED",
        message,
        _help(),
        detail("QuotaFailure", violations=failures),
        retry,
    )


def _help() -> dict[str, Any]:
    link = {"description": "Learn more about Gemini API quotas", "url": _RATE_LIMITS}
    return detail("Help", links=[link])
