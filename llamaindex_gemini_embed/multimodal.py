"""LlamaIndex's `MultiModalEmbedding`, and what is embedded of nodes that hold media."""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import TYPE_CHECKING, Any, ClassVar

from llama_index.core.embeddings.multi_modal_base import MultiModalEmbedding

from gemini_embed import Media
from gemini_embed.adapter import ITEMS, Fused, as_list, media_from, parts_of
from llamaindex_gemini_embed.limiters import before_each
from llamaindex_gemini_embed.media_nodes import check_hashes, held_by, items_of
from llamaindex_gemini_embed.observers import observed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from llama_index.core.schema import BaseNode, ImageType

    from gemini_embed import Estimate, GeminiEmbedder
    from gemini_embed.adapter import CallOptions, Item
    from llamaindex_gemini_embed.nodes import Titles


class EmbedsMedia(MultiModalEmbedding):
    """The methods of `GeminiEmbedding` that take media, or nodes that hold some.

    Observers are told a few words of a medium, `<image/png 84 kB>`: never bytes.
    """

    if TYPE_CHECKING:  # what `GeminiEmbedding` has beside
        # Not fields, which the constructor of a pydantic model would have for type checkers.
        _titles: ClassVar[Callable[..., Titles]]
        _call: ClassVar[Callable[..., CallOptions]]
        _lists: ClassVar[Callable[..., list[list[float]]]]
        _alists: ClassVar[Callable[..., Coroutine[Any, Any, list[list[float]]]]]

        @property
        def _embedder(self) -> GeminiEmbedder: ...

    def get_image_embedding(self, img_file_path: ImageType) -> list[float]:
        """Return the vector of a picture.

        Args:
            img_file_path: A path, a `data:` or `gs://` URI, or a `BytesIO`.

        Raises:
            InvalidInputError: What cannot be read, or is no medium that the service takes.
        """
        return self.get_image_embedding_batch([img_file_path])[0]

    async def aget_image_embedding(self, img_file_path: ImageType) -> list[float]:
        """Return the vector of a picture; the async twin of `get_image_embedding`."""
        return (await self.aget_image_embedding_batch([img_file_path]))[0]

    def get_image_embedding_batch(
        self, img_file_paths: list[ImageType], show_progress: bool = False
    ) -> list[list[float]]:
        """Return one vector per picture, in order; `get_image_embedding` says what each may be."""
        return self.get_media_embedding_batch(_pictures(img_file_paths), show_progress)

    async def aget_image_embedding_batch(
        self, img_file_paths: list[ImageType], show_progress: bool = False
    ) -> list[list[float]]:
        """Return one vector per picture; the async twin of `get_image_embedding_batch`."""
        return await self.aget_media_embedding_batch(_pictures(img_file_paths), show_progress)

    def get_media_embedding_batch(
        self,
        items: Sequence[Item],
        show_progress: bool = False,
        *,
        titles: Titles = None,
        **kwargs: Any,  # noqa: ARG002 - pipelines pass more, as to get_text_embedding_batch
    ) -> list[list[float]]:
        """Return one vector per item, in order, from one call into the core.

        Args:
            items: Texts, `Media` and what else `gemini_embed.GeminiEmbedder.embed` takes; a list
                that holds a medium is one item, and has one vector.
            show_progress: Draw a progress bar.
            titles: One title, or None, per item; of texts alone.
            **kwargs: Ignored.

        Raises:
            InvalidInputError: Says which item cannot be embedded, and why.
            GeminiEmbedError: What the service did wrong; `error.partial` holds what is done.
        """
        read = _read(items)
        with observed(self, [_shown(item) for item in read]) as embeddings:
            call = self._call(read, titles, before=before_each(self), show_progress=show_progress)
            embeddings.extend(self._lists(read, takes_media=True, **call))
        return embeddings

    async def aget_media_embedding_batch(
        self,
        items: Sequence[Item],
        show_progress: bool = False,
        *,
        titles: Titles = None,
        **kwargs: Any,  # noqa: ARG002 - see get_media_embedding_batch
    ) -> list[list[float]]:
        """Return one vector per item, in order; the async twin of `get_media_embedding_batch`."""
        read = _read(items)
        with observed(self, [_shown(item) for item in read]) as embeddings:
            call = self._call(read, titles, before=before_each(self), show_progress=show_progress)
            embeddings.extend(await self._alists(read, takes_media=True, **call))
        return embeddings

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Embed nodes: the media that a node holds, with its own text; of others, the text.

        Each text has its own title where `title_metadata_key` names it.

        Raises:
            InvalidInputError: A node whose media have no hash in its metadata: see `MediaHashes`.
        """
        held = held_by(nodes)
        items = items_of(nodes, held)
        call: dict[str, Any] = {"titles": self._titles_of(nodes, held), **kwargs}
        if any(held):
            check_hashes(nodes, held)
            return _embedded(nodes, self.get_media_embedding_batch(items, **call))
        return _embedded(nodes, self.get_text_embedding_batch(items, **call))

    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Embed nodes; the async twin of calling the model."""
        held = held_by(nodes)
        items = items_of(nodes, held)
        call: dict[str, Any] = {"titles": self._titles_of(nodes, held), **kwargs}
        if any(held):
            await asyncio.to_thread(check_hashes, nodes, held)  # reads files
            return _embedded(nodes, await self.aget_media_embedding_batch(items, **call))
        return _embedded(nodes, await self.aget_text_embedding_batch(items, **call))

    def estimate(self, texts: Sequence[Item | BaseNode], titles: Titles = None) -> Estimate:
        """Return what embedding texts, media or nodes would take, and send nothing."""
        held = held_by(texts)
        titles = self._titles_of(texts, held) if titles is None else titles
        return self._embedder.estimate(items_of(texts, held), role="document", titles=titles)

    def _get_image_embedding(self, img_file_path: ImageType) -> list[float]:
        return self._get_image_embeddings([img_file_path])[0]

    async def _aget_image_embedding(self, img_file_path: ImageType) -> list[float]:
        return (await self._aget_image_embeddings([img_file_path]))[0]

    def _get_image_embeddings(self, img_file_paths: list[ImageType]) -> list[list[float]]:
        pictures = _pictures(img_file_paths)
        return self._lists(
            pictures, takes_media=True, **self._call(pictures, before=before_each(self))
        )

    async def _aget_image_embeddings(self, img_file_paths: list[ImageType]) -> list[list[float]]:
        pictures = _pictures(img_file_paths)
        call = self._call(pictures, before=before_each(self))
        return await self._alists(pictures, takes_media=True, **call)

    def _titles_of(self, documents: Sequence[object], held: Sequence[Sequence[Media]]) -> Titles:
        """Return the title of each document; one with media has none."""
        texts = [None if media else one for one, media in zip(documents, held, strict=True)]
        return self._titles(texts)


def _read(items: Sequence[Item]) -> list[str | Fused]:
    """Return items as texts and as what is read of others: once, for observers and the core."""
    return [
        item if isinstance(item, str) else parts_of(item, index)
        for index, item in enumerate(as_list(items, *ITEMS))
    ]


def _pictures(given: Sequence[ImageType]) -> list[Media]:
    """Return what LlamaIndex takes for pictures: paths, URIs, and streams of bytes."""
    return [
        Media.from_bytes(one.getvalue()) if isinstance(one, BytesIO) else media_from(one, index)
        for index, one in enumerate(as_list(given, "img_file_paths", "paths, URIs or BytesIO"))
    ]


def _shown(item: str | Fused) -> str:
    """Return what observers are told of an item."""
    return item if isinstance(item, str) else " ".join(map(str, item.parts))


def _embedded(nodes: Sequence[BaseNode], embeddings: list[list[float]]) -> Sequence[BaseNode]:
    for node, embedding in zip(nodes, embeddings, strict=True):
        node.embedding = embedding
    return nodes
