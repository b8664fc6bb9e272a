"""Google's own client reads what the stand-in answers as Vertex AI."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google import genai
from google.genai import errors as genai_errors
from google.genai import types
from google.oauth2.credentials import Credentials
from standin.messages import NEW, OLD, OLDER

if TYPE_CHECKING:
    from gemini_embed.standin import Standin

HUGE = "1" * 8193


def client(server: Standin, *, location: str = "global", good: bool = True) -> genai.Client:
    return genai.Client(
        vertexai=True,
        project="p",
        location=location,
        credentials=Credentials(token="t" if good else "invalid-token"),  # type: ignore[no-untyped-call]
        http_options=types.HttpOptions(base_url=server.url),
    )


@pytest.mark.parametrize(("model", "location"), [(OLD, "global"), (OLDER, "us-central1")])
async def test_googles_own_client(server: Standin, model: str, location: str) -> None:
    """Google's SDK reads the answers for several texts, at once and awaited."""
    contents: list[types.ContentUnion] = [
        types.Content(parts=[types.Part(text=text)]) for text in ("a", "b")
    ]
    config = types.EmbedContentConfig(task_type="CLUSTERING", output_dimensionality=64)
    sdk = client(server, location=location)
    try:
        asked = sdk.models.embed_content(model=model, contents=contents, config=config)
        awaited = await sdk.aio.models.embed_content(model=model, contents=contents, config=config)
    finally:
        sdk.close()
        await sdk.aio.aclose()
    expected = [server.vector(text, "CLUSTERING", model, dimension=64) for text in ("a", "b")]
    for answer in (asked, awaited):
        assert [one.values for one in answer.embeddings or []] == expected
    assert {exchange.status for exchange in server.log} == {200}


def test_googles_own_client_reads_statistics(server: Standin) -> None:
    """Google's SDK finds the tokens, and that a text was cut off, where it looks for them."""
    sdk = client(server)
    try:
        answer = sdk.models.embed_content(model=NEW, contents=HUGE)
        (one,) = answer.embeddings or []
        assert one.values == server.vector(HUGE, model=NEW)
        assert one.statistics is not None
        assert (one.statistics.token_count, one.statistics.truncated) == (8192, True)
    finally:
        sdk.close()


def test_googles_own_client_is_refused(server: Standin) -> None:
    """Google's SDK raises the refusals with their status and message."""
    for sdk, model, status in (
        (client(server, good=False), NEW, 401),
        (client(server, location="us-central1"), NEW, 404),
    ):
        try:
            with pytest.raises(genai_errors.ClientError) as caught:
                sdk.models.embed_content(model=model, contents="a")
        finally:
            sdk.close()
        assert caught.value.code == status


def test_googles_own_client_in_express_mode(server: Standin) -> None:
    """A key without a project leads to the same vectors."""
    sdk = genai.Client(
        vertexai=True, api_key="k", http_options=types.HttpOptions(base_url=server.url)
    )
    try:
        answer = sdk.models.embed_content(model=NEW, contents="a")
    finally:
        sdk.close()
    assert [one.values for one in answer.embeddings or []] == [server.vector("a", model=NEW)]
    (exchange,) = server.log
    assert exchange.path.endswith(f"/publishers/google/models/{NEW}:embedContent")
    assert "projects" not in exchange.path
