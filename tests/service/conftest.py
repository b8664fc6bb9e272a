"""Embedders that ask Vertex AI, and embedders that send through either HTTP library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from service.vertex import credentials

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed import GeminiEmbedder

    Maker = Callable[..., GeminiEmbedder]


@pytest.fixture
def vertex(embedder: Maker) -> Maker:
    """Return a maker of embedders that ask Vertex AI, as the stand-in plays it."""

    def make(**options: Any) -> GeminiEmbedder:
        given = {"api_key": None, "project": "a-project", "credentials": credentials()}
        return embedder(**{**given, **options})

    return make


@pytest.fixture(params=["aiohttp", "httpx"])
def maker(request: pytest.FixtureRequest, embedder: Maker) -> Maker:
    """Return a maker of embedders whose SDK sends through one HTTP library or the other."""

    def make(**options: Any) -> GeminiEmbedder:
        if request.param == "httpx":
            options.setdefault("client_args", {"follow_redirects": True})
        return embedder(**options)

    return make
