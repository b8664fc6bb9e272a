"""A request of the Gemini API -> which vectors it wants, or Google's refusal; and the answers.

Performs no I/O. The order of the checks is that of `embed_content`.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from gemini_embed.models import MODELS, Model
from gemini_embed.standin import embed_content, gemini_errors, google_errors, parts, protojson
from gemini_embed.standin.vector_sources import WantedVector, counts_of, details_of, one_token

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gemini_embed.standin.embed_content import Reader
    from gemini_embed.standin.parts import Fetch
    from gemini_embed.standin.url import Target

MAX_BATCH = 100


def served(target: Target) -> Model:
    """Return the row of the model in the URL.

    Raises:
        GoogleError: Unknown to the Gemini API, or shut down.
    """
    model = _row(target.model)
    if model is None:
        raise gemini_errors.not_found(target.model, target.version, target.method)
    return model


def readers(fetch: Fetch) -> Mapping[str, Reader]:
    """Return what each method asks for, of those that make vectors."""
    return {
        "batchEmbedContents": partial(
            embed_content.batch, served=served, most=MAX_BATCH, fetch=fetch
        ),
        "embedContent": partial(embed_content.single, served=served, fetch=fetch),
    }


def count_tokens(target: Target, body: Any, fetch: Fetch) -> bytes:
    """Return the answer to `countTokens`: an estimate, one more than an embedding's count.

    Raises:
        GoogleError: The request makes no sense, or the model is not there.
    """
    fields = protojson.message(body, "", ("contents",))
    contents = [
        (parts.read(item, where), f"CountTokensRequest.{where}")
        for item, where in protojson.items(fields.get("contents", []), "contents")
    ]
    model = served(target)
    if not contents:
        raise google_errors.invalid_fields("CountTokensRequest.contents: contents is not specified")
    resolved = partial(parts.resolved, model=model, service="gemini", fetch=fetch)
    wanted = [WantedVector.of(model, resolved(*one), None, None, 1) for one in contents]
    counts = [one._replace(most=sys.maxsize) for one in counts_of(wanted)]
    counts.append(one_token())
    count = sum(one.read for one in counts)
    return protojson.printed({"totalTokens": count, "promptTokensDetails": details_of(counts)})


def answer(target: Target, wanted: Sequence[WantedVector], arrays: Sequence[bytes]) -> bytes:
    """Return the answer to `batchEmbedContents` or `embedContent`; `arrays` are JSON already."""
    members = embed_content.embeddings(target, arrays)
    if wanted[0].model.task == "prefix":  # the answers of older models have no usage
        counts = counts_of(wanted)
        usage = {
            "promptTokenCount": sum(one.read for one in counts),
            "promptTokenDetails": details_of(counts),
        }
        members["usageMetadata"] = protojson.printed(usage)
    return protojson.composed(members)


def model_list() -> bytes:
    """Return the answer to `GET models`."""
    rows = map(_row, MODELS)
    return protojson.printed({"models": [_description(row) for row in rows if row is not None]})


def described(target: Target) -> bytes:
    """Return the answer to `GET models/{name}`.

    Raises:
        GoogleError: No such model.
    """
    model = _row(target.model)
    if model is None:
        raise gemini_errors.model_not_found(target.model, target.version)
    return protojson.printed(_description(model))


def _row(name: str) -> Model | None:
    """Return what is known of a model if it can be used here."""
    model = MODELS.get(name)
    return model if model is not None and model.gemini.is_on else None


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
