"""A batch as a request that we write, which the SDK's connection sends.

The SDK makes the address and the headers, with key or access token, and knows its HTTP library. Its
public method makes models of pydantic of every text and every answer, which takes a fifth of the
time of a query. The answer comes by way of `fast_decode`, as a rule.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from google.genai import _transformers

from gemini_embed.errors import BadResponseError
from gemini_embed.service.answer import Answer
from gemini_embed.service.bodies import body_of, count_body_of, method_of, written
from gemini_embed.service.json_vectors import count_of, field_of, split_answer

if TYPE_CHECKING:
    from gemini_embed.ask import Ask
    from gemini_embed.contents import Batch
    from gemini_embed.service.fast_decode import Reading
    from gemini_embed.service.freight import Load


class Posted:
    """Sends batches through a client of our own.

    Args:
        inner: The part of the SDK's client that sends.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def embed(self, batch: Batch, ask: Ask, load: Load | None, read: Reading) -> Answer:
        """Return the answer to a batch; `load` has its media."""
        body = body_of(batch.contents, ask, None if load is None else load.as_json)
        left = await self._post(method_of(batch.contents, ask), ask, body)
        # What stands in for the HTTP library, to record and play answers, does not call our hooks.
        return Answer.of(
            read.parts.pop() if read.parts else split_answer(left.encode(), fast=read.fast)
        )

    async def count(self, batch: Batch, ask: Ask) -> int | None:
        """Return how many tokens a batch has; None where the answer does not say."""
        answer = await self._post("countTokens", ask, count_body_of(batch.contents))
        try:
            return count_of(field_of(json.loads(answer), "totalTokens"))
        except (RecursionError, ValueError) as error:
            description = type(error).__name__
        raise BadResponseError(f"the answer could not be read: {description}")

    async def _post(self, method: str, ask: Ask, body: dict[str, Any]) -> str:
        """Make one request, once, and return what is left of its answer."""
        name = _transformers.t_model(self._inner, ask.service.sent_model)
        request = self._inner._build_request("post", f"{name}:{method}", {})  # noqa: SLF001 - there is no public way
        request.data = written(body)
        sent = await self._inner._async_request_once(request, implicit_retry=False)  # noqa: SLF001 - likewise
        answer: str = sent.response_stream[0]
        return answer
