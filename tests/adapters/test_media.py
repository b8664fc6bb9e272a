"""Pictures, pages and other media through both adapters."""

from __future__ import annotations

import asyncio
import base64
import io
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from llama_index.core.callbacks import (
    CallbackManager,
    CBEventType,
    EventPayload,
    TokenCountingHandler,
)
from llama_index.core.embeddings import MultiModalEmbedding
from llama_index.core.ingestion import IngestionCache, IngestionPipeline
from llama_index.core.schema import (
    Document,
    ImageDocument,
    ImageNode,
    MediaResource,
    MetadataMode,
    Node,
    TextNode,
)
from media.samples import document, mp4, png, wav

from gemini_embed import ConfigurationError, InvalidInputError, Media, fused
from llamaindex_gemini_embed import MediaHashes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from llama_index.core.schema import TransformComponent

    from gemini_embed.standin import Standin
    from langchain_gemini_embed import GeminiEmbeddings
    from llamaindex_gemini_embed import GeminiEmbedding

    LangChain = Callable[..., GeminiEmbeddings]
    LlamaIndex = Callable[..., GeminiEmbedding]

NEW = "gemini-embedding-2"
DOCUMENT, QUERY = "title: none | text: {}", "task: search result | query: {}"


def right(server: Standin, *contents: Any) -> list[list[float]]:
    """Return what the stand-in answers for contents as they are sent."""
    return [[float(np.float32(n)) for n in server.vector(one, model=NEW)] for one in contents]


def data_uri(data: bytes, mime_type: str = "image/png") -> str:
    return f"data:{mime_type};base64,{base64.b64encode(data).decode()}"


# LangChain.


def test_embed_image_takes_paths_and_uris(
    server: Standin, embeddings: LangChain, tmp_path: Path
) -> None:
    """A string is a path or a URI here: each picture has its own vector, in order."""
    path = tmp_path / "a picture.png"
    path.write_bytes(png(1))

    vectors = embeddings().embed_image([str(path), data_uri(png(2)), path])

    assert vectors == right(server, png(1), png(2), png(1))
    assert all(type(number) is float for number in vectors[0])


def test_embed_image_reads_a_bucket_on_vertex(server: Standin, embeddings: LangChain) -> None:
    """`gs://` reaches Vertex AI as it is; nothing is downloaded here."""
    server.place("gs://bucket/a.png", png(3))

    (vector,) = embeddings(vertexai=True, project="p").embed_image(["gs://bucket/a.png"])

    assert [vector] == right(server, png(3))


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("no such file.png", "not found"),
        ("https://host/a.png", "wrong URI"),
        ("data:image/png;base64,@@", "wrong URI"),
        ("data:image/png", "wrong URI"),
        ("file:///a.png", "wrong URI"),
        ("", "not found"),
    ],
)
def test_embed_image_names_what_it_cannot_read(
    server: Standin, embeddings: LangChain, uri: str, reason: str
) -> None:
    """The error says which picture, and nothing is sent."""
    with pytest.raises(InvalidInputError) as caught:
        embeddings().embed_image([data_uri(png()), uri])

    assert (caught.value.index, caught.value.reason) == (1, reason)
    assert not server.log


async def test_embed_media_takes_what_the_core_takes(
    server: Standin, embeddings: LangChain
) -> None:
    """Texts with their prefix, media bare, several parts as one vector; sync and async alike."""
    made = embeddings()
    items: list[Any] = [
        "a text",
        Media.from_bytes(png(1)),
        ["a caption", Media.from_bytes(png(2))],
        fused("one", "two"),
        png(3),
        Media.from_bytes(wav(2)),
    ]
    expected = right(
        server,
        DOCUMENT.format("a text"),
        png(1),
        ["a caption", png(2)],
        [DOCUMENT.format("one"), "two"],
        png(3),
        wav(2),
    )

    assert made.embed_media(items) == expected
    assert await made.aembed_media(items) == expected
    queries = await made.aembed_media(["a text", png(1)], role="query")
    assert queries == right(server, QUERY.format("a text"), png(1))


async def test_text_methods_go_on_taking_texts_alone(
    server: Standin, embeddings: LangChain, embedding: LlamaIndex
) -> None:
    """A medium among texts is refused by name and place, as ever."""
    texts: Any = ["a", Media.from_bytes(png())]
    langchain, llamaindex = embeddings(), embedding()
    for embed in (langchain.embed_documents, llamaindex.get_text_embedding_batch):
        with pytest.raises(InvalidInputError) as caught:
            embed(texts)
        assert caught.value.index == 1
    for aembed in (langchain.aembed_documents, llamaindex.aget_text_embedding_batch):
        with pytest.raises(InvalidInputError):
            await aembed(texts)
    assert not server.log


def test_estimate_takes_media(
    server: Standin, embeddings: LangChain, embedding: LlamaIndex
) -> None:
    """What a picture would take is told before it is sent: 258 tokens."""
    picture = Media.from_bytes(png())
    assert embeddings().estimate([picture]).tokens == 258
    assert embedding().estimate([ImageNode(image_path=None, image=_encoded(png()))]).tokens == 258
    assert not server.log


# LlamaIndex.


def test_the_model_is_a_multi_modal_embedding(embedding: LlamaIndex) -> None:
    """Indexes and retrievers of LlamaIndex that ask for one take this class, and its pickle."""
    made = embedding()
    assert isinstance(made, MultiModalEmbedding)
    assert isinstance(pickle.loads(pickle.dumps(made)), MultiModalEmbedding)  # noqa: S301 - ours


async def test_image_methods(server: Standin, embedding: LlamaIndex, tmp_path: Path) -> None:
    """Paths, URIs and pictures in memory, one or many, sync and async."""
    path = tmp_path / "one.png"
    path.write_bytes(png(1))
    given: list[Any] = [str(path), io.BytesIO(png(2)), data_uri(png(3))]
    expected = right(server, png(1), png(2), png(3))
    made = embedding()

    assert made.get_image_embedding_batch(given) == expected
    assert await made.aget_image_embedding_batch(given) == expected
    assert [made.get_image_embedding(one) for one in given] == expected
    assert made.get_image_embedding(path) == expected[0]  # type: ignore[arg-type] # not LlamaIndex's
    assert await asyncio.gather(*map(made.aget_image_embedding, given)) == expected
    assert made._get_image_embeddings(given) == expected
    assert [made._get_image_embedding(given[0])] == expected[:1]
    assert await made._aget_image_embeddings(given) == expected
    assert [await made._aget_image_embedding(given[1])] == expected[1:2]


async def test_media_batches(server: Standin, embedding: LlamaIndex) -> None:
    """All that the core takes, in one call; texts may have titles."""
    items: list[Any] = ["a text", png(1), ["caption", Media.from_bytes(mp4(2))], "another"]
    expected = right(
        server,
        "title: T | text: a text",
        png(1),
        ["caption", mp4(2)],
        DOCUMENT.format("another"),
    )
    made = embedding()
    titles = ["T", None, None, None]
    assert made.get_media_embedding_batch(items, titles=titles) == expected
    assert await made.aget_media_embedding_batch(items, titles=titles) == expected


def test_the_configured_title_is_of_texts_alone(server: Standin, embedding: LlamaIndex) -> None:
    """A title in `embedding_config` reaches each text, and no picture."""
    made = embedding(embedding_config={"title": "T"})
    vectors = made.get_media_embedding_batch(["a text", png(1)])
    assert vectors == right(server, "title: T | text: a text", png(1))


@pytest.mark.parametrize(
    ("pictures", "index"), [([io.BytesIO()], 0), (["no.png"], 0), ([data_uri(png()), "no.png"], 1)]
)
def test_pictures_that_cannot_be_read(
    server: Standin, embedding: LlamaIndex, pictures: list[Any], index: int
) -> None:
    """The error says which, and nothing is sent."""
    with pytest.raises(InvalidInputError) as caught:
        embedding().get_image_embedding_batch(pictures)
    assert caught.value.index == index
    assert not server.log


async def test_observers_are_told_placeholders(embedding: LlamaIndex, tmp_path: Path) -> None:
    """No bytes and no streams reach observers; LlamaIndex's token counter goes on working."""
    path = tmp_path / "one.png"
    path.write_bytes(png(1))
    counter = TokenCountingHandler(tokenizer=str.split)
    seen: list[Any] = []
    counter_end = counter.on_event_end

    def on_event_end(event_type: CBEventType, payload: Any = None, **more: Any) -> None:
        seen.extend(payload[EventPayload.CHUNKS])
        counter_end(event_type, payload, **more)

    counter.on_event_end = on_event_end  # type: ignore[method-assign, assignment] # one of the test's own
    made = embedding(callback_manager=CallbackManager([counter]))

    made.get_image_embedding(io.BytesIO(png(2)))
    await made.aget_image_embedding_batch([str(path), io.BytesIO(png(2))])
    made.get_media_embedding_batch(["a text", ["caption", png(3)]])

    placeholder = f"<image/png {len(png())} B>"
    assert seen == [
        placeholder,
        placeholder,
        placeholder,
        "a text",
        f"caption {placeholder}",
    ]
    assert counter.total_embedding_token_count > 0


# Nodes.


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture
def nodes(tmp_path: Path) -> list[Any]:
    """Return nodes that hold media in every way that LlamaIndex has."""
    path = tmp_path / "on disk.png"
    path.write_bytes(png(1))
    page = tmp_path / "page.pdf"
    page.write_bytes(document("a page"))
    return [
        TextNode(text="a text", metadata={"author": "A"}),
        ImageNode(image_path=str(path)),
        ImageNode(image=_encoded(png(2)), text="a caption", metadata={"file_path": "/x"}),
        ImageDocument(image_path=str(path)),
        Node(image_resource=MediaResource(data=png(3))),
        ImageNode(image_url=data_uri(png(5))),
        Node(
            text_resource=MediaResource(text="two of them"),
            image_resource=MediaResource(data=png(4)),
            audio_resource=MediaResource(data=wav(1), mimetype="audio/wav"),
        ),
        Node(video_resource=MediaResource(data=mp4(3))),
        Document(text_resource=MediaResource(path=page)),
        Document(text="a document"),
    ]


EXPECTED = [
    DOCUMENT.format("author: A\n\na text"),
    png(1),
    ["a caption", png(2)],
    png(1),
    png(3),
    png(5),
    ["two of them", png(4), wav(1)],
    mp4(3),
    document("a page"),
    DOCUMENT.format("a document"),
]


async def test_calling_the_model_embeds_the_media_of_nodes(
    server: Standin, embedding: LlamaIndex, nodes: list[Any]
) -> None:
    """A node's media with its own text beside them; of others, the text with metadata."""
    made = embedding()
    hashed = MediaHashes()(nodes)

    expected = right(server, *EXPECTED)
    assert [node.embedding for node in made(hashed)] == expected
    for node in hashed:
        node.embedding = None
    assert [node.embedding for node in await made.acall(hashed)] == expected


def test_hashes_are_hidden_from_models(nodes: list[Any]) -> None:
    """Neither an embedding model nor an LLM reads the hash; the pipeline's cache does."""
    for node in MediaHashes()(MediaHashes()(nodes))[1:8]:
        name = node.metadata["gemini_embed_media"]
        assert len(name) == 64
        assert name in node.get_content(metadata_mode=MetadataMode.ALL)
        for mode in (MetadataMode.EMBED, MetadataMode.LLM):
            assert name not in node.get_content(metadata_mode=mode)
        assert node.excluded_embed_metadata_keys.count("gemini_embed_media") == 1
    assert "gemini_embed_media" not in nodes[0].metadata


async def test_media_without_a_hash_are_refused(
    server: Standin, embedding: LlamaIndex, nodes: list[Any]
) -> None:
    """A node whose media are named by no hash, or by another one's, is refused by its place."""
    made = embedding()
    MediaHashes()(nodes)
    nodes[4].metadata["gemini_embed_media"] = nodes[1].metadata["gemini_embed_media"]
    with pytest.raises(InvalidInputError, match="has the hash of other media") as caught:
        made(nodes)
    assert (caught.value.index, caught.value.reason) == (4, "no media hash")
    del nodes[2].metadata["gemini_embed_media"]
    with pytest.raises(InvalidInputError, match=r"MediaHashes\(\) before the model") as caught:
        await made.acall(nodes)
    assert caught.value.index == 2
    assert not server.log


def test_a_file_that_is_gone_is_named(tmp_path: Path, embedding: LlamaIndex) -> None:
    """The transform says which node's file cannot be read; so does the model."""
    gone = [TextNode(text="a"), ImageNode(image_path=str(tmp_path / "gone.png"))]
    with pytest.raises(InvalidInputError) as caught:
        MediaHashes()(gone)
    assert (caught.value.index, caught.value.reason) == (1, "not found")
    with pytest.raises(InvalidInputError):
        embedding()(gone)


@pytest.mark.parametrize("wrong", ["abc", "data:image/png;base64,QUJD"])
def test_a_picture_that_is_no_base64_is_named(embedding: LlamaIndex, wrong: str) -> None:
    """By the node that holds it, whether the transform reads it or the model."""
    nodes = [TextNode(text="a"), ImageNode(image=wrong)]
    for read in (MediaHashes(), embedding()):
        with pytest.raises(InvalidInputError) as caught:
            read(nodes)
        assert caught.value.index == 1


def test_media_on_a_model_for_texts(server: Standin, embedding: LlamaIndex) -> None:
    """gemini-embedding-001 takes no media: an error says so before anything is sent."""
    with pytest.raises(ConfigurationError):
        embedding(model_name="gemini-embedding-001").get_image_embedding(io.BytesIO(png()))
    assert not server.log


@pytest.mark.parametrize("way", ["run", "arun"])
async def test_a_pipeline_over_pages_without_text(
    server: Standin, embedding: LlamaIndex, tmp_path: Path, way: str
) -> None:
    """Each page has its own vector, in the first run, from the cache, and after a page changed."""
    paths = [tmp_path / f"{number}.pdf" for number in range(5)]
    for number, path in enumerate(paths):
        path.write_bytes(document(f"page {number}"))
    cache = IngestionCache()

    async def run() -> list[list[float] | None]:
        pages = [Document(text_resource=MediaResource(path=path)) for path in paths]
        steps: list[TransformComponent] = [MediaHashes(), embedding()]
        pipeline = IngestionPipeline(transformations=steps, cache=cache)
        if way == "arun":
            return [node.embedding for node in await pipeline.arun(documents=pages)]
        return [node.embedding for node in pipeline.run(documents=pages)]

    expected = right(server, *(document(f"page {number}") for number in range(5)))
    assert await run() == expected
    sent = len(server.log)
    assert await run() == expected
    assert len(server.log) == sent
    paths[2].write_bytes(document("another"))
    expected[2] = right(server, document("another"))[0]
    assert await run() == expected
    paths.reverse()
    assert await run() == expected[::-1]
