"""What of nodes is embedded: their text, with metadata as LlamaIndex has it, and their title."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llama_index.core.schema import BaseNode, MetadataMode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from gemini_embed.adapter import Item

    Titles: TypeAlias = Sequence[str | None] | None


def text_of(document: Item | BaseNode) -> Item:
    """Return the text of a node; what is no node is what it is."""
    if isinstance(document, BaseNode):
        return document.get_content(metadata_mode=MetadataMode.EMBED)
    return document


def titles_of(documents: Sequence[object], key: str | None, default: str | None) -> Titles:
    """Return the title of each document, None where none has one; only texts can have one.

    Args:
        documents: Texts, nodes, and what else is embedded.
        key: Of the metadata that holds a node's title.
        default: The title of a text without one.
    """
    if key is None and default is None:
        return None
    titles = [_title_of(document, key, default) for document in documents]
    return [None if title is None else str(title) for title in titles]


def _title_of(document: object, key: str | None, default: str | None) -> object:
    if isinstance(document, BaseNode) and key:
        return document.metadata.get(key, default)
    return default if isinstance(document, str | BaseNode) else None
