"""A request of the Gemini API -> what to embed, or Google's refusal; and the answers' bodies.

Performs no I/O. The order of the checks is Google's: first whether the JSON fits the
message, then whether the model exists, then what the values mean.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, cast, get_args

from gemini_embed.models import MODELS, Model
from gemini_embed.standin import bodies, protojson
from gemini_embed.standin.asked import Asked
from gemini_embed.tasks import TITLED, TaskType

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_BATCH = 100

_CONFIG = (
    "taskType",
    "title",
    "outputDimensionality",
    "autoTruncate",
    "documentOcr",
    "audioTrackExtraction",
)
_REQUEST = ("model", "content", "embedContentConfig", *_CONFIG[:3])
_CONTENT = ("parts", "role")
_PART = ("text", "inlineData", "fileData")
_BATCH = "* BatchEmbedContentsRequest.requests"


class Call(NamedTuple):
    """What the URL says: `/{version}/models/{model}:{method}`."""

    version: str
    model: str
    method: str


class _Entry(NamedTuple):
    """One request as it is written, before anybody asks whether it makes sense."""

    model: str | None
    parts: list[str] | None
    task_type: TaskType | None
    title: str | None
    dimension: int | None


def batch(call: Call, body: Any) -> list[Asked]:
    """Return what a `batchEmbedContents` asks for.

    Raises:
        GoogleError: One bad entry refuses the whole batch.
    """
    fields = protojson.message(body, "", ("requests", "model"))
    listed = protojson.items(fields.get("requests", []), "requests")
    entries = [_entry(call, item, where) for item, where in listed]
    model = served(call)
    if not entries:  # presumed wording
        raise bodies.invalid(f"{_BATCH}: requests is not specified\n")
    if len(entries) > MAX_BATCH:
        raise bodies.invalid(f"{_BATCH}: at most {MAX_BATCH} requests can be in one batch\n")
    for index, entry in enumerate(entries):
        # Both presumed wordings; the real service refuses these too.
        if entry.model is None or not entry.model.startswith("models/"):
            raise bodies.invalid(f"{_BATCH}[{index}].model: unexpected model name format\n")
        if entry.model != f"models/{call.model}":
            raise bodies.invalid(f"{_BATCH}[{index}].model: must match the model of the batch\n")
    return [_asked(model, entry) for entry in entries]


def single(call: Call, body: Any) -> list[Asked]:
    """Return what an `embedContent` asks for: one vector.

    Raises:
        GoogleError: It asks for something that is not to be had.
    """
    entry = _entry(call, body, "")
    model = served(call)
    if entry.model not in (None, f"models/{call.model}"):  # presumed wording
        raise bodies.invalid("* EmbedContentRequest.model: unexpected model name format\n")
    return [_asked(model, entry)]


def count_tokens(call: Call, body: Any) -> bytes:
    """Return the answer to `countTokens`: an estimate, one more than an embedding's count.

    Raises:
        GoogleError: The request makes no sense, or the model is not there.
    """
    fields = protojson.message(body, "", ("contents",))
    contents = [
        " ".join(_parts(item, where))
        for item, where in protojson.items(fields.get("contents", []), "contents")
    ]
    model = served(call)
    if not contents:
        raise bodies.invalid("* CountTokensRequest.contents: contents is not specified\n")
    count = 1 + sum(Asked(model, text, None, None, 1).tokens for text in contents)
    return _json({"totalTokens": count, "promptTokensDetails": _text_tokens(count)})


def vectors(call: Call, asked: Sequence[Asked], arrays: Sequence[bytes]) -> bytes:
    """Return the answer to `batchEmbedContents` or `embedContent`; `arrays` are JSON already."""
    listed = [b'{"values":%b}' % array for array in arrays]
    if call.method == "embedContent":
        start = b'"embedding":%b' % (listed[0] if listed else b"{}")
    else:
        start = b'"embeddings":[%b]' % b",".join(listed)
    if asked[0].model.task == "field":  # the older models tell no usage
        return b"{%b}" % start
    count = sum(one.tokens for one in asked)
    usage = _json({"promptTokenCount": count, "promptTokenDetails": _text_tokens(count)})
    return b'{%b,"usageMetadata":%b}' % (start, usage)


def served(call: Call) -> Model:
    """Return the row of the model in the URL.

    Raises:
        GoogleError: Unknown to the Gemini API, or shut down.
    """
    model = MODELS.get(call.model)
    if model is None or model.gemini not in ("available", "preview"):
        raise bodies.not_found(call.model, call.version, call.method)
    return model


def model_list() -> bytes:
    """Return the answer to `GET models`."""
    rows = [row for row in MODELS.values() if row.gemini in ("available", "preview")]
    return _json({"models": [_described(row) for row in rows]})


def one_model(version: str, name: str) -> bytes:
    """Return the answer to `GET models/{name}`.

    Raises:
        GoogleError: No such model.
    """
    model = MODELS.get(name)
    if model is None or model.gemini not in ("available", "preview"):
        raise bodies.model_not_found(name, version)
    return _json(_described(model))


def understood(
    model: Model, text: str, task_type: TaskType | None, title: str | None, dimension: int | None
) -> Asked:
    """Return what the model makes of a text: the newer ones ignore task type and title."""
    if model.task == "prefix":
        task_type = title = None
    elif task_type == "TASK_TYPE_UNSPECIFIED":
        task_type = None
    return Asked(model, text, task_type, title, model.dimension if dimension is None else dimension)


def _entry(call: Call, item: Any, where: str) -> _Entry:
    inside = f"{where}." if where else ""
    fields = protojson.message(item, where, _REQUEST)
    nested, nest = fields.get("embedContentConfig"), f"{inside}embed_content_config"
    if nested is not None:
        fields |= protojson.message(nested, nest, _CONFIG)
    task_type = fields.get("taskType")
    if task_type is not None and task_type not in get_args(TaskType):
        place = f"{inside}task_type"
        kind = f"type.googleapis.com/google.ai.generativelanguage.{call.version}.TaskType"
        raise bodies.invalid_payload(
            f"Invalid value at '{place}' ({kind}), {json.dumps(task_type)}", place
        )
    model, content = fields.get("model"), fields.get("content")
    title, dimension = fields.get("title"), fields.get("outputDimensionality")
    return _Entry(
        None if model is None else protojson.text(model, f"{inside}model"),
        None if content is None else _parts(content, f"{inside}content"),
        cast("TaskType | None", task_type),
        None if title is None else protojson.text(title, f"{inside}title"),
        None if dimension is None else protojson.whole(dimension, f"{inside}output_dimensionality"),
    )


def _parts(content: Any, where: str) -> list[str]:
    fields = protojson.message(content, where, _CONTENT)
    texts = []
    for item, place in protojson.items(fields.get("parts", []), f"{where}.parts"):
        part = protojson.message(item, place, _PART)
        if part.keys() - {"text"}:
            raise bodies.invalid("The stand-in embeds text only.")
        texts.append(protojson.text(part.get("text", ""), f"{place}.text"))
    return texts


def _asked(model: Model, entry: _Entry) -> Asked:
    if not entry.parts:  # presumed wording
        raise bodies.invalid("* EmbedContentRequest.content: content is not specified\n")
    if not all(entry.parts):
        raise bodies.invalid("EmbedContentRequest.content contains an empty Part.")
    if entry.dimension is not None and not 1 <= entry.dimension <= model.dimension:
        # Presumed wording, and presumed that zero is refused too.
        raise bodies.invalid(
            "* EmbedContentRequest.output_dimensionality: must be between 1 and "
            f"{model.dimension}, got {entry.dimension}\n"
        )
    if model.task == "field" and entry.title and entry.task_type != TITLED:  # presumed wording
        raise bodies.invalid(
            f"* EmbedContentRequest.title: can only be set when the task type is {TITLED}\n"
        )
    return understood(model, " ".join(entry.parts), entry.task_type, entry.title, entry.dimension)


def _described(model: Model) -> dict[str, Any]:
    return {
        "name": f"models/{model.name}",
        "version": model.name.rpartition("-")[2],
        "displayName": model.name.replace("-", " ").title(),
        "inputTokenLimit": model.max_input_tokens,
        "outputTokenLimit": 1,
        "supportedGenerationMethods": ["embedContent", "batchEmbedContents", "countTokens"],
    }


def _text_tokens(count: int) -> list[dict[str, Any]]:
    return [{"modality": "TEXT", "tokenCount": count}]


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
