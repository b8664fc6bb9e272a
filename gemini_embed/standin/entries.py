"""One embedding request as it is written, what it asks for, and how vectors are handed back.

What both of Google's services have in common. Performs no I/O.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from gemini_embed.standin import google_errors, protojson
from gemini_embed.standin.vector_sources import WantedVector
from gemini_embed.tasks import TITLED, TaskType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gemini_embed.models import Model
    from gemini_embed.standin.url import Target

_CONFIG = (
    "taskType",
    "title",
    "outputDimensionality",
    "autoTruncate",
    "documentOcr",
    "audioTrackExtraction",
)
_GEMINI = ("model", "content", "embedContentConfig", *_CONFIG[:3])
_VERTEX = (*_GEMINI, "autoTruncate")
_CONTENT = ("parts", "role")
_PART = ("text", "inlineData", "fileData")
_TASKS: dict[str, TaskType] = {
    name: name for name in get_args(TaskType) if name != "TASK_TYPE_UNSPECIFIED"
}


class Entry(NamedTuple):
    """One request as it is written, before anybody asks whether it makes sense.

    A part that holds nothing is None. `name` is what refusals call the request.
    """

    parts: list[str | None] | None
    model: str | None = None
    task_type: TaskType | None = None
    title: str | None = None
    dimension: int | None = None
    auto_truncate: bool = True
    name: str = "EmbedContentRequest"


def entry(target: Target, item: Any, where: str) -> Entry:
    """Return what is written in an `EmbedContentRequest`.

    Raises:
        GoogleError: It does not fit the message.
    """
    inside = f"{where}." if where else ""
    fields = protojson.message(item, where, _VERTEX if target.vertex else _GEMINI)
    nested, nest = fields.get("embedContentConfig"), f"{inside}embed_content_config"
    if nested is not None:
        fields |= protojson.message(nested, nest, _CONFIG)
    model, content = fields.get("model"), fields.get("content")
    title, dimension = fields.get("title"), fields.get("outputDimensionality")
    return Entry(
        parts=None if content is None else texts(content, f"{inside}content"),
        model=None if model is None else protojson.text(model, f"{inside}model"),
        task_type=task_type(target, fields.get("taskType"), f"{inside}task_type"),
        title=None if title is None else protojson.text(title, f"{inside}title"),
        dimension=None
        if dimension is None
        else protojson.whole(dimension, f"{inside}output_dimensionality"),
        auto_truncate=protojson.flag(fields.get("autoTruncate", True), f"{inside}auto_truncate"),
        name=f"BatchEmbedContentsRequest.{where}" if where else "EmbedContentRequest",
    )


def texts(content: Any, where: str) -> list[str | None]:
    """Return the text of every part of a `Content`; None of a part that holds nothing.

    Raises:
        GoogleError: It does not fit the message, or is not text.
    """
    fields = protojson.message(content, where, _CONTENT)
    found = []
    for item, place in protojson.items(fields.get("parts", []), f"{where}.parts"):
        part = protojson.message(item, place, _PART)
        if part.keys() - {"text"}:
            raise google_errors.invalid("The stand-in embeds text only.")
        text = part.get("text")
        found.append(None if text is None else protojson.text(text, f"{place}.text"))
    return found


def task_type(target: Target, value: Any, where: str) -> TaskType | None:
    """Return a task type; None where none is told, for which each service has its own word.

    Raises:
        GoogleError: There is no such task type.
    """
    if value is None or value == ("UNSPECIFIED" if target.vertex else "TASK_TYPE_UNSPECIFIED"):
        return None
    if isinstance(value, str) and value in _TASKS:
        return _TASKS[value]
    kind = (
        f"cloud.aiplatform.{target.version}.EmbedContentRequest.EmbeddingTaskType"  # presumed name
        if target.vertex
        else f"ai.generativelanguage.{target.version}.TaskType"
    )
    raise google_errors.invalid_payload(
        f"Invalid value at '{where}' (type.googleapis.com/google.{kind}), {json.dumps(value)}",
        where,
    )


def vector_of(model: Model, written: Entry) -> WantedVector:
    """Return the vector that a request asks for.

    Raises:
        GoogleError: It asks for something that there is not.
    """
    text = joined(written.parts or (), f"{written.name}.content")
    if not all(written.parts or ()):
        raise google_errors.invalid("EmbedContentRequest.content contains an empty Part.")
    if written.dimension is not None and not 1 <= written.dimension <= model.dimension:
        # Presumed wording, and presumed that zero is refused too.
        raise google_errors.invalid_fields(
            f"{written.name}.output_dimensionality: must be between 1 and {model.dimension}, "
            f"got {written.dimension}"
        )
    if model.task == "field" and written.title and written.task_type != TITLED:
        raise google_errors.invalid_fields(  # presumed wording
            f"{written.name}.title: can only be set when the task type is {TITLED}"
        )
    return WantedVector.of(model, text, written.task_type, written.title, written.dimension)


def joined(parts: Sequence[str | None], where: str) -> str:
    """Return the text of a `Content`: all of its parts.

    Raises:
        GoogleError: There is none, or one that holds nothing.
    """
    if not parts:  # presumed wording
        raise google_errors.invalid_fields(f"{where}: content is not specified")
    if None in parts:
        raise google_errors.invalid_fields(
            f"{where}.parts[{parts.index(None)}].data: required oneof field 'data' must have one "
            "initialized field"
        )
    return " ".join(part for part in parts if part is not None)


def embeddings(target: Target, arrays: Sequence[bytes]) -> dict[str, bytes]:
    """Return the member of an answer that holds the vectors, which are JSON arrays already.

    A fault may have emptied or taken the last one.
    """
    listed = [protojson.composed({"values": array}) for array in arrays]
    if target.method == "embedContent":
        return {"embedding": b"".join(listed)}
    return {"embeddings": b"[%b]" % b",".join(listed)}


def text_tokens(count: int) -> list[dict[str, Any]]:
    """Return the token count of an answer by modality: all of it is text here."""
    return [{"modality": "TEXT", "tokenCount": count}]
