"""Somebody who may use Vertex AI, and what was sent there."""

from __future__ import annotations

from typing import Any

from google.oauth2.credentials import Credentials

TOKEN = "a-token-of-somebody"  # noqa: S105 - the stand-in takes any


def credentials() -> Credentials:
    return Credentials(token=TOKEN)  # type: ignore[no-untyped-call] # google-auth is untyped here


def texts_of(body: Any) -> list[str]:
    """Return the texts of a request, by whichever route it came."""
    if "instances" in body:
        return [instance["content"] for instance in body["instances"]]
    requests = body.get("requests", [body])
    return [request["content"]["parts"][0]["text"] for request in requests]
