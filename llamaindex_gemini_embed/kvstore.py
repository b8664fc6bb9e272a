"""A LlamaIndex key-value store as the core's cache."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llama_index.core.storage.kvstore.types import BaseKVStore


class KVStoreCache:
    """Keeps vectors in a `BaseKVStore`, as base64 text, which every such store can hold.

    Args:
        store: The store.
        collection: The collection in it.
    """

    def __init__(self, store: BaseKVStore, collection: str = "gemini_embed") -> None:
        self.store = store
        self.collection = collection

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the value of each key, in order, None where there is none."""
        found = [self.store.get(key, collection=self.collection) for key in keys]
        return [None if value is None else _bytes(value) for value in found]

    def set_many(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        """Keep values under their keys."""
        texts = [(key, {"vector": b64encode(value).decode()}) for key, value in pairs]
        self.store.put_all(texts, collection=self.collection)

    def __deepcopy__(self, memo: object) -> KVStoreCache:
        return self  # a copied embedder shares the store


def _bytes(value: Mapping[str, Any]) -> bytes:
    """Return a stored value; where its text is damaged, no bytes, which are no vector."""
    try:
        return b64decode(value["vector"])
    except (KeyError, TypeError, ValueError):
        return b""
