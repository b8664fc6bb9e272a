"""The address of a gateway or a proxy: parsed, normalised, and named in cache keys.

Performs no I/O but for the environment.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from gemini_embed.errors import ConfigurationError
from gemini_embed.notices import warn
from gemini_embed.redaction import Url, forgetful

if TYPE_CHECKING:
    from gemini_embed.models import BackendName

_SCHEMES = {"http": 80, "https": 443}

_VERSION = re.compile(r"/(v\d+(?:alpha|beta)?\d*)/*$")
"""An API version at the end of an address, where other libraries expect it."""

_HOST = re.compile(r"[\w.-]+|\[[0-9a-f:.%\w]+\]", re.IGNORECASE)

_GOOGLE = re.compile(
    r"https://(generativelanguage|([a-z0-9-]+-)?aiplatform|aiplatform\.[a-z]+\.rep)"
    r"(\.mtls)?\.googleapis\.com"
)
"""The addresses of the Gemini API and of Vertex AI, normalised."""

VARIABLES: dict[BackendName, str] = {
    "gemini": "GOOGLE_GEMINI_BASE_URL",
    "vertex": "GOOGLE_VERTEX_BASE_URL",
}
"""Where the SDK looks for an address that no option gives."""


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """The address that requests go to, instead of the one that the SDK would choose.

    Attributes:
        written: As the caller wrote it.
        url: The same without an API version and a slash at its end.
        api_version: The API version at its end; None where there is none.
        normal: One form for all spellings of an address. Without user name, password and query.
    """

    written: str
    url: str
    api_version: str | None
    normal: str

    @property
    def is_google(self) -> bool:
        """Whether it is Google's own service, spelled out."""
        return _GOOGLE.fullmatch(self.normal) is not None

    @property
    def can_be_read(self) -> bool:
        """Whether others can read what is sent there: plain http, to another machine."""
        parts = urlsplit(self.normal)
        return parts.scheme == "http" and not _is_loopback(parts.hostname or "")


def warn_of_plain_http(address: ServiceAddress) -> None:
    """Warn where others in the network can read the key or the access token."""
    if address.can_be_read:
        host = urlsplit(address.normal).netloc
        warn(
            f"the key or access token goes to {host} over plain http, where others in the "
            "network can read it; give an address that begins with https://"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name
        return host == "localhost" or host.endswith(".localhost")


def address_of_client(client: object) -> ServiceAddress | None:
    """Return the address of a caller's client; None where it has none. There is no public way."""
    inner = getattr(client, "_api_client", None)
    written = getattr(getattr(inner, "_http_options", None), "base_url", None)
    return read_address(written, "client") if isinstance(written, str) else None


@forgetful
def read_address(written: str | None, source: str) -> ServiceAddress | None:
    """Parse an address; return None for a blank one, which counts as not given.

    Args:
        written: The address.
        source: What held it, for errors: the option or the variable.

    Raises:
        ConfigurationError: It is no address of a service. The message does not show it, since it
            may hold a password.
    """
    text = (written or "").strip()
    if not text:
        return None
    parts = _split(text, source)
    found = _VERSION.search(parts.path)
    path = parts.path[: found.start()] if found else parts.path.rstrip("/")
    url = parts._replace(scheme=parts.scheme.lower(), path=path).geturl()
    if path and _GOOGLE.fullmatch(_normal(parts, "")):
        raise ConfigurationError(f"{source}: Google's own address has no path but an API version")
    return ServiceAddress(Url(text), Url(url), found[1] if found else None, _normal(parts, path))


def sent_to(address: ServiceAddress, api_version: str | None) -> tuple[str, str | None]:
    """Return the address for the SDK, and the API version that the SDK appends to it.

    A version at the end of the address is the API version. Where another one is given as well, it
    is a part of a gateway's path, and stays where it is.

    Raises:
        ConfigurationError: There are two versions, and the address is Google's own.
    """
    if address.api_version is None or api_version in {None, address.api_version}:
        return address.url, api_version or address.api_version
    if address.is_google:
        raise ConfigurationError(
            f"base_url says {address.api_version}, and api_version {api_version}; give one of them"
        )
    return address.written.rstrip("/"), api_version


def gateway_of(backend: BackendName) -> ServiceAddress | None:
    """Return the address that the environment names, if any."""
    name = VARIABLES[backend]
    return read_address(os.environ.get(name), name)


def normal_name(service: str) -> str:
    """Return the name of a service, normalised if it is an address."""
    try:
        address = read_address(service, "service_name")
    except ConfigurationError:
        return service
    return address.normal if address else service


def _split(text: str, source: str) -> SplitResult:
    if not text.lower().startswith(("http://", "https://")):
        raise ConfigurationError(
            f"{source} must begin with http:// or https://, for instance https://gateway.example"
        )
    if not text.isprintable() or " " in text:
        raise ConfigurationError(f"{source} holds characters that an address cannot hold")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:  # quotes what it did not understand
        raise ConfigurationError(f"{source} has a port or brackets that are not valid") from None
    host = parts.hostname or ""
    if not _HOST.fullmatch(f"[{host}]" if ":" in host else host) or port == 0:
        raise ConfigurationError(f"{source} names no host, or one that is not valid")
    if parts.fragment:
        raise ConfigurationError(f"{source}: an address of a service has no part after #")
    return parts


def _normal(parts: SplitResult, path: str) -> str:
    host = (parts.hostname or "").rstrip(".")
    shown = f"[{host}]" if ":" in host else host
    port = "" if parts.port in {None, _SCHEMES[parts.scheme.lower()]} else f":{parts.port}"
    return f"{parts.scheme.lower()}://{shown}{port}{path}"
