"""A request of the Gemini API -> what to embed, or Google's refusal; and the answers' bodies.

Performs no I/O. The order of the checks is Google's: first whether the JSON fits the
message, then whether the model exists, then what the values mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gemini_embed.models import MODELS, Model
from gemini_embed.standin import entries, gemini_errors, google_errors, protojson
from gemini_embed.standin.vector_sources import WantedVector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gemini_embed.standin.url import Target

MAX_BATCH = 100

_BATCH = "BatchEmbedContentsRequest.requests"


def batch(target: Target, body: Any) -> list[WantedVector]:
    """Return what a `batchEmbedContents` asks for.

    Raises:
        GoogleError: One bad entry refuses the whole batch.
    """
    fields = protojson.message(body, "", ("requests", "model"))
    listed = protojson.items(fields.get("requests", []), "requests")
    written = [entries.entry(target, item, where) for item, where in listed]
    model = served(target)
    if not written:  # presumed wording
        raise google_errors.invalid_fields(f"{_BATCH}: requests is not specified")
    if len(written) > MAX_BATCH:
        raise google_errors.invalid_fields(
            f"{_BATCH}: at most {MAX_BATCH} requests can be in one batch"
        )
    if complaints := [c for one in written if (c := _complaint_of_model(one, target))]:
        raise google_errors.invalid_fields(*complaints)
    return [entries.vector_of(model, one) for one in written]


def single(target: Target, body: Any) -> list[WantedVector]:
    """Return what an `embedContent` asks for: one vector.

    Raises:
        GoogleError: It asks for something that there is not.
    """
    written = entries.entry(target, body, "")
    model = served(target)
    if written.model not in (None, target.resource):  # presumed wording
        raise google_errors.invalid_fields(
            "EmbedContentRequest.model: unexpected model name format"
        )
    return [entries.vector_of(model, written)]


def count_tokens(target: Target, body: Any) -> bytes:
    """Return the answer to `countTokens`: an estimate, one more than an embedding's count.

    Raises:
        GoogleError: The request makes no sense, or the model is not there.
    """
    fields = protojson.message(body, "", ("contents",))
    contents = [
        (entries.texts(item, where), f"CountTokensRequest.{where}")
        for item, where in protojson.items(fields.get("contents", []), "contents")
    ]
    model = served(target)
    if not contents:
        raise google_errors.invalid_fields("CountTokensRequest.contents: contents is not specified")
    texts = [entries.joined(*content) for content in contents]
    count = 1 + sum(WantedVector(model, text, None, None, 1).tokens for text in texts)
    return protojson.printed(
        {"totalTokens": count, "promptTokensDetails": entries.text_tokens(count)}
    )


def vectors(target: Target, wanted: Sequence[WantedVector], arrays: Sequence[bytes]) -> bytes:
    """Return the answer to `batchEmbedContents` or `embedContent`; `arrays` are JSON already."""
    members = entries.embeddings(target, arrays)
    if wanted[0].model.task == "prefix":  # the older models tell no usage
        count = sum(one.counted for one in wanted)
        usage = {"promptTokenCount": count, "promptTokenDetails": entries.text_tokens(count)}
        members["usageMetadata"] = protojson.printed(usage)
    return protojson.composed(members)


def _complaint_of_model(one: entries.Entry, target: Target) -> str | None:
    """Return what is wrong with the model that an entry of a batch names, if anything is."""
    if one.model is None:
        return f"{one.name}.model: model is not specified"
    if not one.model.startswith("models/"):
        return f"{one.name}.model: unexpected model name format"
    if one.model != target.resource:  # presumed wording
        return f"{one.name}.model: must match the model of the batch"
    return None


def served(target: Target) -> Model:
    """Return the row of the model in the URL.

    Raises:
        GoogleError: Unknown to the Gemini API, or shut down.
    """
    model = MODELS.get(target.model)
    if model is None or model.gemini not in ("available", "preview"):
        raise gemini_errors.not_found(target.model, target.version, target.method)
    return model


def model_list() -> bytes:
    """Return the answer to `GET models`."""
    rows = [row for row in MODELS.values() if row.gemini in ("available", "preview")]
    return protojson.printed({"models": [_description(row) for row in rows]})


def described(target: Target) -> bytes:
    """Return the answer to `GET models/{name}`.

    Raises:
        GoogleError: No such model.
    """
    model = MODELS.get(target.model)
    if model is None or model.gemini not in ("available", "preview"):
        raise gemini_errors.model_not_found(target.model, target.version)
    return protojson.printed(_description(model))


def _description(model: Model) -> dict[str, Any]:
    what = "a text" if model.task == "field" else "multimodal content"
    return {
        "name": f"models/{model.name}",
        "version": model.name.rpartition("-")[2],
        "displayName": model.name.replace("-", " ").title(),
        "description": f"Obtain a distributed representation of {what}.",
        "inputTokenLimit": model.max_input_tokens,
        "outputTokenLimit": 1,
        "supportedGenerationMethods": [  # Google leaves batchEmbedContents out
            "embedContent",
            "countTextTokens",
            "countTokens",
            "asyncBatchEmbedContent",
        ],
    }
