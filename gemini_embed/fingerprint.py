"""A name for all that shapes a vector but the text, and a guard for indexes. Performs no I/O.

Five parts, separated by dots: model, dimension, purpose, how the task reaches the model, length.
For example `gemini-embedding-2.768.retrieval.prefix.unit`; behind the last stands `-split` where
long texts are split, and behind the fourth `-captions` where texts beside media have a prefix, too.
Vectors of one index, and the queries asked of it, must agree in all of them. Only letters, digits,
`_`, `.` and `-` occur, so that it can name a collection, a folder or a cache namespace.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, NamedTuple, Protocol

from gemini_embed.errors import ConfigurationError

if TYPE_CHECKING:
    from gemini_embed.contents import TaskType
    from gemini_embed.models import Model

_HASH = re.compile(r"[0-9a-f]{8}")

_RETRIEVAL = {None, "RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT"}

_SERVICE_MARK = "-at-"
_SPLIT_MARK = "-split"
_CAPTION_MARK = "-captions"

_ADVICE = {
    "service": "its vectors are others; where it is the same service at another address, set "
    "service_name to its name or earlier address",
    "model": "vectors of two models cannot be mixed",
    "dimension": "set output_dimensionality to match",
    "task_type": "set task_type to match",
    "task_prefix": "set task_prefix to match",
    "normalize": "set normalize to match",
    "long texts": "set on_long to match",
    "captions": "set caption_prefix to match",
}


class _Parts(NamedTuple):
    model: str
    dimension: str
    task_type: str
    task_prefix: str
    normalize: str


class HasFingerprint(Protocol):
    """An embedder: the core's, LangChain's or LlamaIndex's."""

    @property
    def fingerprint(self) -> str:
        """What shapes its vectors."""
        ...


class FingerprintMismatchError(ConfigurationError):
    """An index and an embedder do not belong together; the text says what differs."""


def fingerprint(
    model: Model,
    *,
    dimension: int,
    purpose: TaskType | None,
    task_prefix: bool,
    normalized: bool,
    is_split: bool,
    service: str | None,
    captions: bool = False,
) -> str:
    """Return the fingerprint of an embedder's settings.

    `normalized` says whether vectors have length 1, whoever normalises them, and `is_split` whether
    those of long texts are means. `service` names a service other than Google's, whose vectors are
    others; the fingerprint holds its hash. `captions` says whether texts beside media have a
    prefix.
    """
    name = model.name
    if service is not None:
        name += _SERVICE_MARK + hashlib.blake2b(service.encode(), digest_size=4).hexdigest()
    parts = _Parts(
        model=name,
        dimension=str(dimension),
        task_type="retrieval" if purpose in _RETRIEVAL else str(purpose).lower(),
        task_prefix=_task_prefix(model, task_prefix=task_prefix, captions=captions),
        normalize=("unit" if normalized else "asis") + (_SPLIT_MARK if is_split else ""),
    )
    return ".".join(re.sub(r"[^a-zA-Z0-9_-]", "_", part) for part in parts)


def _task_prefix(model: Model, *, task_prefix: bool, captions: bool) -> str:
    if model.task == "field" or not task_prefix:
        return "field" if model.task == "field" else "bare"
    return "prefix" + (_CAPTION_MARK if captions else "")


def check_fingerprint(stored: str | None, embedder: HasFingerprint) -> None:
    """Refuse to use an index with an embedder that makes other vectors than are in it.

    Args:
        stored: What was `embedder.fingerprint` when the index was built; None for an index
            that holds none, which passes.
        embedder: Anything with a `fingerprint`.

    Raises:
        FingerprintMismatchError: Says what differs, and what to do.
    """
    current = embedder.fingerprint
    if stored is None or stored in {current, *getattr(embedder, "former_fingerprints", ())}:
        return
    theirs, ours = _parts_of(stored), _parts_of(current)
    differences = [
        f"{field} is {our!r} and was {theirs[field]!r} ({_ADVICE[field]})"
        for field, our in ours.items()
        if our != theirs[field]
    ]
    raise FingerprintMismatchError(
        "this embedder's vectors do not belong in this index: "
        + "; ".join(differences)
        + ". Otherwise embed the index again"
    )


def _parts_of(fingerprint: str) -> dict[str, str]:
    """Return the parts of a fingerprint by their names, the service beside the model."""
    parts = fingerprint.rsplit(".", 4)
    if len(parts) != len(_Parts._fields):
        raise FingerprintMismatchError(f"{fingerprint!r} is not a fingerprint of gemini-embed")
    named = dict(zip(_Parts._fields, parts, strict=True))
    model, _, service = named["model"].rpartition(_SERVICE_MARK)
    if not _HASH.fullmatch(service) or not model:
        model, service = named["model"], "Google"
    normalize = named["normalize"].removesuffix(_SPLIT_MARK)
    task_prefix = named["task_prefix"].removesuffix(_CAPTION_MARK)
    captions = "bare" if task_prefix == named["task_prefix"] else "prefix"
    long_texts = "whole" if normalize == named["normalize"] else "split"
    return {
        **named,
        "model": model,
        "service": service,
        "normalize": normalize,
        "task_prefix": task_prefix,
        "captions": captions,
        "long texts": long_texts,
    }
