"""`embedContent` and `batchEmbedContents`, which both of Google's services have.

A request as it is written, which vectors it asks for, and the answer's member that holds them.
Performs no I/O. The order of the checks is Google's: first whether the JSON fits the message, then
whether the model is there, then what the values mean.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from gemini_embed.contents import TaskType
from gemini_embed.standin import google_errors, parts, protojson, vertex_errors
from gemini_embed.standin.media import NO_OPTIONS, MediaOptions
from gemini_embed.standin.vector_sources import WantedVector, counts_of
from gemini_embed.tasks import TITLED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gemini_embed.models import Model
    from gemini_embed.standin.parts import Fetch, Part
    from gemini_embed.standin.url import Target

    Reader = Callable[[Target, Any], list[WantedVector]]

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
_BATCH, _SINGLE = "BatchEmbedContentsRequest", "EmbedContentRequest"
_FORMAT = "unexpected model name format"
_TASKS: dict[str, TaskType] = {
    name: name for name in get_args(TaskType) if name != "TASK_TYPE_UNSPECIFIED"
}


class EmbedRequest(NamedTuple):
    """One request as it is written, before anybody asks whether it makes sense.

    `name` is what refusals call the request.
    """

    parts: list[Part] | None
    model: str | None = None
    task_type: TaskType | None = None
    title: str | None = None
    dimension: int | None = None
    auto_truncate: bool = True
    media_options: MediaOptions = NO_OPTIONS
    name: str = _SINGLE


def single(
    target: Target, body: Any, *, served: Callable[[Target], Model], fetch: Fetch
) -> list[WantedVector]:
    """Return what an `embedContent` asks for: one vector.

    `served` returns the row of the model in the URL, or refuses, in its service's words.

    Raises:
        GoogleError: It asks for something that there is not.
    """
    request = read(target, body, "")
    model = served(target)
    if request.model not in (None, *target.names):  # presumed wording
        raise google_errors.invalid_fields(f"{request.name}.model: {_FORMAT}")
    return _together([vector_of(target, model, request, fetch)])


def batch(
    target: Target, body: Any, *, served: Callable[[Target], Model], most: int, fetch: Fetch
) -> list[WantedVector]:
    """Return what a `batchEmbedContents` asks for, which takes `most` requests.

    On Vertex AI all wordings about the batch and its models are taken from the Gemini API.

    Raises:
        GoogleError: One bad request refuses the whole batch.
    """
    fields = protojson.message(body, "", ("requests", "model"))
    listed = protojson.items(fields.get("requests", []), "requests")
    requests = [read(target, item, where) for item, where in listed]
    model = served(target)
    if not requests:  # presumed wording
        raise google_errors.invalid_fields(f"{_BATCH}.requests: requests is not specified")
    if len(requests) > most:
        raise google_errors.invalid_fields(
            f"{_BATCH}.requests: at most {most} requests can be in one batch"
        )
    if complaints := [c for one in requests if (c := _complaint_of_model(one, target))]:
        raise google_errors.invalid_fields(*complaints)
    return _together([vector_of(target, model, one, fetch) for one in requests])


def _together(wanted: list[WantedVector]) -> list[WantedVector]:
    parts.check_together(wanted)
    return wanted


def _complaint_of_model(one: EmbedRequest, target: Target) -> str | None:
    """Return what is wrong with the model that a request of a batch names, if anything is."""
    if one.model in target.names:
        return None
    if one.model is None:
        return f"{one.name}.model: model is not specified"
    if not one.model.startswith(target.resource.removesuffix(target.model)):
        return f"{one.name}.model: {_FORMAT}"
    return f"{one.name}.model: must match the model of the batch"  # presumed wording


def read(target: Target, item: Any, where: str) -> EmbedRequest:
    """Return what is written in an `EmbedContentRequest`.

    Raises:
        GoogleError: It does not fit the message.
    """
    inside = f"{where}." if where else ""
    fields = protojson.message(item, where, _VERTEX if target.vertex else _GEMINI)
    nested, nest = fields.get("embedContentConfig"), f"{inside}embed_content_config"
    if nested is not None:
        fields |= protojson.message(nested, nest, _CONFIG)
    truncate = protojson.flag(fields.get("autoTruncate", True), f"{inside}auto_truncate")
    model, content = fields.get("model"), fields.get("content")
    title, dimension = fields.get("title"), fields.get("outputDimensionality")
    return EmbedRequest(
        parts=None if content is None else parts.read(content, f"{inside}content"),
        model=None if model is None else protojson.text(model, f"{inside}model"),
        task_type=task_type(target, fields.get("taskType"), f"{inside}task_type"),
        title=None if title is None else protojson.text(title, f"{inside}title"),
        dimension=None
        if dimension is None
        else protojson.whole(dimension, f"{inside}output_dimensionality"),
        # The Gemini API takes it too; what that does to a text that is too long is not known.
        auto_truncate=truncate or not target.vertex,
        media_options=MediaOptions(
            ocr=target.vertex and _flag(fields, "documentOcr", nest),
            sound=target.vertex and _flag(fields, "audioTrackExtraction", nest),
        ),
        name=f"{_BATCH}.{where}" if where else _SINGLE,
    )


def _flag(fields: Mapping[str, Any], name: str, where: str) -> bool:
    return protojson.flag(fields.get(name, False), f"{where}.{name}")


def task_type(target: Target, value: Any, where: str) -> TaskType | None:
    """Return a task type; None where there is none, for which each service has a word of its own.

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


def vector_of(target: Target, model: Model, request: EmbedRequest, fetch: Fetch) -> WantedVector:
    """Return the vector that a request asks for.

    Raises:
        GoogleError: It asks for something that there is not.
    """
    content = parts.resolved(
        request.parts or (),
        f"{request.name}.content",
        model=model,
        service=target.service,
        fetch=fetch,
        options=request.media_options,
    )
    if not all(content):
        raise google_errors.invalid(f"{_SINGLE}.content contains an empty Part.")
    if request.dimension is not None and not 1 <= request.dimension <= model.dimension:
        # Presumed wording, and presumed that zero is refused too.
        raise google_errors.invalid_fields(
            f"{request.name}.output_dimensionality: must be between 1 and {model.dimension}, "
            f"got {request.dimension}"
        )
    if model.task == "field" and request.title and request.task_type != TITLED:
        raise google_errors.invalid_fields(  # presumed wording
            f"{request.name}.title: can only be set when the task type is {TITLED}"
        )
    wanted = WantedVector.of(model, content, request.task_type, request.title, request.dimension)
    if not request.auto_truncate:
        (count,) = counts_of([wanted])
        if count.too_long:
            raise vertex_errors.too_many_tokens(count.tokens, count.most)
    return wanted


def embeddings(target: Target, arrays: Sequence[bytes]) -> dict[str, bytes]:
    """Return the member of an answer that holds the vectors, which are JSON arrays already.

    Nothing stands for one that the answer holds no values of. A fault may have emptied or taken
    the last one.
    """
    listed = [protojson.composed({"values": array}) for array in arrays]
    if target.method == "embedContent":
        return {"embedding": b"".join(listed)}
    return {"embeddings": b"[%b]" % b",".join(listed)}
