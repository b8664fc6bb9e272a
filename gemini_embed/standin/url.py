"""What the URL of a request says. Performs no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gemini_embed.models import BackendName


class Target(NamedTuple):
    """Which model is asked, on which of Google's two services, and for what.

    Attributes:
        version: Of the API.
        model: The id of the model; empty where all are asked for.
        method: What the model is to do; empty where it is only asked about.
        parent: On Vertex AI, `projects/{project}/locations/{location}/`, or nothing in express
            mode, where the key says both. None on the Gemini API.
    """

    version: str
    model: str
    method: str
    parent: str | None = None

    @classmethod
    def of(cls, found: Mapping[str, str]) -> Self:
        """Return what the parts of a URL's path say."""
        model, method = found.get("model", ""), found.get("method", "")
        return cls(found["version"], model, method, found.get("parent"))

    @property
    def vertex(self) -> bool:
        """Whether Vertex AI is asked."""
        return self.parent is not None

    @property
    def service(self) -> BackendName:
        """Which of the two services is asked."""
        return "vertex" if self.vertex else "gemini"

    @property
    def resource(self) -> str:
        """The full name of the model."""
        if self.parent is None:
            return f"models/{self.model}"
        return f"{self.parent}publishers/google/models/{self.model}"

    @property
    def names(self) -> tuple[str | None, ...]:
        """What a request may call the model; None where it need not name it in a batch."""
        if self.parent is None:
            return (self.resource,)
        return (None, self.resource, f"publishers/google/models/{self.model}")

    @property
    def location(self) -> str | None:
        """The region on Vertex AI, or `global`; None where the URL names none."""
        return self.parent.rstrip("/").rpartition("/")[2] if self.parent else None
