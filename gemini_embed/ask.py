"""What a service is asked for: all that its answer depends on but the content. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gemini_embed.media_facts import Modality
    from gemini_embed.models import BackendName, Model, Route


@dataclass(frozen=True, slots=True)
class Backend:
    """One of Google's two services.

    Attributes:
        name: `"gemini"` or `"vertex"`.
        why: What decided, in words.
        project: Google Cloud project, on Vertex AI.
        location: Its region there; None in express mode, where the key decides.
    """

    name: BackendName
    why: str
    project: str | None = None
    location: str | None = None

    def __str__(self) -> str:
        if self.name == "gemini":
            return f"the Gemini API ({self.why})"
        where = {"project": self.project, "location": self.location}
        place = "".join(f", {name} {value}" for name, value in where.items() if value)
        return f"Vertex AI{place} ({self.why})"


@dataclass(frozen=True, slots=True)
class Service:
    """The service that makes the vectors, as keys and fingerprints name it.

    Attributes:
        name: None for Google's own, whichever way it is asked.
        sent_model: The model's name as it is sent there.
        former: Model and service as release 0.1 named them, where that differs.
    """

    name: str | None
    sent_model: str
    former: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a service is asked for, whatever the content.

    Two equal contents with the same ask have the same vector, today or tomorrow, in one call or
    another. How often it is tried, how fast, and what the caller makes of it stand elsewhere.

    Attributes:
        model: Whose vectors.
        backend: Which of Google's two services, or whose ways a gateway follows.
        service: The names in keys and fingerprints.
        route: How the model is asked, and how much it takes in one request.
        output_dimensionality: What is asked for under this name; None for the model's own.
        may_cut: Whether the service may cut off a text that is too long; else it is asked to refuse
            it. The vector of a text that is not is the same.
    """

    model: Model
    backend: Backend
    service: Service
    route: Route
    output_dimensionality: int | None
    may_cut: bool = True

    @property
    def media_per_request(self) -> dict[Modality, int]:
        """How many media of each kind the service takes in one request."""
        facts = self.model.on(self.backend.name).media or {}
        return {kind: taken.most for kind, taken in facts.items()}

    @property
    def dimension(self) -> int:
        """The length of each vector of an answer."""
        return self.output_dimensionality or self.model.dimension
