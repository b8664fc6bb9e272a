"""Where requests go, and with which credentials: read from an embedder's options. No I/O."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import chain
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from gemini_embed.ask import Service
from gemini_embed.credentials import find_key
from gemini_embed.model_names import bare_name, former_name, is_path_of_google
from gemini_embed.redaction import Url, of_client_args, of_credentials, of_headers, of_url
from gemini_embed.service.backend import names_location, own_address
from gemini_embed.service_address import gateway_of, normal_name, sent_to

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from google import genai

    from gemini_embed.ask import Backend
    from gemini_embed.credentials import Key
    from gemini_embed.models import BackendName, Model
    from gemini_embed.options import Options
    from gemini_embed.service_address import ServiceAddress

_A_CLIENT = "a client of the caller's"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to get to a service: where requests go, and with which credentials.

    Attributes:
        backend: The service.
        api_key: The key; None where credentials are used.
        credentials: Google Cloud credentials, or the path of a service account's file; None for
            Application Default Credentials, on Vertex AI without a key.
        identity: Where the key or the credentials came from, for error messages.
        timeout: Seconds for one whole attempt; None for no limit.
        base_url: Where requests go; None for the SDK's own choice.
        api_version: None for the SDK's own choice.
        headers: Headers of every request; their values are secrets.
        client_args: Options of the HTTP client, in httpx's words.
        client: A ready SDK client, used as it is.
        fast_decode: Whether to read answers' numbers with pysimdjson, where it is installed.
        media_in_flight: How many bytes of media may be on their way at once.
    """

    backend: Backend
    api_key: SecretStr | None
    credentials: Any = field(default=None, repr=False)
    identity: str
    timeout: float | None
    base_url: str | None = None
    api_version: str | None = None
    headers: Mapping[str, SecretStr] = field(default_factory=dict)
    client_args: Mapping[str, Any] | None = field(default=None, repr=False)
    client: genai.Client | None = field(default=None, repr=False)
    fast_decode: bool = True
    media_in_flight: int = 2**25

    def secrets(self) -> Iterator[str]:
        """Yield every secret in it, and in the addresses of the proxies on the way."""
        from urllib.request import getproxies  # noqa: PLC0415 - takes long, and is not always needed

        if self.api_key is not None:
            yield self.api_key.get_secret_value()
        yield from of_headers(self.headers)
        yield from of_url(self.base_url)
        yield from of_client_args(self.client_args)
        yield from of_credentials(self.credentials)
        yield from chain.from_iterable(map(of_url, getproxies().values()))


def service_of(
    options: Options, row: Model, address: ServiceAddress | None, backend: BackendName
) -> Service:
    """Return the service of an embedder.

    Args:
        options: The embedder's options.
        row: Its model.
        address: The address it sends to; None for the SDK's choice, or a client that has none.
        backend: Which of Google's services it asks, or whose API a gateway offers.
    """
    on_google = options.client is None if address is None else address.is_google
    name = None if on_google else _A_CLIENT if address is None else address.normal
    if options.service_name is not None:
        name = normal_name(options.service_name)
    # The SDK would make the same path of the bare id, and older versions look at the id alone.
    same = backend == "vertex" and is_path_of_google(options.model)
    sent_model = row.name if on_google or same else bare_name(options.model)
    written: list[str | None] = [address.written if address else None]
    if options.client is not None:
        written = []  # in 0.1 all clients had one name
    if options.service_name is not None:
        written.append(Url(options.service_name))
    elsewhere = address is not None
    model = former_name(options.model, row, elsewhere=elsewhere)
    former = [(model, service) for service in written] if model is not None else []
    return Service(name, sent_model, tuple(one for one in former if one != (row.name, name)))


def access_of(options: Options, backend: Backend, elsewhere: ServiceAddress | None) -> Access:
    """Return how an embedder gets to its service; a key in the environment is read now for good.

    Args:
        options: The embedder's options.
        backend: The service.
        elsewhere: The address to send to; None for Google's own.
    """
    key = find_key(options.api_key)
    if backend.name == "vertex" and key is not None and not key.is_own:
        # The SDK's order: a key of the environment comes last.
        if backend.project or options.credentials or names_location(options.location):
            key = None
        else:
            backend = replace(backend, location=None)  # express mode: the key decides
    headers: Any = options.additional_headers or {}  # secrets since they were checked
    base_url, api_version = None, options.api_version
    if elsewhere is not None:
        base_url, api_version = sent_to(elsewhere, api_version)
    elif gateway_of(backend.name) is not None:  # set only now: the SDK would follow it
        base_url = own_address(backend)
    return Access(
        backend=backend,
        api_key=key,
        credentials=options.credentials,
        identity=_identity(options, backend, key),
        timeout=options.timeout,
        base_url=None if base_url is None else Url(base_url),
        api_version=api_version,
        headers=headers,
        client_args=options.client_args,
        client=options.client,
        fast_decode=options.fast_decode,
        media_in_flight=options.media_in_flight,
    )


def account_of(access: Access, identity: Mapping[str, Any] | None, service: Service) -> str:
    """Return a name for what the service counts together, as far as is known: a project's model.

    It shows neither key nor project. Two keys of one project have two names. `identity` is None
    where nobody has looked for credentials: then it goes by what the caller said.
    """
    who = _said(access) if identity is None else identity
    if access.client is not None:  # there is no public way to ask it
        inner = getattr(access.client, "_api_client", None)
        who = {name: getattr(inner, name, None) for name in ("project", "location", "api_key")}
    key = who.get("api_key")
    plain = key.get_secret_value() if isinstance(key, SecretStr) else key
    known = service.name, service.sent_model, access.backend.name, plain
    named = json.dumps([*known, who.get("project"), who.get("location")], default=str)
    return blake2b(named.encode(), digest_size=16).hexdigest()


def _said(access: Access) -> dict[str, Any]:
    """Return what the options and the environment say of whose quota it is."""
    if access.backend.name != "vertex":
        return {"api_key": access.api_key}
    return {
        "project": access.backend.project or getattr(access.credentials, "project_id", None),
        "location": access.backend.location,
        "api_key": access.api_key,
    }


def _identity(options: Options, backend: Backend, key: Key | None) -> str:
    if options.client:
        who = "key from the client"
    elif options.credentials is not None:
        who = "credentials from the credentials argument"
    elif key is None:
        who = "Application Default Credentials" if backend.name == "vertex" else "no key"
    else:
        who = f"key from {key.source}"
    return f"{who}, for {backend}" if backend.name == "vertex" else who
