"""What a dump holds: what shapes a vector or says where it comes from, and no traffic.

An ingestion pipeline keeps what it did under the text of the dump, so its order counts as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gemini_embed.adapter import OptionFields

if TYPE_CHECKING:
    from collections.abc import Mapping

_IN_ORDER = (
    "model_name",
    "embeddings_cache",
    "behaves_like",
    "task_type",
    "output_dimensionality",
    "normalize",
    "task_prefix",
    "caption_prefix",
    "on_blank",
    "on_surrogate",
    "on_long",
    "embedding_config",
    "title_metadata_key",
    "vertexai",
    "project",
    "location",
    "base_url",
    "service_name",
    "api_version",
)


_LATER = {"on_long": "truncate", "caption_prefix": False}
"""Options that 0.2 did not have, and what it did: what is so still leaves the text as it was."""


def in_order(dump: dict[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dump of all fields without those that only shape the traffic.

    What a subclass added follows at the end. `fields` are those of its class, with its defaults.
    """
    as_ever = {name for name, was in _LATER.items() if fields[name].default == was == dump[name]}
    known = {name: dump[name] for name in _IN_ORDER if name in dump and name not in as_ever}
    own = {name: value for name, value in dump.items() if name not in OptionFields.model_fields}
    return known | own
