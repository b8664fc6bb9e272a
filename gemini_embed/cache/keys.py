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
    from collections.abc import Set as AbstractSet

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
    contents: Iterable[Content],
    *,
    model: str,
    dimension: int,
    service: str | None,
    uncut: AbstractSet[Content] = frozenset(),
) -> list[str]:
    """Return the key of each content: all that the service's answer depends on, hashed.

    Args:
        contents: Texts with their prefix, and the task and title where they are fields.
        model: The model's bare name.
        dimension: Of the vectors as the service sends them.
        service: Another service's address than Google's: its vectors are other vectors.
        uncut: Contents of which the service may have cut off the end, but not in these vectors.
    """
    common = (KEY_VERSION, model, dimension, service)
    starts: dict[tuple[str | None, str | None, bool], hashlib.blake2b] = {}
    keys = []
    for content in contents:
        task_type, title = content.task_type, content.title
        is_uncut = bool(uncut) and content in uncut
        start = starts.get((task_type, title, is_uncut))
        if start is None:  # what several have in common is hashed once
            length = -1 if title is None else len(title)  # tells where the title ends
            named = json.dumps((*common, "uncut") if is_uncut else common)
            beginning = f"{named}{task_type} {length} {title or ''}".encode()
            starts[task_type, title, is_uncut] = start = hashlib.blake2b(beginning, digest_size=20)
        hasher = start.copy()
        hasher.update(content.key_bytes())
        keys.append(hasher.hexdigest())
    return keys
