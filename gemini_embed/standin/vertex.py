"""A request of Vertex AI -> which vectors it wants, or Google's refusal; and the answers.

Performs no I/O. The order of the checks is that of `embed_content`. No exchange with
`batchEmbedContents` has been published; its answer follows Google's reference and what Google's
SDK reads.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from gemini_embed.models import MODELS, Model
from gemini_embed.standin import embed_content, protojson, vertex_errors
from gemini_embed.standin.embed_content import EmbedRequest
from gemini_embed.standin.parts import nothing_there
from gemini_embed.standin.vector_sources import counts_of, details_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gemini_embed.standin.embed_content import Reader
    from gemini_embed.standin.parts import Fetch
    from gemini_embed.standin.url import Target
    from gemini_embed.standin.vector_sources import Count, WantedVector

MAX_INSTANCES = 250
"""Texts of one `predict`; `instances_001` may say otherwise of gemini-embedding-001."""

MAX_BATCH = 100
"""Presumed to be the Gemini API's: Google documents no limit of `batchEmbedContents` here."""

MAX_PREDICT_TOKENS = 20_000
"""Of one `predict` of an older model. gemini-embedding-001 has been seen to take far more."""

_OLD_AND_NEW = "gemini-embedding-001"
"""The one model that is served by the older method and by the newer ones."""

_BY_CONTENT = ("embedContent", "batchEmbedContents")
_INSTANCE = ("content", "taskType", "title", "mimeType")
_PARAMETERS = ("outputDimensionality", "autoTruncate")


def readers(fetch: Fetch, *, instances_001: int) -> Mapping[str, Reader]:
    """Return what each method asks for; `instances_001` limits `predict` of that model."""
    return {
        "predict": partial(predict, instances_001=instances_001),
        "batchEmbedContents": partial(
            embed_content.batch, served=served, most=MAX_BATCH, fetch=fetch
        ),
        "embedContent": partial(embed_content.single, served=served, fetch=fetch),
    }


def predict(target: Target, body: Any, *, instances_001: int) -> list[WantedVector]:
    """Return what a `predict` asks for.

    Raises:
        GoogleError: One bad instance refuses all.
    """
    fields = protojson.message(body, "", ("instances", "parameters"))
    where = "parameters"
    parameters = protojson.message(fields.get(where, {}), where, _PARAMETERS)
    dimension = parameters.get("outputDimensionality")
    if dimension is not None:
        dimension = protojson.whole(dimension, f"{where}.outputDimensionality")
    truncate = protojson.flag(parameters.get("autoTruncate", True), f"{where}.autoTruncate")
    written = [
        _instance(target, item, place)._replace(dimension=dimension, auto_truncate=truncate)
        for item, place in protojson.items(fields.get("instances", []), "instances")
    ]
    model = served(target)
    most = instances_001 if model.name == _OLD_AND_NEW else MAX_INSTANCES
    if not written:
        raise vertex_errors.empty_instances()
    if len(written) > most:
        raise vertex_errors.too_many_instances(len(written), most)
    if not all(one.parts and one.parts[0] for one in written):
        raise vertex_errors.empty_text()
    wanted = [embed_content.vector_of(target, model, one, nothing_there) for one in written]
    tokens = sum(count.tokens for count in counts_of(wanted))
    if model.name != _OLD_AND_NEW and tokens > MAX_PREDICT_TOKENS:
        raise vertex_errors.too_many_tokens(tokens, MAX_PREDICT_TOKENS)
    return wanted


def served(target: Target) -> Model:
    """Return the row of the model in the URL.

    Raises:
        GoogleError: Not on Vertex AI, not in this place, or not by this method.
    """
    model = MODELS.get(target.model)
    if model is None or not model.vertex.is_on or not _is_in(target.location, model):
        raise vertex_errors.model_not_found(target.resource)
    if target.method not in _methods(model):
        raise vertex_errors.precondition_failed()
    return model


def answer(target: Target, wanted: Sequence[WantedVector], arrays: Sequence[bytes]) -> bytes:
    """Return the answer to any of the methods; `arrays` are JSON already."""
    counts = counts_of(wanted)
    if target.method == "predict":
        # A fault may have taken the last vector.
        predictions = [_prediction(*pair) for pair in zip(counts, arrays, strict=False)]
        characters = sum(len("".join(one.text.split())) for one in wanted)
        return protojson.composed(
            {
                "predictions": b"[%b]" % b",".join(predictions),
                "metadata": protojson.printed({"billableCharacterCount": characters}),
            }
        )
    count = sum(one.read for one in counts)
    usage = {
        "promptTokenCount": count,
        "promptTokensDetails": details_of(counts),
        "totalTokenCount": count,
    }
    members = embed_content.embeddings(target, arrays) | {"usageMetadata": protojson.printed(usage)}
    if any(one.too_long for one in counts):  # one flag for all, only where it is true
        members["truncated"] = protojson.printed(value=True)
    return protojson.composed(members)


def _is_in(location: str | None, model: Model) -> bool:
    """Tell whether a place has a model. Express mode names no place, and has all of them."""
    return location is None or model.task == "field" or location in ("global", "us", "eu")


def _methods(model: Model) -> tuple[str, ...]:
    if model.task == "prefix":
        return _BY_CONTENT
    if model.name == _OLD_AND_NEW:
        return ("predict", *_BY_CONTENT)
    return ("predict",)  # presumed: nobody has reported what another method answers


def _instance(target: Target, item: Any, where: str) -> EmbedRequest:
    fields = protojson.message(item, where, _INSTANCE)
    title = fields.get("title")
    return EmbedRequest(
        parts=[protojson.text(fields.get("content", ""), f"{where}.content")],
        task_type=embed_content.task_type(target, fields.get("taskType"), f"{where}.task_type"),
        title=None if title is None else protojson.text(title, f"{where}.title"),
    )


def _prediction(count: Count, array: bytes) -> bytes:
    statistics = protojson.printed({"token_count": count.read, "truncated": count.too_long})
    embeddings = protojson.composed({"values": array, "statistics": statistics})
    return protojson.composed({"embeddings": embeddings})
