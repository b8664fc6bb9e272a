"""What of nodes is embedded: their text, with metadata as LlamaIndex has it, and their title."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llama_index.core.schema import BaseNode, MetadataMode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    Titles: TypeAlias = Sequence[str | None] | None


def texts_of(documents: Sequence[str | BaseNode]) -> list[str]:
    """Return the text of each document, which is a text or a node."""
    return [
        document.get_content(metadata_mode=MetadataMode.EMBED)
        if isinstance(document, BaseNode)
        else document
        for document in documents
    ]


def titles_of(documents: Sequence[str | BaseNode], key: str | None, default: str | None) -> Titles:
    """Return the title of each document, None where none has one.

    Args:
        documents: Texts or nodes.
        key: Of the metadata that holds a node's title.
        default: The title of a document without one.
    """
    if key is None and default is None:
        return None
    titles = [
        document.metadata.get(key, default) if key and isinstance(document, BaseNode) else default
        for document in documents
    ]
    return [None if title is None else str(title) for title in titles]
