"""The pictures, sounds, films and PDFs that nodes hold, and the hash that names them."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from llama_index.core.schema import (
    BaseNode,
    ImageNode,
    MediaResource,
    MetadataMode,
    Node,
    TransformComponent,
)

from gemini_embed import InvalidInputError, Media, fused
from gemini_embed.adapter import media_at
from llamaindex_gemini_embed.nodes import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gemini_embed.adapter import Fused, Item

MEDIA_KEY = "gemini_embed_media"
"""The metadata of a node that names its media by a hash."""


class MediaHashes(TransformComponent):
    """Writes a hash of each node's media into its metadata, as `gemini_embed_media`.

    An `IngestionPipeline` keeps what it did under the text of the nodes, their metadata included:
    two pictures without text would be one to its cache, and the second would get the first one's
    vector. So this stands first in a pipeline for media, and the model refuses nodes whose media
    have no such hash. Neither the model nor an LLM reads it.

    The cache keeps nothing of use for this step: it is done anew in each run.

    Example:
        ```python
        pipeline = IngestionPipeline(transformations=[MediaHashes(), GeminiEmbedding()])
        ```
    """

    @classmethod
    def class_name(cls) -> str:
        """Return the name in serialized forms."""
        return "GeminiEmbedMediaHashes"

    def to_dict(self, **kwargs: Any) -> dict[str, Any]:
        """Return what the pipeline keeps the outcome under: another one each time."""
        return {**super().to_dict(**kwargs), "run": uuid4().hex}

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:  # noqa: ARG002 - the base class's signature
        """Return the nodes, each with the hash of its media if it has any.

        Raises:
            InvalidInputError: A file that cannot be read; says which node.
        """
        for index, node in enumerate(nodes):
            if media := media_of(node, index):
                node.metadata[MEDIA_KEY] = _hash_of(media, index)
                if isinstance(node, Node) and node.text_resource is None:
                    node.text_resource = MediaResource(text="")  # or LlamaIndex shows no metadata
                for keys in (node.excluded_embed_metadata_keys, node.excluded_llm_metadata_keys):
                    if MEDIA_KEY not in keys:
                        keys.append(MEDIA_KEY)
        return nodes

    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Return the nodes with their hashes; files are read beside the event loop."""
        return await asyncio.to_thread(self, nodes, **kwargs)


def media_of(node: BaseNode, index: int) -> list[Media]:
    """Return the media that a node holds.

    Raises:
        InvalidInputError: One at an address that the service does not read.
    """
    try:
        if isinstance(node, ImageNode):
            data = None if node.image is None else node.image.encode()
            found = _media(data, node.image_path, node.image_url, node.image_mimetype)
            return [] if found is None else [found]
        if isinstance(node, Node):
            return [medium for one in _resources(node) if (medium := _of_resource(one)) is not None]
    except InvalidInputError as error:
        raise _at(error, index) from error.__cause__
    return []


def held_by(documents: Sequence[object]) -> list[list[Media]]:
    """Return the media that each node holds; of what is no node, none.

    Raises:
        InvalidInputError: As `media_of`.
    """
    return [
        media_of(document, index) if isinstance(document, BaseNode) else []
        for index, document in enumerate(documents)
    ]


def items_of(documents: Sequence[Item | BaseNode], held: Sequence[Sequence[Media]]) -> list[Any]:
    """Return what is embedded of each node: the media that it holds, and its own text.

    Of a node without media it is the text, with metadata as LlamaIndex has it. What is no node
    is what it is.
    """
    return [
        _with_caption(document, media) if media else text_of(document)
        for document, media in zip(documents, held, strict=True)
    ]


def check_hashes(nodes: Sequence[BaseNode], held: Sequence[Sequence[Media]]) -> None:
    """Refuse a node whose media are not named by a hash in its metadata, or by another one's.

    Raises:
        InvalidInputError: Says which node.
    """
    for index, (node, media) in enumerate(zip(nodes, held, strict=True)):
        if not media:
            continue
        named, seen = node.metadata.get(MEDIA_KEY), node.get_content(MetadataMode.ALL)
        if named is None or named not in seen or named != _hash_of(media, index):
            wrong = "has no hash of its media" if named is None else "has the hash of other media"
            raise InvalidInputError(
                f"node {index} ({node.node_id}) {wrong} in its metadata {MEDIA_KEY}: put "
                "MediaHashes() before the model, or a pipeline's cache would take one picture "
                "without text for another",
                index,
                "no media hash",
            )


def _with_caption(node: Any, media: Iterable[Media]) -> Fused:
    caption = node.get_content(metadata_mode=MetadataMode.NONE)
    return fused(*([caption] if caption.strip() else []), *media)


def _resources(node: Node) -> Iterable[MediaResource]:
    """Return what a node holds, in LlamaIndex's order; a text is none of it."""
    if (text := node.text_resource) is not None and text.text is None:
        yield text
    for resource in (node.image_resource, node.audio_resource, node.video_resource):
        if resource is not None:
            yield resource


def _of_resource(resource: MediaResource) -> Media | None:
    path = None if resource.path is None else str(resource.path)
    url = None if resource.url is None else str(resource.url)
    return _media(resource.data, path, url, resource.mimetype)


def _media(
    encoded: bytes | None, path: str | None, url: str | None, mime_type: str | None
) -> Media | None:
    """Return a medium of bytes in base64, of a path, or of an address.

    LlamaIndex takes a format from the end of a path: that of bytes and of files they tell better.
    """
    if encoded is not None:
        try:
            return Media.from_bytes(base64.b64decode(encoded))
        except binascii.Error as error:
            raise InvalidInputError(
                f"what it holds is no base64: {error}", reason="not readable"
            ) from None
    if path is not None:
        return Media.from_path(path)
    return None if url is None else media_at(url, mime_type)


def _hash_of(media: Sequence[Media], index: int) -> str:
    try:
        keys = [medium.key() for medium in media]
    except InvalidInputError as error:
        raise _at(error, index) from error.__cause__
    return keys[0] if len(keys) == 1 else hashlib.sha256("".join(keys).encode()).hexdigest()


def _at(error: InvalidInputError, index: int) -> InvalidInputError:
    summary = f"node {index}: {error.summary}"
    return error.with_context(summary=summary, index=index, indexes=(index,))
