"""Options that say which model is asked, where, and with which credentials. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gemini_embed.credentials import find_key
from gemini_embed.options import checks
from gemini_embed.options.checks import checked, optional

if TYPE_CHECKING:
    from os import PathLike
    from typing import TypeAlias

    from google.auth.credentials import Credentials
    from pydantic import SecretStr

    AnyCredentials: TypeAlias = Credentials | str | PathLike[str] | None


@dataclass(kw_only=True, eq=False, repr=False)
class ServiceOptions:
    """Which model is asked, where, and with which credentials."""

    model: str = field(default="gemini-embedding-2", metadata=checked(checks.text))
    """Model id, a path such as `models/` or `google/` in front or not."""

    behaves_like: str | None = field(default=None, metadata=checked(optional(checks.text)))
    """The known model that a gateway's own model name stands for: its dimension, task and length
    are then those. Needed for a name that is not a known id; refused for one that is."""

    api_key: str | SecretStr | None = field(
        default=None, metadata=checked(lambda _, v: find_key(v))
    )
    """Google API key. Default: `GOOGLE_API_KEY`, then `GEMINI_API_KEY`, read when the embedder is
    built, or at the first call if they are not set by then. On Vertex AI a key without a project
    is express mode."""

    vertexai: bool | None = field(default=None, metadata=checked(optional(checks.flag)))
    """Ask Vertex AI rather than the Gemini API. Default: as `GOOGLE_GENAI_USE_VERTEXAI` says (true
    or false), else where `project` or `credentials` are given."""

    project: str | None = field(default=None, metadata=checked(optional(checks.text_or_blank)))
    """Google Cloud project. Default: `GOOGLE_CLOUD_PROJECT`."""

    location: str | None = field(default=None, metadata=checked(optional(checks.text_or_blank)))
    """Its region. Default: `GOOGLE_CLOUD_LOCATION`, else one that serves the model."""

    credentials: AnyCredentials = field(
        default=None,
        metadata=checked(
            optional(
                checks.path_or(
                    checks.has(
                        "before_request",
                        what="credentials of google-auth, or the path of a service account's file",
                    )
                )
            )
        ),
    )
    """Credentials of google-auth, or the path of a service account's file. Default on Vertex AI,
    without a key: Application Default Credentials."""
