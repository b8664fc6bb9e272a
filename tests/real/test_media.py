"""Recorded requests with media, played against this project: ours are the same."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from media.samples import mp4, pdf, png
from real.catalogue import MEDIA, PICTURE
from real.recordings import exchanges
from real.test_real_exchanges import _details, _plain

from gemini_embed import GeminiEmbedder, InvalidInputError, Media, NoVectorError, fused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from real.recordings import Exchange

    from gemini_embed.standin import Standin

    Maker = Callable[..., GeminiEmbedder]

FILES = {"jetpack.png": png(1), "handwriting_form.pdf": pdf(1)}
"""The notebook names its files; these stand for them."""

TEXT = "The jetpack is cool"
THREE = (
    "What is the meaning of life?",
    "How much wood would a woodchuck chuck?",
    "How does the brain work?",
)
PNG = Media.from_bytes(FILES["jetpack.png"])
NOTEBOOK: dict[int, list[Any]] = {
    0: [PNG],
    1: [[TEXT, PNG]],
    2: [TEXT, Media.from_bytes(FILES["jetpack.png"], mime_type="image/jpeg")],  # it says so
    4: [Media.from_bytes(FILES["handwriting_form.pdf"])],
    5: [fused(*THREE)],
}
"""The number of an exchange -> the items that make it."""


def _with_files(asked: Any) -> Any:
    """Return a recorded request with the bytes of our files."""
    text = json.dumps(asked)
    for part in (part for one in asked["requests"] for part in one["content"]["parts"]):
        if "inline_data" in part:
            named = part["inline_data"]["data"]
            data = FILES[named.rpartition("/")[2].rstrip(">")]
            text = text.replace(named, base64.b64encode(data).decode())
    return json.loads(text)


def test_a_picture_beside_a_text(
    server: Standin, embedder: Maker, recorded: Callable[[str], Exchange]
) -> None:
    """Our request is the recorded one; its answer is read: the vector, 258 tokens and 3."""
    exchange = recorded(PICTURE)
    text, picture = exchange.asked["requests"][0]["content"]["parts"]
    data = base64.b64decode(picture["inline_data"]["data"])
    server.script.append((200, exchange.answered, {}))

    given = exchange.asked["requests"][0].get("outputDimensionality")
    result = embedder(output_dimensionality=given).embed(
        [[text["text"], Media.from_bytes(data)]], role="document"
    )
    (sent,) = server.log
    assert _plain(sent.body) == _plain(exchange.asked)
    assert np.array_equal(result.vectors, np.array(exchange.vectors, np.float32))
    told = _details(exchange.answered["usageMetadata"])
    assert dict(result.usage.by_modality) == told == {"IMAGE": 258, "TEXT": 3}
    assert result.usage.prompt_tokens == 261


@pytest.mark.parametrize("number", NOTEBOOK)
def test_googles_notebook(server: Standin, embedder: Maker, folder: Path, number: int) -> None:
    """Our request is the recorded one, and where the whole answer was kept, so are the vectors."""
    exchange = exchanges(folder / MEDIA)[number]
    has_vectors = all("values" in one for one in exchange.answered["embeddings"])
    if has_vectors:
        server.script.append((200, exchange.answered, {}))
    result = embedder(task_prefix=False).embed(NOTEBOOK[number], role="document")
    (sent,) = server.log
    assert _plain(sent.body) == _plain(_with_files(exchange.asked))
    if has_vectors:
        assert np.array_equal(result.vectors, np.array(exchange.vectors, np.float32))


def test_a_film_declared_as_sound(server: Standin, embedder: Maker, folder: Path) -> None:
    """The notebook got no vector for it: here it is refused; and such an answer is an error."""
    exchange = exchanges(folder / MEDIA)[3]
    declared = exchange.asked["requests"][0]["content"]["parts"][0]["inline_data"]["mime_type"]
    with pytest.raises(InvalidInputError, match=r"takes no video/wav|declared as"):
        embedder().embed([Media.from_bytes(mp4(), mime_type=declared)], role="document")
    assert server.log == []

    server.script.append((200, exchange.answered, {}))
    with pytest.raises(NoVectorError) as caught:
        embedder().embed([Media.from_bytes(mp4())], role="document")
    assert caught.value.indexes == (0,)
    assert len(server.log) == 1
