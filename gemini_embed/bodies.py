"""The body of a request for several texts, as the services document it. Performs no I/O.

The SDK could write it too, but holds every text against each kind of content there is, which
costs more than reading the answer does, and knows one task and one title a request.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gemini_embed.models import MODELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gemini_embed.ask import Ask
    from gemini_embed.tasks import WireText


def is_certain(ask: Ask) -> bool:
    """Tell whether the SDK goes the way that the table of models says.

    On Vertex AI it goes by the model's name, and a gateway's may be any.
    """
    return ask.backend.name == "gemini" or ask.model.name in MODELS


def body_of(wires: Iterable[WireText], ask: Ask) -> dict[str, Any]:
    """Return what differs from text to text: the SDK adds what a body holds beside it."""
    name, entry = _ENTRIES[ask.backend.name, ask.route.method]
    return {name: [_without_none(entry(wire, ask)) for wire in wires]}


def content_of(wire: WireText) -> dict[str, Any]:
    """Return a text as the one content that it is."""
    return {"parts": [{"text": wire.text}]}


def as_utf8(body: bytes) -> bytes:
    r"""Return a body of JSON with letters where there were escapes such as `\u6587`.

    The SDK escapes all that is not ASCII: Chinese is twice as long then, and so is its way.
    """
    if rb"\u" not in body:
        return body
    try:
        return json.dumps(json.loads(body), ensure_ascii=False).encode()
    except (RecursionError, ValueError):  # half of a surrogate pair, in what is not a text
        return body


def _on_gemini(wire: WireText, ask: Ask) -> dict[str, Any]:
    name = ask.service.sent_model
    return {
        "model": name if name.startswith(("models/", "tunedModels/")) else f"models/{name}",
        "content": content_of(wire),
        "taskType": wire.task_type,
        "title": wire.title,
        "outputDimensionality": ask.output_dimensionality,
    }


def _on_vertex(wire: WireText, ask: Ask) -> dict[str, Any]:
    config = {
        "taskType": wire.task_type,
        "title": wire.title,
        "outputDimensionality": ask.output_dimensionality,
    }
    return {"content": content_of(wire), "embedContentConfig": _without_none(config) or None}


def _predicted(wire: WireText, _: Ask) -> dict[str, Any]:
    return {"content": wire.text, "task_type": wire.task_type, "title": wire.title}


_ENTRIES: dict[tuple[str, str], tuple[str, Callable[[WireText, Ask], dict[str, Any]]]] = {
    ("gemini", "batchEmbedContents"): ("requests", _on_gemini),
    ("vertex", "batchEmbedContents"): ("requests", _on_vertex),
    ("vertex", "predict"): ("instances", _predicted),
}


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
