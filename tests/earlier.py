"""Reads what earlier releases wrote, each in the way that it was written."""

from __future__ import annotations

import base64
import inspect
import json
import pickle
import zlib
from typing import Any

from langchain_core.load import loads

from langchain_gemini_embed import GeminiEmbeddings


def unpickled(written: str) -> Any:
    """Return what is in a pickle, which is compressed and written in letters."""
    return pickle.loads(zlib.decompress(base64.b85decode(written)))  # noqa: S301 - our own


def langchain_loads(dump: dict[str, Any]) -> GeminiEmbeddings:
    """Return what LangChain makes of its own dump."""
    trusted: dict[str, Any] = {"valid_namespaces": ["langchain_gemini_embed"]}
    if "allowed_objects" in inspect.signature(loads).parameters:  # not in langchain-core 1.0
        trusted["allowed_objects"] = [GeminiEmbeddings]
    found: GeminiEmbeddings = loads(json.dumps(dump), **trusted)
    return found
