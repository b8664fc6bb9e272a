"""Where requests go, and as whom: an embedder's options, read for its connection. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from gemini_embed.backend import names_location
from gemini_embed.credentials import find_key, is_own, key_source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google import genai

    from gemini_embed.backend import Backend
    from gemini_embed.embedder import GeminiEmbedder


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to send, and as whom.

    Attributes:
        backend: The service.
        api_key: The key itself; never shown.
        credentials: Google Cloud credentials, or the path of a service account's file; None for
            Application Default Credentials, on Vertex AI without a key.
        identity: As whom, for error messages: where key or credentials came from.
        timeout: Seconds for one attempt, whole; None for no limit.
        base_url: Instead of Google's.
        api_version: Instead of the SDK's own choice.
        headers: Sent with every request.
        client_args: Given to the SDK's HTTP library.
        client: A ready SDK client, used as it is.
        fast_decode: Whether to read answers' numbers ourselves, where we can.
    """

    backend: Backend
    api_key: str | None = field(repr=False)
    credentials: Any = field(default=None, repr=False)
    identity: str
    timeout: float | None
    base_url: str | None = None
    api_version: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    client_args: Mapping[str, Any] | None = field(default=None, repr=False)
    client: genai.Client | None = field(default=None, repr=False)
    fast_decode: bool = True


def address_of(embedder: GeminiEmbedder, backend: Backend) -> Address:
    """Return the address of an embedder; a key in the environment is read now at the latest."""
    key = find_key(embedder.api_key)
    if backend.name == "vertex" and key is not None and not is_own(key):
        # The SDK's order: a key of the environment comes last.
        if backend.project or embedder.credentials or names_location(embedder.location):
            key = None
        else:
            backend = replace(backend, location=None)  # express mode: the key says where
    return Address(
        backend=backend,
        api_key=key.get_secret_value() if key else None,
        credentials=embedder.credentials,
        identity=_identity(embedder, backend, key),
        timeout=embedder.timeout,
        base_url=embedder.base_url,
        api_version=embedder.api_version,
        headers={
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in (embedder.additional_headers or {}).items()
        },
        client_args=embedder.client_args,
        client=embedder.client,
        fast_decode=embedder.fast_decode,
    )


def _identity(embedder: GeminiEmbedder, backend: Backend, key: SecretStr | None) -> str:
    if embedder.client:
        who = "key from the client"
    elif embedder.credentials is not None:
        who = "credentials from the credentials argument"
    elif key is None and backend.name == "vertex":
        who = "Application Default Credentials"
    else:
        who = f"key from {key_source(key)}"
    return f"{who}, for {backend}" if backend.name == "vertex" else who
