"""A LangChain store as the core's cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.stores import BaseStore


class StoreCache:
    """Keeps vectors in a `BaseStore[str, bytes]`: Redis, local files, memory.

    Args:
        store: The store.
    """

    def __init__(self, store: BaseStore[str, bytes]) -> None:
        self.store = store

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the value of each key, in order, None where there is none."""
        return self.store.mget(keys)

    def set_many(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        """Keep values under their keys."""
        self.store.mset(pairs)

    def __deepcopy__(self, memo: object) -> StoreCache:
        return self  # a copied embedder shares the store
