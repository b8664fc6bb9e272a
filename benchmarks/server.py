"""`python -m benchmarks.server OPTIONS`: the stand-in in a process of its own, hash mode.

OPTIONS is a JSON object of `Standin`'s options. Prints its URL as JSON; then answers every
line of input with what it has logged since the last: `[arrival, texts, status]` per request.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from gemini_embed.standin import Standin


def _answer(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until the input ends."""
    sys.setswitchinterval(0.0005)  # so that answers are not held up while vectors are made
    options = {"keep_log": False} | json.loads(sys.argv[1])
    with Standin("hash", **options) as server:
        _answer(server.url)
        for _ in sys.stdin:
            entries = list(server.log)
            server.log.clear()
            _answer(
                [
                    [entry.at, len((entry.body or {}).get("requests", [None])), entry.status]
                    for entry in entries
                ]
            )


if __name__ == "__main__":
    main()
