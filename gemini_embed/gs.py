"""Addresses in Google Cloud Storage, `gs://BUCKET/NAME`: read, and checked. Performs no I/O."""

from __future__ import annotations

import re
from typing import NamedTuple, Self

from gemini_embed.errors import ConfigurationError

_SCHEME = "gs://"

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_IP = re.compile(r"[0-9]+(\.[0-9]+){3}")
"""What a bucket may be called, and which of such names it may not."""

_LONGEST_PART = 63
_LONGEST_PREFIX = 800
"""Bytes: the name of an object has 1,024 at most, and what is put after the prefix is short."""

_SPECIAL = frozenset("*?[]#")
"""Vertex AI and Google's tools read these as more than a letter."""


class GsAddress(NamedTuple):
    """Where an object lies, or a folder of objects.

    Attributes:
        bucket: The bucket.
        name: The object's name; of a folder, what the names in it begin with.
    """

    bucket: str
    name: str

    @classmethod
    def read(cls, written: str) -> Self | None:
        """Return what an address says; None where it is none."""
        bucket, slash, name = written.removeprefix(_SCHEME).partition("/")
        is_one = written.startswith(_SCHEME) and slash and name
        return cls(bucket, name) if is_one and _is_bucket(bucket) and name.isprintable() else None

    def __str__(self) -> str:
        return f"{_SCHEME}{self.bucket}/{self.name}"


def check_bucket(option: str, value: object) -> str:
    """Take a bucket, and what the names of objects in it are to begin with, as `gs://BUCKET/PREFIX`.

    Returns:
        The same without a slash at the end.

    Raises:
        ConfigurationError: It is something else.
    """
    if not isinstance(value, str) or not value.strip().startswith(_SCHEME):
        raise ConfigurationError(f'{option} must be "gs://BUCKET" or "gs://BUCKET/PREFIX"')
    bucket, _, prefix = value.strip().rstrip("/").removeprefix(_SCHEME).partition("/")
    if not _is_bucket(bucket):
        raise ConfigurationError(
            f"{option} names no bucket of Cloud Storage: such a name has 3 to 63 small letters, "
            "digits, dashes and underscores"
        )
    parts = prefix.split("/") if prefix else []
    is_plain = prefix.isprintable() and _SPECIAL.isdisjoint(prefix)
    if not is_plain or {"", ".", ".."} & {*parts}:
        raise ConfigurationError(
            f"{option}: what follows the bucket must be names with a slash between them, and hold "
            f"none of {' '.join(sorted(_SPECIAL))}"
        )
    if len(prefix.encode()) > _LONGEST_PREFIX:
        raise ConfigurationError(
            f"{option}: what follows the bucket may have {_LONGEST_PREFIX} bytes"
        )
    return f"{_SCHEME}{bucket}/{prefix}".rstrip("/")


def _is_bucket(name: str) -> bool:
    is_name = _BUCKET.fullmatch(name) and not _IP.fullmatch(name)
    return bool(is_name) and all(0 < len(part) <= _LONGEST_PART for part in name.split("."))
