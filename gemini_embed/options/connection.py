"""Options of the connection to the service, or to what stands for it. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gemini_embed.options import checks
from gemini_embed.options.checks import checked, optional
from gemini_embed.options.client_args import check_client_args
from gemini_embed.redaction import Url
from gemini_embed.service_address import read_address

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from google import genai
    from pydantic import SecretStr

    AnyClient: TypeAlias = genai.Client | None


def _base_url(name: str, value: object) -> str | None:
    text = checks.text_or_blank(name, value)
    read_address(text, name)
    return None if text is None else Url(text)


@dataclass(kw_only=True, eq=False, repr=False)
class ConnectionOptions:
    """How the service is reached, and through what."""

    base_url: str | None = field(default=None, metadata=checked(optional(_base_url)))
    """Another address than Google's, for gateways and the stand-in. Default:
    `GOOGLE_GEMINI_BASE_URL`, or `GOOGLE_VERTEX_BASE_URL` on Vertex AI, read when the embedder is
    built, or at its first use if they are not set by then. A version at its end (`/v1beta`) is
    taken for the `api_version`, if none is given."""

    service_name: str | None = field(default=None, metadata=checked(optional(checks.text)))
    """What cache keys and fingerprints call the service behind `base_url` or `client`. Default:
    its address. With a name of its own, or its earlier address, a gateway that moves keeps its
    index and its cache."""

    api_version: str | None = field(default=None, metadata=checked(optional(checks.text_or_blank)))
    """Another API version than the SDK's choice."""

    additional_headers: Mapping[str, str | SecretStr] | None = field(
        default=None, metadata=checked(optional(checks.headers))
    )
    """Sent with every request; treated as secrets."""

    client_args: Mapping[str, Any] | None = field(
        default=None, metadata=checked(optional(check_client_args))
    )
    """Options for the HTTP client, as `httpx.AsyncClient` takes them: `verify`, `proxy`, `headers`,
    `timeout` and others. They count whichever library the SDK would send through."""

    fast_decode: bool = field(default=True, metadata=checked(checks.flag))
    """Read the numbers of answers with pysimdjson, where it is installed (the extra `fast`) and
    `client` is not given. The vectors are the same either way."""

    client: AnyClient = field(
        default=None, metadata=checked(optional(checks.has("aio", what="a google.genai.Client")))
    )
    """A ready `google.genai.Client`, used as it is: it reads its answers itself, and takes `true`
    for 1 and `"0.5"` for 0.5. It cannot be pickled."""
