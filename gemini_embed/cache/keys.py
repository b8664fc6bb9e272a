"""Under which key a vector is kept. Performs no I/O.

The key is the request as sent: with it, a query is never answered with a document's vector, nor
one model's, dimension's or service's vector with another's.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gemini_embed.contents import Content

KEY_VERSION = 2
"""Part of every key: a change of what a key says makes old entries unreachable, not wrong."""


class Cache(Protocol):
    """What `cache=` takes. Both methods are called on worker threads, several at once."""

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the value of each key, in order, None where there is none."""
        ...

    def set_many(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        """Keep values under their keys."""


def cache_keys(
    contents: Iterable[Content], *, model: str, dimension: int, service: str | None
) -> list[str]:
    """Return the key of each content: all that the service's answer depends on, hashed.

    Args:
        contents: Texts with their prefix, and the task and title where they are fields.
        model: The model's bare name.
        dimension: Of the vectors as the service sends them.
        service: Another service's address than Google's: its vectors are other vectors.
    """
    common = json.dumps((KEY_VERSION, model, dimension, service)).encode()
    starts: dict[tuple[str | None, str | None], hashlib.blake2b] = {}
    keys = []
    for content in contents:
        task_type, title = content.task_type, content.title
        start = starts.get((task_type, title))
        if start is None:  # what several have in common is hashed once
            length = -1 if title is None else len(title)  # tells where the title ends
            beginning = common + f"{task_type} {length} {title or ''}".encode()
            starts[task_type, title] = start = hashlib.blake2b(beginning, digest_size=20)
        hasher = start.copy()
        hasher.update(content.key_bytes())
        keys.append(hasher.hexdigest())
    return keys
