"""`python -m benchmarks.canned`: a service that answers at once, with vectors made beforehand.

For what is measured beside it: the stand-in makes a vector of each text, and at its pace. Prints
its URL as JSON, and serves until its input ends.
"""

from __future__ import annotations

import asyncio
import functools
import json
import random
import re
import sys

from aiohttp import web

_DIMENSION = re.compile(rb'"outputDimensionality": ?(\d+)')
_LARGEST_BODY = 64 * 2**20


def main() -> None:
    """Serve until the input ends."""
    asyncio.run(_serve())


async def _serve() -> None:
    app = web.Application(client_max_size=_LARGEST_BODY)
    app.router.add_post("/{path:.*}", _answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    print(json.dumps(f"http://{host}:{port}"), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


async def _answer(request: web.Request) -> web.Response:
    body = await request.read()
    told = _DIMENSION.search(body)
    texts = body.count(b'"content"')
    return web.Response(
        body=_embeddings(texts, int(told[1]) if told else 3072), content_type="application/json"
    )


@functools.cache
def _embeddings(texts: int, dimension: int) -> bytes:
    """Return an answer like Google's, of short decimal numbers."""
    chance = random.Random(dimension)  # noqa: S311 - nothing secret
    scale = dimension**-0.5
    rows = [
        {"values": [round(chance.gauss(0, scale), 8) for _ in range(dimension)]}
        for _ in range(texts)
    ]
    return json.dumps({"embeddings": rows}).encode()


if __name__ == "__main__":
    main()
