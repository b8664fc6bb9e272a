"""An embedder that talks to a server which embeds media."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from media.echo import DIMENSION, Echo, echo

from gemini_embed import GeminiEmbedder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def service() -> Iterator[Echo]:
    with echo() as told:
        yield told


@pytest.fixture
def make(service: Echo) -> Callable[..., GeminiEmbedder]:
    """Return a maker of embedders that talk to it and retry at once."""

    def made(**options: Any) -> GeminiEmbedder:
        given: dict[str, Any] = {
            "api_key": "a-key",
            "base_url": service.url,
            "output_dimensionality": DIMENSION,
            "normalize": False,
            "retry_min_seconds": 0.001,
            "retry_max_seconds": 0.002,
            **options,
        }
        with pytest.warns(UserWarning, match="below 128"):
            return GeminiEmbedder(**given)

    return made
