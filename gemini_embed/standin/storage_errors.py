"""The errors of Cloud Storage's JSON API, which look otherwise than those of the services.

Performs no I/O. Google documents the reasons; the messages are those that people report.
"""

from __future__ import annotations

from typing import Any

from gemini_embed.standin.google_errors import GoogleError

_CALLER = "The caller"  # Google names the account


class StorageError(GoogleError):
    """An answer that refuses: it has a list of errors, and no `status`."""

    def __init__(self, status: int, reason: str, message: str, where: str = "") -> None:
        super().__init__(status, reason, message)
        one: dict[str, Any] = {"message": message, "domain": "global", "reason": reason}
        if where:
            one |= {"locationType": "header", "location": where}
        self.body = {"error": {"code": status, "message": message, "errors": [one]}}


def unauthenticated(*, missing: bool) -> StorageError:
    """401: no access token, or one that Google does not know."""
    if missing:
        message = (
            "Anonymous caller does not have storage.objects access to the Google Cloud Storage "
            "bucket. Permission denied on resource (or it may not exist)."
        )
        return StorageError(401, "required", message, "Authorization")
    return StorageError(401, "authError", "Invalid Credentials", "Authorization")


def forbidden(permission: str) -> StorageError:
    """403: the caller has not the permission."""
    kind = "bucket" if permission.endswith(".list") else "object"
    return StorageError(
        403,
        "forbidden",
        f"{_CALLER} does not have {permission} access to the Google Cloud Storage {kind}. "
        f"Permission '{permission}' denied on resource (or it may not exist).",
    )


def no_bucket() -> StorageError:
    """404: a bucket that is not there."""
    return StorageError(404, "notFound", "The specified bucket does not exist.")


def no_object(bucket: str, name: str) -> StorageError:
    """404: an object that is not there."""
    return StorageError(404, "notFound", f"No such object: {bucket}/{name}")


def no_session() -> StorageError:
    """404: an upload that has not begun, or is over."""
    return StorageError(404, "notFound", "No upload of this id is under way.")  # presumed wording


def precondition_failed() -> StorageError:
    """412: the object is not of the generation that it had to be."""
    return StorageError(
        412,
        "conditionNotMet",
        "At least one of the pre-conditions you specified did not hold.",
        "If-Match",
    )


def out_of_range() -> StorageError:
    """416: bytes that an object does not have."""
    return StorageError(416, "requestedRangeNotSatisfiable", "Request range not satisfiable")


def too_short(size: int, least: int) -> StorageError:
    """400: a piece of an upload that is not the last, and too short."""
    return StorageError(
        400,
        "badRequest",
        "Invalid request.  The number of bytes uploaded is required to be equal or greater than "
        f"{least}, except for the final request (it's recommended to be the exact multiple of "
        f"{least}).  The received request contained {size} bytes, which does not meet this "
        "requirement.",
    )


def invalid(message: str) -> StorageError:
    """400. Presumed wording."""
    return StorageError(400, "invalid", message)
