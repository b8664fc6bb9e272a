"""Calls in virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import virtual
from hypothesis import strategies as st
from virtual import Service, assert_right, engine, now, request

from gemini_embed.errors import GeminiEmbedError

if TYPE_CHECKING:
    from gemini_embed.results import EmbeddingResult


WAYS = st.tuples(st.floats(0.001, 2), st.floats(0.001, 2))


def texts(count: int) -> list[str]:
    return [f"{i:x}" for i in range(count)]


def embedded(
    service: Service, wanted: list[str], *, call: dict[str, Any] | None = None, **options: Any
) -> float:
    """Embed in virtual time, check every vector, and return the seconds it took."""

    async def main() -> tuple[EmbeddingResult, float]:
        result = await engine(service, **options).embed(*request(wanted, **(call or {})))
        return result, now()

    result, seconds = virtual.run(main())
    assert_right(result, wanted)
    return seconds


def failed(
    service: Service, wanted: list[str], *, call: dict[str, Any] | None = None, **options: Any
) -> GeminiEmbedError:
    async def main() -> EmbeddingResult:
        return await engine(service, **options).embed(*request(wanted, **(call or {})))

    with pytest.raises(GeminiEmbedError) as caught:
        virtual.run(main())
    return caught.value
