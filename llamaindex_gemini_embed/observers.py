"""LlamaIndex's observers: its instrumentation events and its older callbacks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from llama_index.core.callbacks.schema import CBEventType, EventPayload
from llama_index.core.instrumentation.events.embedding import (
    EmbeddingEndEvent,
    EmbeddingStartEvent,
)
from llama_index_instrumentation import get_dispatcher

if TYPE_CHECKING:
    from collections.abc import Generator

    from llama_index.core.base.embeddings.base import BaseEmbedding

dispatcher = get_dispatcher(__name__)


@contextmanager
def observed(model: BaseEmbedding, texts: list[str]) -> Generator[list[list[float]]]:
    """Notify LlamaIndex's observers once per `embed_batch_size` texts, as the base class does.

    Yields an empty list, which the caller fills with the embeddings.
    """
    embeddings: list[list[float]] = []
    # Older llama-index-core gives its observers the whole dump.
    payload = getattr(model, "to_payload", model.to_dict)()
    size = model.embed_batch_size
    slices = [slice(start, start + size) for start in range(0, len(texts), size)]
    events = []
    for _ in slices:
        dispatcher.event(EmbeddingStartEvent(model_dict=payload))
        events.append(
            model.callback_manager.on_event_start(
                CBEventType.EMBEDDING, payload={EventPayload.SERIALIZED: payload}
            )
        )
    try:
        yield embeddings
    except BaseException as error:
        for event in events:
            model.callback_manager.on_event_end(
                CBEventType.EMBEDDING, payload={EventPayload.EXCEPTION: error}, event_id=event
            )
        raise
    for part, event in zip(slices, events, strict=True):
        # Not validated: a pass over millions of numbers that are floats already.
        dispatcher.event(
            EmbeddingEndEvent.model_construct(chunks=texts[part], embeddings=embeddings[part])
        )
        model.callback_manager.on_event_end(
            CBEventType.EMBEDDING,
            payload={
                EventPayload.CHUNKS: texts[part],
                EventPayload.EMBEDDINGS: embeddings[part],
            },
            event_id=event,
        )
