"""A batch asked by the SDK's public methods: of a caller's own client, or where these are watched.

Whatever watches that client, such as a tracer, sees what is embedded. The body is written by us
where the SDK would not write it, or slowly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.genai.models import AsyncModels

from gemini_embed.models import MODELS
from gemini_embed.service.answer import Answer
from gemini_embed.service.bodies import as_json, count_body_of, entries_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gemini_embed.ask import Ask
    from gemini_embed.contents import Batch, Content
    from gemini_embed.service.fast_decode import Reading
    from gemini_embed.service.freight import Load


def is_watched() -> bool:
    """Tell whether something is wrapped around the SDK's method, such as a tracer's span."""
    return hasattr(AsyncModels.embed_content, "__wrapped__")


class OfCaller:
    """Asks a client by its public methods.

    Args:
        client: It.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    async def embed(self, batch: Batch, ask: Ask, load: Load | None, read: Reading) -> Answer:
        """Return the answer to a batch; `load` has its media."""
        first = batch.contents[0]
        config: dict[str, Any] = {
            "task_type": first.task_type,
            "title": first.title,
            "output_dimensionality": ask.output_dimensionality,
        }
        if ask.backend.name == "vertex" and not ask.may_cut:
            config["auto_truncate"] = False
        if written := _written(batch.contents, ask, load):
            config["http_options"] = {"extra_body": self._extra | written}
        shown = [as_json(one) if load is None else _STAND_IN for one in batch.contents]
        response = await self._client.aio.models.embed_content(
            model=ask.service.sent_model,
            contents=shown,
            config={key: value for key, value in config.items() if value is not None},
        )
        return Answer.of(read.parts.pop()) if read.parts else _answer_in(response)

    async def count(self, batch: Batch, ask: Ask) -> int | None:
        """Return how many tokens a batch has; None where the answer does not say."""
        response = await self._client.aio.models.count_tokens(
            model=ask.service.sent_model, **count_body_of(batch.contents)
        )
        total: int | None = response.total_tokens
        return total

    @property
    def _extra(self) -> dict[str, Any]:
        """What the client adds to every body; what a request adds replaces it whole."""
        options = getattr(getattr(self._client, "_api_client", None), "_http_options", None)
        return getattr(options, "extra_body", None) or {}


_STAND_IN = {"parts": [{"text": "-"}]}
"""What the SDK is shown in the place of a content with media."""


def _written(contents: Sequence[Content], ask: Ask, load: Load | None) -> dict[str, Any]:
    """Return what we write of the body; nothing where the SDK writes it.

    Not where it is unknown which way the SDK goes. On Vertex AI it goes by the model's name, and a
    gateway's may be any.
    """
    as_written = None if load is None else load.as_json
    if ask.backend.name == "gemini":
        is_ours = len(contents) > 1 or not ask.may_cut or load is not None
        return entries_of(contents, ask, as_written) if is_ours else {}
    if load is not None and len(contents) == 1:
        return {"content": load.as_json(contents[0])}
    is_ours = len(contents) > 1 and (ask.model.name in MODELS or load is not None)
    return entries_of(contents, ask, as_written) if is_ours else {}


def _answer_in(response: Any) -> Answer:
    """Return what the SDK made of an answer."""
    embeddings = response.embeddings or ()
    statistics = [embedding.statistics for embedding in embeddings]
    usage = getattr(response, "usage_metadata", None)
    told = getattr(usage, "prompt_token_count", None)
    tokens = _of_each(statistics) if told is None else told
    kinds = {
        str(one.modality.value): int(one.token_count)
        for one in getattr(usage, "prompt_tokens_details", None) or ()
        if one.modality and one.token_count
    }
    return Answer(
        [one.values for one in embeddings],
        tokens,
        truncated=[row for row, one in enumerate(statistics) if one and one.truncated],
        some_truncated=bool(getattr(response, "truncated", None)),
        by_modality=kinds if sum(kinds.values()) <= (tokens or 0) else {},
    )


def _of_each(statistics: Sequence[Any]) -> int | None:
    """Return the tokens of a batch from what is reported of each text, if it is of all."""
    counts = [one.token_count if one else None for one in statistics]
    reported = [int(count) for count in counts if count is not None]
    return sum(reported) if reported and len(reported) == len(counts) else None
