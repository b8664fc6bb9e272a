"""Under which key a vector is kept. Performs no I/O.

The key is the request as sent: with it, a query is never answered with a document's vector, nor
one model's, dimension's or service's vector with another's.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gemini_embed.tasks import WireText

KEY_VERSION = 1
"""Part of every key: a change of what a key says makes old entries unreachable, not wrong."""


class Cache(Protocol):
    """What `cache=` takes. Both methods are called on worker threads, several at once."""

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the value of each key, in order, None where there is none."""

    def set_many(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        """Keep values under their keys."""


def cache_key(wire: WireText, *, model: str, dimension: int, service: str | None) -> str:
    """Return the key of one request: all that the service's answer depends on, hashed.

    Args:
        wire: The text with its prefix, and the task and title where they are fields.
        model: The model's bare name.
        dimension: Of the vector as the service sends it.
        service: Another service's address than Google's: its vectors are other vectors.
    """
    parts = (KEY_VERSION, model, dimension, service, wire.task_type, wire.title, wire.text)
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=20).hexdigest()
