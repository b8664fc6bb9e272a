"""What a service said of its limits on one request, remembered for the process. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gemini_embed.backend import Backend
    from gemini_embed.models import Model, Route

_most_texts: dict[tuple[str, str, str | None], int] = {}


def most_texts(model: Model, backend: Backend, route: Route) -> int:
    """Return how many texts a request may have: as documented, or as a refusal has said."""
    return _most_texts.get((model.name, backend.name, backend.location), route.texts)


def learn_most_texts(model: Model, backend: Backend, most: int) -> None:
    """Remember what a refusal said."""
    _most_texts[model.name, backend.name, backend.location] = max(1, most)
