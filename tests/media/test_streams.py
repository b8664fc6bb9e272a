"""Media in a stream: each its own vector, at its place, few of them in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from media.samples import jpeg, png
from streams.reading import WAYS

from gemini_embed import ConfigurationError, GeminiEmbedder, InvalidInputError, Media, fused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from media.echo import Echo
    from streams.reading import Read

    from gemini_embed import StreamBlock

    Maker = Callable[..., GeminiEmbedder]


def items_of(folder: Path) -> list[Any]:
    """Return texts, media and what is fused, of bytes and of files."""
    for number in range(4):
        (folder / f"{number}.jpg").write_bytes(jpeg(number))
    return [
        "a text",
        *(Media.from_path(folder / f"{number}.jpg") for number in range(4)),
        ["a caption", Media.from_bytes(png(1))],
        png(2),
        fused("one", "two"),
        "another text",
    ]


@WAYS
@pytest.mark.parametrize("size", [2, 3, 100])
def test_each_item_has_its_own_vector(
    reading: Read, size: int, service: Echo, make: Maker, tmp_path: Path
) -> None:
    """A stream takes what `embed` takes, in any order, and in blocks of any size."""
    made, items = make(), items_of(tmp_path)
    blocks = reading(made, items, size=size)
    sent = len(service.contents)
    whole = made.embed(items, role="document")

    assert [item for block in blocks for item in block.items] == items
    assert [block.start for block in blocks] == list(range(0, len(items), size))
    assert np.array_equal(np.concatenate([block.vectors for block in blocks]), whole.vectors)
    assert sent > 0


@WAYS
@pytest.mark.parametrize("flaw", [7, b"no picture", [], Media.from_path("/nowhere/a.png")])
def test_an_item_that_cannot_be_embedded(
    flaw: Any, reading: Read, make: Maker, tmp_path: Path
) -> None:
    """All blocks before it are handed over; the error counts from the beginning of the stream."""
    items = items_of(tmp_path)
    blocks: list[StreamBlock[Any]] = []

    with pytest.raises(InvalidInputError, match="item 5") as caught:
        reading(make(), [*items[:5], flaw, *items[6:]], blocks, size=2)

    error = caught.value
    assert (error.index, error.indexes, error.handed_over) == (5, (5,), 4)
    assert [block.start for block in blocks] == [0, 2]


@WAYS
def test_a_model_of_texts_alone_says_which_item_it_is(
    reading: Read, make: Maker, service: Echo
) -> None:
    """The first medium is named by its place in the stream."""
    made = make(model="gemini-embedding-001")

    with pytest.raises(ConfigurationError, match="item 3 is more than a text"):
        reading(made, ["a", "b", "c", png(1)], size=2)
    assert len(service.contents) > 0  # the block before


@WAYS
def test_media_in_memory_end_a_block(reading: Read, make: Maker, tmp_path: Path) -> None:
    """The bytes that a block holds have a bound, however few items they are; files count none."""
    made = make(media_in_flight=10_000)
    pictures: list[Any] = [png(number, size=4_000) for number in range(8)]
    (tmp_path / "a.png").write_bytes(png(1, size=4_000))
    files: list[Any] = [Media.from_path(tmp_path / "a.png")] * 8

    blocks = reading(made, [*pictures, *files], size=100)

    assert [len(block.items) for block in blocks] == [3, 3, 10]


@WAYS
def test_titles_beside_media(reading: Read, make: Maker, service: Echo) -> None:
    """Of a stream with both, texts have their titles, and media none."""
    with pytest.warns(UserWarning, match="titles of media are ignored"):
        reading(make(), ["a text", png(1)], titles=["its title", "of a picture"])

    (sent,) = service.contents
    assert {"text": "title: its title | text: a text"} in [part for one in sent for part in one]
