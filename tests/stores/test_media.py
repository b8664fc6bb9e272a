"""Pictures in real stores, and in LlamaIndex's index of texts and pictures."""

from __future__ import annotations

import base64
import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core import StorageContext
from llama_index.core.indices import MultiModalVectorStoreIndex
from llama_index.core.schema import ImageNode, TextNode
from llama_index.core.vector_stores import SimpleVectorStore
from media.samples import png
from stores.gate import needed
from stores.notebooks import EXAMPLES, outputs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gemini_embed.standin import Standin
    from langchain_gemini_embed import GeminiEmbeddings
    from llamaindex_gemini_embed import GeminiEmbedding

    LangChain = Callable[..., GeminiEmbeddings]
    LlamaIndex = Callable[..., GeminiEmbedding]

NOTEBOOK = EXAMPLES / "pictures.ipynb"

SHOWN = [
    "a cat asleep on a sofa",
    "sales by month, as bars",
    "a sailing boat on the sea",
    "a plate of pasta with tomatoes",
    "a map of the underground",
    "a girl playing football",
    "a mountain covered with snow",
    "the wiring of a washing machine",
]
"""What is to be seen on each picture: the local model reads it in the file."""

QUERIES = {"a ship": 2, "where do the trains go?": 4, "something to eat": 3, "a pet": 0}


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.png" for number in range(len(SHOWN))]
    for number, path in enumerate(paths):
        path.write_bytes(png(number, description=SHOWN[number]))
    return paths


def encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


@pytest.fixture
def chroma(meaning: Standin, embeddings: LangChain, pictures: list[Path]) -> Iterator[Any]:
    """Return a store that holds all pictures, by `add_images`."""
    store = needed("langchain_chroma").Chroma("pictures", embeddings(meaning))
    numbers = [{"number": number} for number in range(len(pictures))]
    store.add_images(uris=list(map(str, pictures)), metadatas=numbers)
    yield store
    store.delete_collection()


async def test_chroma_finds_pictures(chroma: Any, pictures: list[Path]) -> None:
    """By a sentence each finds the right picture, also with LangChain's async search."""
    for query, number in QUERIES.items():
        (found,) = chroma.similarity_search(query, k=1)
        assert found.metadata == {"number": number}
        assert found.page_content == encoded(pictures[number])
        assert await chroma.asimilarity_search(query, k=1) == [found]


def test_chroma_finds_pictures_by_a_picture(chroma: Any, pictures: list[Path]) -> None:
    """Each picture finds itself: the search asks `embed_image`, too."""
    if version("langchain-chroma") < "1.1":
        pytest.skip("this langchain-chroma hands its own search a list of vectors for one")
    for path in pictures:
        (found,) = chroma.similarity_search_by_image(str(path), k=1)
        assert found.page_content == encoded(path)


async def test_lancedb_finds_pictures(
    meaning: Standin, embeddings: LangChain, pictures: list[Path], tmp_path: Path
) -> None:
    """`add_images`, and search by the vector of a sentence or of a picture."""
    connection = needed("lancedb").connect(str(tmp_path / "lance"))
    made = embeddings(meaning)
    lance = needed("langchain_community.vectorstores").LanceDB
    store = lance(connection=connection, embedding=made, table_name="pictures")
    store.add_images(
        uris=list(map(str, pictures)),
        metadatas=[{"number": str(number)} for number in range(len(pictures))],
    )

    for query, number in QUERIES.items():
        for vector in (made.embed_query(query), await made.aembed_query(query)):
            (found,) = store.similarity_search_by_vector(vector, k=1)
            assert found.metadata["number"] == str(number)
    for number, path in enumerate(pictures):
        (vector,) = await made.aembed_media([path.read_bytes()])
        (found,) = store.similarity_search_by_vector(vector, k=1)
        assert found.metadata["number"] == str(number)


@pytest.fixture(params=["SimpleVectorStore", "Chroma"])
def opened(request: pytest.FixtureRequest) -> Callable[[str], Any]:
    def make(name: str) -> Any:
        if request.param == "SimpleVectorStore":
            return SimpleVectorStore()
        vector_store = needed("llama_index.vector_stores.chroma").ChromaVectorStore
        client = needed("chromadb").EphemeralClient()
        request.addfinalizer(lambda: client.delete_collection(name))
        return vector_store(client.create_collection(name))

    return make


@pytest.mark.parametrize("use_async", [False, True])
@pytest.mark.parametrize("where", ["on disk", "in memory"])
async def test_an_index_of_texts_and_pictures(
    meaning: Standin,
    embed_model: LlamaIndex,
    pictures: list[Path],
    opened: Callable[[str], Any],
    where: str,
    *,
    use_async: bool,
) -> None:
    """A sentence finds the picture and the text; a picture finds itself.

    LlamaIndex leaves out what has neither text nor metadata when an index is made.
    """
    model = embed_model(meaning)
    shown: list[Any] = [
        ImageNode(id_=str(number), image_path=str(path), metadata={"file": path.name})
        if where == "on disk"
        else ImageNode(id_=str(number), image=encoded(path), metadata={"file": path.name})
        for number, path in enumerate(pictures)
    ]
    texts = [TextNode(id_="bread", text="How to bake bread"), TextNode(id_="tax", text="Tax law")]
    index = MultiModalVectorStoreIndex(
        [*shown, *texts],
        embed_model=model,
        image_embed_model=model,
        storage_context=StorageContext.from_defaults(vector_store=opened("texts")),
        image_vector_store=opened("pictures"),
        use_async=use_async,
    )
    retriever = index.as_retriever(similarity_top_k=1, image_similarity_top_k=1)

    for query, number in QUERIES.items():
        found = await retriever.aretrieve(query) if use_async else retriever.retrieve(query)
        assert [one.node.node_id for one in found][1:] == [str(number)]
    for number, path in enumerate(pictures):
        images = (
            await retriever.aimage_to_image_retrieve(str(path))
            if use_async
            else retriever.image_to_image_retrieve(str(path))
        )
        assert [one.node.node_id for one in images] == [str(number)]
    found = await retriever.aretrieve("income tax") if use_async else retriever.retrieve("tax law")
    assert found[0].node.node_id == "tax"


def test_an_index_grows(meaning: Standin, embed_model: LlamaIndex, pictures: list[Path]) -> None:
    """Pictures that are inserted later are found, too."""
    model = embed_model(meaning)
    nodes = [
        ImageNode(id_=str(number), image_path=str(path)) for number, path in enumerate(pictures)
    ]
    index = MultiModalVectorStoreIndex([], embed_model=model, image_embed_model=model)
    index.insert_nodes(nodes[:1])
    index.insert_nodes(nodes[1:])
    retriever = index.as_retriever(image_similarity_top_k=1)
    for number, path in enumerate(pictures):
        (found,) = retriever.image_to_image_retrieve(str(path))
        assert found.node.node_id == str(number)


def test_the_notebook_of_pictures_runs_in_a_kernel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every cell runs, both frameworks find the right files, and each hit is shown."""
    outputs = outputs_of(NOTEBOOK, monkeypatch, tmp_path)

    said = "".join(output["text"] for output in outputs if "text" in output).splitlines()
    found = [
        "a ship -> boat.png",
        "a home -> house.png",
        "when must my car wait? -> stop.png",
        "how is a loaf made? -> bread.pdf",
    ]
    first, *rest, last = said
    assert (first, rest, last) == (
        "The stand-in is running. Its vectors are not Google's.",
        found + found,
        "boat.png",
    )
    shown = [output["data"] for output in outputs if output["output_type"] == "display_data"]
    assert ["image/png" in data for data in shown] == [True] * 8


def test_the_notebook_of_pictures_is_kept_without_output() -> None:
    """What is in the repository is what was written, not what one run printed."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert "it cannot see" in "".join(cells[0]["source"])
