"""The errors of Vertex AI that are not those of the Gemini API too. Performs no I/O.

Quoted from reported exchanges, like those in `google_errors`, and with the same reservation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemini_embed.standin.google_errors import GoogleError, detail, invalid

if TYPE_CHECKING:
    from gemini_embed.standin.url import Target

SERVICE = "aiplatform.googleapis.com"

_DOCS = "https://cloud.google.com/vertex-ai/generative-ai/docs"
_EXPECTED = (
    "Expected OAuth 2 access token, login cookie or other valid authentication credential. "
    "See https://developers.google.com/identity/sign-in/web/devconsole-project."
)


def unauthenticated(target: Target, *, missing: bool) -> GoogleError:
    """401: neither token nor key, or a token that Google does not know."""
    rpc = target.method[:1].upper() + target.method[1:]
    name = f"PredictionService.{rpc}" if rpc else "JobService"  # of jobs presumed
    begins = (
        "Request is missing required authentication credential."
        if missing
        else "Request had invalid authentication credentials."
    )
    details = detail(
        "ErrorInfo",
        reason="CREDENTIALS_MISSING" if missing else "ACCESS_TOKEN_TYPE_UNSUPPORTED",
        domain="googleapis.com",
        metadata={
            "service": SERVICE,
            "method": f"google.cloud.aiplatform.{target.version}.{name}",
        },
    )
    return GoogleError(401, "UNAUTHENTICATED", f"{begins} {_EXPECTED}", details)


def keys_not_supported() -> GoogleError:
    """401: a key in the place of an access token, where Vertex AI takes none."""
    return GoogleError(
        401,
        "UNAUTHENTICATED",
        "API keys are not supported by this API. Expected OAuth2 access token or other "
        "authentication credentials that assert a principal. "
        "See https://cloud.google.com/docs/authentication",
        detail(
            "ErrorInfo",
            reason="CREDENTIALS_MISSING",
            domain="googleapis.com",
            metadata={"service": SERVICE},
        ),
    )


def no_job(name: str) -> GoogleError:
    """404: a job that is not there. Presumed wording."""
    return GoogleError(404, "NOT_FOUND", f"BatchPredictionJob {name} is not found.")


def model_not_found(resource: str) -> GoogleError:
    """404: unknown, retired, or not in this place."""
    return GoogleError(
        404,
        "NOT_FOUND",
        f"Publisher Model `{resource}` was not found or your project does not have access to it. "
        "Please ensure you are using a valid model version. For more information, see: "
        f"{_DOCS}/learn/model-versions",
    )


def no_method() -> GoogleError:
    """404: nothing that the stand-in does. Presumed wording."""
    return GoogleError(404, "NOT_FOUND", "Method not found.")


def precondition_failed() -> GoogleError:
    """400: a model that is there, by a method that it does not have."""
    return GoogleError(400, "FAILED_PRECONDITION", "Precondition check failed.")


def empty_instances() -> GoogleError:
    """400: a `predict` without texts."""
    message = "Empty instances."
    told = (
        f"[ORIGINAL ERROR] generic::invalid_argument: {message} "
        f'[google.rpc.error_details_ext] {{ message: "{message}" }}'
    )
    return GoogleError(400, "INVALID_ARGUMENT", message, detail("DebugInfo", detail=told))


def empty_text() -> GoogleError:
    """400: a `predict` with a text that is empty. Presumed wording."""
    return invalid("The text content is empty.")


def too_many_instances(given: int, most: int) -> GoogleError:
    """400: more texts than a `predict` takes.

    gemini-embedding-001 had another wording when its limit was one; that it now has that of the
    older models is presumed.
    """
    if most > 1:
        return invalid(f"{most} instance(s) is allowed per prediction. Actual: {given}")
    return invalid(
        "Unable to submit request because it included too many instances. Reduce the number of "
        f"instances and try again. Learn more: {_DOCS}/model-reference/text-embeddings: Unable to "
        f"submit request because batchSize must be {most} but the entered value was {given}. "
        "Update the batchSize value and try again."
    )


def too_many_tokens(given: int, most: int) -> GoogleError:
    """400: more tokens than a request may have; presumably for a single text too."""
    return invalid(
        f"Unable to submit request because the input token count is {given} but the model "
        f"supports up to {most}. Reduce the input token count and try again. You can also use the "
        "CountTokens API to calculate prompt token count and billable characters."
    )


def resource_exhausted() -> GoogleError:
    """429, which gives neither the quota nor a delay."""
    return GoogleError(
        429,
        "RESOURCE_EXHAUSTED",
        "Resource exhausted. Please try again later. Please refer to "
        f"{_DOCS}/error-code-429 for more details.",
    )
