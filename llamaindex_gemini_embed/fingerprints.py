"""The fingerprint of an index, kept in LlamaIndex's storage context."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemini_embed import ConfigurationError

if TYPE_CHECKING:
    from llama_index.core import StorageContext
    from llama_index.core.data_structs.data_structs import IndexStruct

    from gemini_embed.adapter import HasFingerprint

_MARK = "gemini-embed fingerprint: "


def save_fingerprint(
    storage_context: StorageContext, embedder: HasFingerprint, *, index_id: str | None = None
) -> None:
    """Note with an index what shaped its vectors; it persists with the storage context.

    It becomes a line of the index's summary, which every index store keeps.

    Raises:
        ConfigurationError: There is no such index yet, or several and no `index_id`.
    """
    index = _index_of(storage_context, index_id)
    lines = [line for line in (index.summary or "").splitlines() if not line.startswith(_MARK)]
    index.summary = "\n".join([*lines, _MARK + embedder.fingerprint])
    storage_context.index_store.add_index_struct(index)


def load_fingerprint(storage_context: StorageContext, *, index_id: str | None = None) -> str | None:
    """Return what `save_fingerprint` noted, for `gemini_embed.check_fingerprint`.

    None where nothing was noted.

    Raises:
        ConfigurationError: There is no such index, or several and no `index_id`.
    """
    summary = _index_of(storage_context, index_id).summary or ""
    marked = (line for line in summary.splitlines() if line.startswith(_MARK))
    return next((line.removeprefix(_MARK) for line in marked), None)


def _index_of(storage_context: StorageContext, index_id: str | None) -> IndexStruct:
    found = [
        index
        for index in storage_context.index_store.index_structs()
        if index_id in {None, index.index_id}
    ]
    if len(found) != 1:
        raise ConfigurationError(
            f"the storage context holds {len(found)} indexes"
            + ("" if index_id is None else f" with index_id={index_id!r}")
            + "; build the index first, and name its index_id where there are several"
        )
    return found[0]
