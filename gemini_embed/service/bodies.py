"""The body of a request for several texts, as the services document it. Performs no I/O.

The SDK could write it too, but holds every text against each kind of content there is, which
costs more than reading the answer does, and knows one task and one title a request.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from gemini_embed.contents import Content
from gemini_embed.models import MODELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gemini_embed.ask import Ask
    from gemini_embed.contents import TaskType


_WISH = "autoTruncate"
"""False says that a text that is too long is to be refused, not cut off."""


def is_ours(contents: Sequence[Content], ask: Ask) -> bool:
    """Tell whether we write the body: of several texts, or with what the SDK would refuse.

    Not where it is unknown which way the SDK goes. On Vertex AI it goes by the model's name, and a
    gateway's may be any.
    """
    if ask.backend.name == "gemini":
        return len(contents) > 1 or not ask.may_cut
    return len(contents) > 1 and ask.model.name in MODELS


def body_of(
    contents: Iterable[Content], ask: Ask, written: Callable[[Content], Any] | None = None
) -> dict[str, Any]:
    """Return what differs from text to text: the SDK adds what a body holds beside it.

    `written` writes a content with media.
    """
    name, entry, of_text = _ENTRIES[ask.backend.name, ask.route.method]
    written = written or of_text

    @cache  # most contents of a batch differ in their text alone
    def like(task_type: TaskType | None, title: str | None) -> dict[str, Any]:
        return _without_none(entry(Content.of("", task_type, title), ask))

    return {name: [{**like(c.task_type, c.title), "content": written(c)} for c in contents]}


def media_body_of(
    contents: Sequence[Content], ask: Ask, written: Callable[[Content], Any]
) -> dict[str, Any]:
    """Return the same for contents with media; of one on Vertex AI, where the SDK writes it."""
    if ask.backend.name == "vertex" and len(contents) == 1:
        return {"content": written(contents[0])}
    return body_of(contents, ask, written)


def stand_in(contents: Sequence[Content]) -> list[dict[str, Any]]:
    """Return what the SDK is shown in the place of contents with media: as many, of text."""
    return [{"parts": [{"text": "-"}]} for _ in contents]


def as_json(content: Content) -> dict[str, Any]:
    """Return a content in the form that JSON has."""
    return {"parts": [{"text": part} for part in content.parts]}


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


def _on_gemini(content: Content, ask: Ask) -> dict[str, Any]:
    name, config = ask.service.sent_model, _config(content, ask)
    return {
        "model": name if name.startswith(("models/", "tunedModels/")) else f"models/{name}",
        "content": as_json(content),
        # Here alone it takes the wish. Which of two places counts for the rest, nobody has
        # recorded: both say the same.
        "embedContentConfig": None if ask.may_cut else config,
        **{option: value for option, value in config.items() if option != _WISH},
    }


def _on_vertex(content: Content, ask: Ask) -> dict[str, Any]:
    return {"content": as_json(content), "embedContentConfig": _config(content, ask) or None}


def _config(content: Content, ask: Ask) -> dict[str, Any]:
    config = {
        "taskType": content.task_type,
        "title": content.title,
        "outputDimensionality": ask.output_dimensionality,
        _WISH: None if ask.may_cut else False,
    }
    return _without_none(config)


def _predicted(content: Content, _: Ask) -> dict[str, Any]:
    return {"content": content.text, "task_type": content.task_type, "title": content.title}


def _text(content: Content) -> str:
    return content.text


_ENTRIES: dict[
    tuple[str, str],
    tuple[str, Callable[[Content, Ask], dict[str, Any]], Callable[[Content], Any]],
] = {
    ("gemini", "batchEmbedContents"): ("requests", _on_gemini, as_json),
    ("vertex", "batchEmbedContents"): ("requests", _on_vertex, as_json),
    ("vertex", "predict"): ("instances", _predicted, _text),
}
"""How a body names its entries, an entry, and what it holds as `content`."""


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
