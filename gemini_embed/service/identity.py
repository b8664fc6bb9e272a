"""With which credentials requests are sent: a key, or credentials of Google Cloud.

It loads google-auth, so it is imported with the SDK, at the first call.
"""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import google.auth
from google.auth import exceptions as google_auth_errors
from google.auth.environment_vars import CREDENTIALS as CREDENTIAL_FILE

from gemini_embed.background import process
from gemini_embed.background.threads import in_thread
from gemini_embed.errors import ConfigurationError
from gemini_embed.redaction import Secrets

if TYPE_CHECKING:
    from gemini_embed.ask import Backend
    from gemini_embed.service.access import Access

_SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]


async def identify(access: Access) -> dict[str, Any]:
    """Return the SDK client's options for the service and the credentials.

    Finding credentials may take seconds, so another thread does it.

    Raises:
        ConfigurationError: There is no key, or no credentials that can be read.
    """
    if access.client is not None:
        return {}
    if access.backend.name == "vertex":
        return await in_thread(_on_vertex, access)
    if not access.api_key:
        raise ConfigurationError(
            "no API key: pass api_key, or set GOOGLE_API_KEY or GEMINI_API_KEY "
            "(both were looked at; empty counts as unset)"
        )
    return {"vertexai": False, "api_key": access.api_key}


def _on_vertex(access: Access) -> dict[str, Any]:
    backend, credentials = access.backend, access.credentials
    if isinstance(credentials, str | PathLike):
        credentials = _from_file(credentials)
    elif not (credentials or access.api_key) and (named := os.environ.get(CREDENTIAL_FILE)):
        _check_regular(named)
    project = backend.project or getattr(credentials, "project_id", None)
    if not (project or access.api_key or access.base_url):
        found, project = _found(backend)
        credentials = credentials or found
    if credentials is not None and not project:
        raise ConfigurationError(f"{backend}: credentials need a project; pass project")
    return {
        "vertexai": True,
        "project": project,
        "location": backend.location,
        "credentials": credentials,
        "api_key": access.api_key,
    }


def _found(backend: Backend) -> tuple[Any, str | None]:
    """Return Application Default Credentials, and the project that they name."""
    try:
        return google.auth.default(scopes=_SCOPES)
    except google_auth_errors.GoogleAuthError as error:
        clean = Secrets(()).cleaned(error)  # it may hold what was read from a file
    raise ConfigurationError(
        f"{backend}: no credentials were given, and none found: {clean}. Pass api_key, or "
        "credentials and project, or set up Application Default Credentials"
    ) from clean


def _from_file(path: str | PathLike[str]) -> Any:
    """Return the credentials in a service account's file."""
    _check_regular(path)
    with process.importing():  # loads cryptography, which takes a tenth of the first call
        from google.oauth2 import service_account  # noqa: PLC0415 - see above
    try:
        return service_account.Credentials.from_service_account_file(  # type: ignore[no-untyped-call] # google-auth is untyped here
            os.fspath(path), scopes=_SCOPES
        )
    except (OSError, ValueError, google_auth_errors.GoogleAuthError) as error:
        clean = Secrets(()).cleaned(error)  # it may hold what was read from the file
    raise ConfigurationError(
        f"{path} cannot be read as a service account's file: {clean}. Credentials of another "
        "kind can be passed as an object, or named by GOOGLE_APPLICATION_CREDENTIALS"
    ) from clean


def _check_regular(path: str | PathLike[str]) -> None:
    """Refuse what is not a regular file: opening a pipe would wait until somebody fills it."""
    if Path(path).exists() and not Path(path).is_file():
        raise ConfigurationError(
            f"{os.fspath(path)} is not a regular file, and credentials are read from one"
        )
