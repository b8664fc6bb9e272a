"""What `Embed` makes of a batch, and of one that it cannot take. Needs no Ray."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers import vectors_of

from gemini_embed import ConfigurationError, InvalidInputError
from gemini_embed.scale.ray import Embed, shared

if TYPE_CHECKING:
    from collections.abc import Callable

    from gemini_embed import GeminiEmbedder
    from gemini_embed.standin import Standin

    Make = Callable[..., GeminiEmbedder]


def batch(*texts: str | None, **columns: list[Any]) -> dict[str, Any]:
    named: dict[str, list[Any]] = {"text": list(texts), **columns}
    return {name: np.array(values, object) for name, values in named.items()}


async def test_a_batch_gets_a_column_of_vectors(embedder: Make, server: Standin) -> None:
    """Each text has its own vector in its own row, and other columns stay."""
    embed = Embed(embedder(output_dimensionality=128), vector_column="v")
    done = await embed(batch("b", "a", "b", id=[7, 8, 9]))

    as_sent = [f"title: none | text: {text}" for text in "bab"]
    right = vectors_of(server, as_sent, model="gemini-embedding-2", dimension=128)
    assert np.array_equal(done["v"], right)
    assert done["v"].dtype == np.float32
    assert done["id"].tolist() == [7, 8, 9]
    assert list(done) == ["text", "id", "v"]


async def test_queries_are_embedded_as_queries(embedder: Make, server: Standin) -> None:
    """`role` reaches the service."""
    await Embed(embedder(), role="query")(batch("a"))

    assert "task: search result | query: a" in str(server.log[0].body)


async def test_an_empty_batch_is_one_of_no_vectors(embedder: Make, server: Standin) -> None:
    """A block without rows keeps the columns, and sends nothing."""
    done = await Embed(embedder(output_dimensionality=128))(batch())

    assert done["vector"].shape == (0, 128)
    assert server.log == []


@pytest.mark.parametrize("text", [" ", None])
async def test_an_error_names_its_row(embedder: Make, text: str | None) -> None:
    """Whoever reads it finds the row in a table of millions."""
    embed = Embed(embedder(), id_column="id")
    with pytest.raises(InvalidInputError, match=r"^row 'doc-8' by 'id': (text|item) 1 ") as raised:
        await embed(batch("a", text, id=["doc-7", "doc-8"]))

    assert raised.value.index == 1


async def test_without_a_column_of_ids_it_names_the_place(embedder: Make) -> None:
    """And says what would name the row."""
    with pytest.raises(InvalidInputError, match=r"^row 1 of a batch; an id_column would name it: "):
        await Embed(embedder())(batch("a", ""))


async def test_many_rows_are_counted(embedder: Make, server: Standin) -> None:
    """An error about a whole batch is still one that can be read."""
    server.script.append("500")
    with pytest.raises(Exception, match=r"^row 0, 1, 2, 3, 4 and 3 more by 'id': "):
        await Embed(embedder(max_retries=0), id_column="id")(
            batch(*(f"text {i}" for i in range(8)), id=list(range(8)))
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text_column": "body"}, "no column 'body' among text, id"),
        ({"id_column": "key"}, "no column 'key' among text, id"),
        ({"vector_column": "id"}, "there is a column 'id' already"),
    ],
)
async def test_columns_that_cannot_be(
    embedder: Make, server: Standin, options: dict[str, str], message: str
) -> None:
    """No column is written over, and none is guessed."""
    with pytest.raises(ConfigurationError, match=message):
        await Embed(embedder(), **options)(batch("a", id=[1]))  # type: ignore[arg-type]

    assert server.log == []


async def test_a_batch_of_another_kind(embedder: Make) -> None:
    """The error says which kind to ask Ray for."""
    with pytest.raises(ConfigurationError, match='set batch_format="pyarrow"'):
        await Embed(embedder())([{"text": "a"}])


def test_without_ray_the_error_is_what_to_install(
    embedder: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`shared` needs Ray; to import its module does not."""
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(ConfigurationError, match=r'pip install "gemini-embed\[ray\]"'):
        shared("docs", embedder())
