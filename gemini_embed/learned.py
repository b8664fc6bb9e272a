"""What a service said of its limits on one request, remembered for the process. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gemini_embed.backend import Backend
    from gemini_embed.request import Request

_most_texts: dict[tuple[str, Backend, str | None], int] = {}


def most_texts(request: Request) -> int:
    """Return how many texts a request may have: as documented, or as a refusal has said."""
    return _most_texts.get(_of(request), request.route.texts)


def learn_most_texts(request: Request, most: int) -> None:
    """Remember what a refusal said, for this model at this service and place."""
    _most_texts[_of(request)] = max(1, most)


def _of(request: Request) -> tuple[str, Backend, str | None]:
    return request.model.name, request.backend, request.service
