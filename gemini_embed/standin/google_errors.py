"""The errors that both services answer alike, in Google's words where they are known.

Performs no I/O. Quoted from recorded and reported exchanges. Where the wording is presumed, the
function says so: rely on the status there, not on the text.
"""

from __future__ import annotations

from typing import Any


class GoogleError(Exception):
    """An answer that refuses: `status` and the JSON `body`."""

    def __init__(self, status: int, reason: str, message: str, *details: dict[str, Any]) -> None:
        super().__init__(message)
        self.status = status
        error: dict[str, Any] = {"code": status, "message": message, "status": reason}
        if details:
            error["details"] = list(details)
        self.body = {"error": error}


def detail(kind: str, **members: Any) -> dict[str, Any]:
    """Return one of the details of an error."""
    return {"@type": f"type.googleapis.com/google.rpc.{kind}", **members}


def invalid(message: str) -> GoogleError:
    """400, with Google's reason for it."""
    return GoogleError(400, "INVALID_ARGUMENT", message)


def invalid_fields(*complaints: str) -> GoogleError:
    """400 for values that make no sense, each named by its path."""
    return invalid("".join(f"* {complaint}\n" for complaint in complaints))


def invalid_payload(message: str, where: str) -> GoogleError:
    """400 for JSON that does not fit the message; `where` is the path of the field."""
    violation = {"field": where, "description": message} if where else {"description": message}
    details = detail("BadRequest", fieldViolations=[violation])
    return GoogleError(400, "INVALID_ARGUMENT", message, details)


def unknown_field(name: str, where: str) -> GoogleError:
    """400 for a field that the message does not have."""
    place = f" at '{where}'" if where else ""
    return invalid_payload(
        f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot find field.', where
    )


def bad_key(service: str) -> GoogleError:
    """400, not 401: a key that Google does not know."""
    message = "API key not valid. Please pass a valid API key."
    return GoogleError(
        400,
        "INVALID_ARGUMENT",
        message,
        detail(
            "ErrorInfo",
            reason="API_KEY_INVALID",
            domain="googleapis.com",
            metadata={"service": service},
        ),
        detail("LocalizedMessage", locale="en-US", message=message),
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
