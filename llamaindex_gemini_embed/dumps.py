"""What a dump holds: what shapes a vector or says where it comes from, and no traffic.

An ingestion pipeline keeps what it did under the text of the dump, so its order counts as well.
"""

from __future__ import annotations

from typing import Any

from gemini_embed.adapter import OptionFields

_IN_ORDER = (
    "model_name",
    "embeddings_cache",
    "behaves_like",
    "task_type",
    "output_dimensionality",
    "normalize",
    "task_prefix",
    "on_blank",
    "on_surrogate",
    "embedding_config",
    "title_metadata_key",
    "vertexai",
    "project",
    "location",
    "base_url",
    "service_name",
    "api_version",
)


def in_order(dump: dict[str, Any]) -> dict[str, Any]:
    """Return a dump of all fields without those that only shape the traffic.

    What a subclass added follows at the end.
    """
    known = {name: dump[name] for name in _IN_ORDER if name in dump}
    own = {name: value for name, value in dump.items() if name not in OptionFields.model_fields}
    return known | own
