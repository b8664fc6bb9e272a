"""Titles of a stream: read beside the texts, one for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers import joined, sent_texts
from streams.reading import DIMENSION, WAYS, aread, slowly

from gemini_embed import ConfigurationError, GeminiEmbedder, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.reading import Read

    from gemini_embed import StreamBlock
    from gemini_embed.standin import Standin

    Maker = Callable[..., GeminiEmbedder]

TEXTS = [f"text {i}" for i in range(250)]
TITLES = [f"title {i}" if i % 3 else None for i in range(250)]


@pytest.fixture
def made(embedder: Maker) -> GeminiEmbedder:
    return embedder(output_dimensionality=DIMENSION)


@WAYS
def test_each_text_goes_with_its_title(
    reading: Read, made: GeminiEmbedder, server: Standin
) -> None:
    """Titles may be any iterable too, and are in the vectors as those of `embed`."""
    blocks = reading(made, TEXTS, titles=(title for title in TITLES), size=100)
    sent = sorted(joined(sent_texts(server)))
    whole = made.embed(TEXTS, titles=TITLES, role="document")

    assert [block.items for block in blocks] == [TEXTS[:100], TEXTS[100:200], TEXTS[200:]]
    assert np.array_equal(np.concatenate([block.vectors for block in blocks]), whole.vectors)
    assert sent[0] == "title: none | text: text 0"
    assert "title: title 7 | text: text 7" in sent


def test_titles_of_an_async_source(made: GeminiEmbedder) -> None:
    """In an event loop both may wait for what is read."""
    blocks = aread(made, slowly(TEXTS), titles=slowly(TITLES), size=250)
    whole = made.embed(TEXTS, titles=TITLES, role="document")

    assert np.array_equal(blocks[0].vectors, whole.vectors)


@WAYS
@pytest.mark.parametrize(
    ("titles", "said"),
    [
        (TITLES[:130], "the titles ended after 130, and there are more items"),
        ([*TITLES, None], "the items ended after 250, and there are more titles"),
    ],
)
def test_titles_that_do_not_fit(
    titles: list[str | None], said: str, reading: Read, made: GeminiEmbedder
) -> None:
    """No text gets another's title, or none in silence; what came before is handed over."""
    blocks: list[StreamBlock[str]] = []

    with pytest.raises(ConfigurationError, match=said):
        reading(made, TEXTS, blocks, titles=titles, size=100)

    assert sum(len(block.items) for block in blocks) == min(len(titles), len(TEXTS))


@WAYS
def test_a_title_that_is_none_of_its_kind(reading: Read, made: GeminiEmbedder) -> None:
    """The error counts from the beginning of the stream."""
    titles: list[Any] = [*TITLES[:170], 7, *TITLES[171:]]
    blocks: list[StreamBlock[str]] = []

    with pytest.raises(InvalidInputError, match="the title of text 170") as caught:
        reading(made, TEXTS, blocks, titles=titles, size=100)

    assert (caught.value.index, len(blocks)) == (170, 1)


def test_titles_are_read_with_their_texts(made: GeminiEmbedder) -> None:
    """Neither is read far ahead of what is sent."""
    read: list[str] = []

    def noted(name: str) -> Iterator[str]:
        for number in range(10_000):
            read.append(name)
            yield f"{name} {number}"

    blocks = made.embed_stream(noted("text"), role="document", titles=noted("title"), size=100)
    next(blocks)
    blocks.close()

    assert read.count("text") == read.count("title") < 3_000
