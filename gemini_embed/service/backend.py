"""Which of Google's two services is asked, and why: the Gemini API or Vertex AI.

Reads the environment and the SDK's version; performs no other I/O.
"""

from __future__ import annotations

import os
import re
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from gemini_embed.ask import Backend
from gemini_embed.errors import ConfigurationError

if TYPE_CHECKING:
    from gemini_embed.models import Model

_SWITCHES = ("GOOGLE_GENAI_USE_ENTERPRISE", "GOOGLE_GENAI_USE_VERTEXAI")
"""Turn Vertex AI on or off; the SDK's order."""

_ON = frozenset({"true", "1", "yes", "on"})
_OFF = frozenset({"false", "0", "no", "off"})


def choose_backend(
    *, vertexai: bool | None, project: str | None, location: str | None, credentials: object
) -> Backend:
    """Return the service that options and environment choose, without project and location.

    `vertexai` decides; then the environment; then whether there is an option that only Vertex AI
    has. langchain-google-genai has the same order.

    Raises:
        ConfigurationError: There are options of Vertex AI for the Gemini API, or an environment
            variable is neither true nor false.
    """
    given = {"project": project, "location": location, "credentials": credentials}
    only_vertex = [name for name, value in given.items() if value]
    if vertexai is not None:
        if not vertexai and only_vertex:
            raise ConfigurationError(
                f"vertexai=False: the Gemini API takes no {' and no '.join(only_vertex)}"
            )
        return Backend("vertex" if vertexai else "gemini", f"vertexai={vertexai}")
    for name in _SWITCHES:
        if (switch := _switch(name)) is not None:
            why = f"{name} is set to {str(switch).lower()}"
            return Backend("vertex" if switch else "gemini", why)
    if credentials or project:
        return Backend("vertex", f"{' and '.join(only_vertex)} given")
    if location:
        raise ConfigurationError(
            "location belongs to Vertex AI; give vertexai=True, project or credentials too"
        )
    return Backend("gemini", "the default")


def with_location(
    backend: Backend, model: Model, *, project: str | None, location: str | None, express: bool
) -> Backend:
    """Return a Vertex backend with its project and location.

    With `express` and without a project, the key decides both.
    """
    if backend.name == "gemini":
        return backend
    if express and not project:
        return Backend("vertex", backend.why, location=location)
    return Backend(
        "vertex",
        backend.why,
        project=project or os.environ.get("GOOGLE_CLOUD_PROJECT") or None,
        location=location or os.environ.get("GOOGLE_CLOUD_LOCATION") or model.vertex.location,
    )


def own_address(backend: Backend) -> str:
    """Return Google's own address of a service, as the SDK chooses it."""
    if backend.name == "gemini":
        return "https://generativelanguage.googleapis.com"
    match backend.location:
        case None | "global":
            return "https://aiplatform.googleapis.com"
        case "us" | "eu":
            return f"https://aiplatform.{backend.location}.rep.googleapis.com"
        case _:
            return f"https://{backend.location}-aiplatform.googleapis.com"


def names_location(location: str | None) -> bool:
    """Tell whether a location was asked for, by option or environment."""
    return bool(location or os.environ.get("GOOGLE_CLOUD_LOCATION"))


def _switch(name: str) -> bool | None:
    value = os.environ.get(name, "").strip().lower()
    if not value:
        return None
    if value not in _ON | _OFF:
        raise ConfigurationError(f"{name}={value!r} is neither true nor false")
    return value in _ON


@cache
def sdk_version() -> tuple[int, int]:
    """Return the major and minor version of google-genai; asking loads no SDK."""
    major, minor = re.findall(r"\d+", version("google-genai"))[:2]
    return int(major), int(minor)
