"""The fingerprint of an index, kept with a LangChain vector store or in a file beside it."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gemini_embed import ConfigurationError

if TYPE_CHECKING:
    from langchain_core.vectorstores import VectorStore

    from gemini_embed.adapter import HasFingerprint

_NAME = "gemini_embed_fingerprint"


def save_fingerprint(target: VectorStore | PathLike[str] | str, embedder: HasFingerprint) -> None:
    """Note with an index what shaped its vectors.

    Args:
        target: A store that keeps metadata of its collection (Chroma), or the path of a small
            JSON file beside the index of one that does not.
        embedder: What the index is built with.

    Raises:
        ConfigurationError: The store keeps no such metadata.
    """
    if isinstance(target, str | PathLike):
        text = json.dumps({_NAME: embedder.fingerprint})
        Path(target).write_text(text + "\n", encoding="utf-8")
        return
    collection = _collection_of(target)
    # Chroma replaces all of it, and refuses its own settings (`hnsw:`) among the new metadata.
    kept = {k: v for k, v in (collection.metadata or {}).items() if not k.startswith("hnsw:")}
    collection.modify(metadata={**kept, _NAME: embedder.fingerprint})


def load_fingerprint(target: VectorStore | PathLike[str] | str) -> str | None:
    """Return what `save_fingerprint` noted, for `gemini_embed.check_fingerprint`.

    None where nothing was noted.
    """
    if isinstance(target, str | PathLike):
        path = Path(target)
        metadata = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    else:
        metadata = _collection_of(target).metadata or {}
    found = metadata.get(_NAME)
    return None if found is None else str(found)


def _collection_of(store: VectorStore) -> Any:
    collection = getattr(store, "_collection", None)
    if not (hasattr(collection, "metadata") and hasattr(collection, "modify")):
        raise ConfigurationError(
            f"{type(store).__name__} keeps no metadata of its collection; "
            "give the path of a file beside it instead"
        )
    return collection
