"""Web apps whose processes share one quota by its file, whatever server starts them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from pacing.workers import embedded, made, texts_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from numpy import float32
    from numpy.typing import NDArray

    Event = dict[str, Any]

embedder = made(os.environ["GOOGLE_GEMINI_BASE_URL"], os.environ["QUOTA"])
if before := os.environ.get("EMBEDDED_BEFORE"):
    embedded(embedder, int(before))


def told(vectors: NDArray[float32]) -> str:
    """Say which process has what vectors."""
    return json.dumps([os.getpid(), vectors.tolist()])


def wsgi(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Embed the texts of the number that is asked for."""
    answer = told(embedded(embedder, int(environ["QUERY_STRING"])))
    start_response("200 OK", [("Content-Type", "application/json")])
    return [answer.encode()]


async def asgi(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[Event]],
    send: Callable[[Event], Awaitable[None]],
) -> None:
    """Do the same in an event loop."""
    if scope["type"] == "lifespan":
        for _ in range(2):
            happened = (await receive())["type"]
            await send({"type": f"{happened}.complete"})
        return
    number = int(scope["query_string"])
    await embedder.aembed([f"a query of process {number}"], role="query")
    answer = told((await embedder.aembed(texts_of(number), role="document")).vectors)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": answer.encode()})
