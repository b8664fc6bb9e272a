"""Who may ask: the keys and access tokens that each of the services takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemini_embed.standin import gemini_errors, google_errors, storage_errors, vertex_errors
from gemini_embed.standin.file_requests import continues_upload
from gemini_embed.standin.url import Target

if TYPE_CHECKING:
    from aiohttp import web

INVALID_KEY = "invalid-key"
"""Never accepted, so that a wrong key can be shown."""

INVALID_TOKEN = "invalid-token"  # noqa: S105  # opens nothing, on purpose
"""Never accepted by Vertex AI, so that a wrong access token can be shown."""


class Callers:
    """Refuses callers; `api_keys` are the keys to accept, None for any but the invalid one."""

    def __init__(self, api_keys: frozenset[str] | None) -> None:
        self._api_keys = api_keys

    def check(self, request: web.Request, target: Target) -> None:
        """Refuse who may not ask for embeddings: Vertex AI takes a token, too.

        Raises:
            GoogleError: He has neither, or one that is not accepted.
        """
        if target.vertex and "Authorization" in request.headers:
            if not _has_token(request):
                raise vertex_errors.unauthenticated(target, missing=False)
            return
        key = _key_of(request)
        if not key and target.vertex:
            raise vertex_errors.unauthenticated(target, missing=True)
        if not key:
            raise gemini_errors.missing_key()
        if key == INVALID_KEY or (self._api_keys is not None and key not in self._api_keys):
            raise google_errors.bad_key(
                vertex_errors.SERVICE if target.vertex else gemini_errors.SERVICE
            )

    def check_gemini(self, request: web.Request) -> None:
        """Refuse who may not ask the Gemini API for files and jobs.

        Raises:
            GoogleError: He has no key that is accepted.
        """
        if not continues_upload(request):
            self.check(request, Target.of(request.match_info))

    def check_vertex(self, request: web.Request) -> None:
        """Refuse who may not ask Vertex AI for jobs.

        Raises:
            GoogleError: He has no token that is accepted; a key is none.
        """
        if _has_token(request):
            return
        if _key_of(request) and "Authorization" not in request.headers:
            raise vertex_errors.keys_not_supported()
        target = Target.of({**request.match_info, "parent": ""})
        raise vertex_errors.unauthenticated(target, missing="Authorization" not in request.headers)

    def check_storage(self, request: web.Request) -> None:
        """Refuse who may not ask Cloud Storage.

        The address of an upload that has begun is the caller's alone, and needs nothing else.

        Raises:
            GoogleError: He has no token that is accepted.
        """
        if not _has_token(request) and not request.query.get("upload_id"):
            raise storage_errors.unauthenticated(missing="Authorization" not in request.headers)


def _has_token(request: web.Request) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and token.strip() not in ("", INVALID_TOKEN)


def _key_of(request: web.Request) -> str | None:
    return request.headers.get("x-goog-api-key") or request.query.get("key")
