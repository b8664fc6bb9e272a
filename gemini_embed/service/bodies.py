"""The body of a request, as the services document it. Performs no I/O.

The SDK could write it too, but holds every text against each kind of content there is, which
costs more than reading the answer does, and knows one task and one title a request.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from gemini_embed.contents import Content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gemini_embed.ask import Ask
    from gemini_embed.contents import TaskType


_WISH = "autoTruncate"
"""False says that a text that is too long is to be refused, not cut off."""


def written(body: dict[str, Any]) -> bytes:
    """Return a body as JSON in UTF-8: escapes would make Chinese twice as long, and its way."""
    return json.dumps(body, ensure_ascii=False).encode()


def method_of(contents: Sequence[Content], ask: Ask) -> str:
    """Return the API's method for these contents."""
    return "embedContent" if _is_single(contents, ask) else ask.route.method


def body_of(
    contents: Sequence[Content], ask: Ask, as_written: Callable[[Content], Any] | None = None
) -> dict[str, Any]:
    """Return the body of a request; `as_written` writes a content with media."""
    if _is_single(contents, ask):
        (content,) = contents
        return _without_none(
            {
                "content": (as_written or as_json)(content),
                "embedContentConfig": _config(content, ask) or None,
            }
        )
    entries = entries_of(contents, ask, as_written)
    if ask.route.method != "predict":
        return entries
    parameters = _without_none(
        {
            "outputDimensionality": ask.output_dimensionality,
            _WISH: None if ask.may_cut else False,
        }
    )
    return entries | ({"parameters": parameters} if parameters else {})


def count_body_of(contents: Sequence[Content]) -> dict[str, Any]:
    """Return the body of a request for the number of their tokens."""
    return {"contents": [{"parts": [{"text": content.read}]} for content in contents]}


def entries_of(
    contents: Iterable[Content], ask: Ask, as_written: Callable[[Content], Any] | None = None
) -> dict[str, Any]:
    """Return what differs from text to text, for a request of several."""
    name, entry, of_text = _ENTRIES[ask.backend.name, ask.route.method]
    of_one = as_written or of_text

    @cache  # most contents of a batch differ in their text alone
    def like(task_type: TaskType | None, title: str | None) -> dict[str, Any]:
        return _without_none(entry(Content.of("", task_type, title), ask))

    return {name: [{**like(c.task_type, c.title), "content": of_one(c)} for c in contents]}


def as_json(content: Content) -> dict[str, Any]:
    """Return a content in the form that JSON has."""
    return {"parts": [{"text": part} for part in content.parts]}


def _is_single(contents: Sequence[Content], ask: Ask) -> bool:
    """Tell whether Vertex AI is asked for one content, for which it has another form."""
    is_one = len(contents) == 1 and ask.route.method != "predict"
    return is_one and ask.backend.name == "vertex"


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
