"""Where the examples' vectors come from: Google where there is a key, else the local stand-in."""

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, NamedTuple

from gemini_embed import GeminiEmbedder
from gemini_embed.standin import Standin

MODEL = "gemini-embedding-2"
DIMENSIONS = 768


class Service(NamedTuple):
    """Where the vectors come from."""

    options: Mapping[str, Any]
    standin: Standin | None  # keeps a log to count requests in; Google has none to show


def key_of_user() -> str | None:
    """Return the key in the environment, if there is one."""
    return os.environ.get("GOOGLE_API_KEY") or os.environ.get("GEMINI_API_KEY")


@contextmanager
def connect(key: str | None) -> Generator[Service]:
    """Use Google when there is a key for it, else a stand-in on this machine."""
    if key:
        yield Service({"api_key": key}, standin=None)
        return
    with Standin(model="minilm") as server:
        yield Service({"api_key": "any", "base_url": server.url}, server)


def announce(key: str | None, *loads: Sequence[str]) -> None:
    """Say whose vectors these are, and what Google's cost: of all loads, for both frameworks."""
    embedder = GeminiEmbedder(model=MODEL, api_key="any")  # only asked what it would cost
    said = [embedder.estimate(load, role="document") for load in loads]
    texts = 2 * sum(one.texts for one in said)
    dollars = 2 * sum(one.cost or Decimal(0) for one in said)
    if key:
        print(f"Using your key: {texts} texts go to Google, and count against its quota;")
        print(f"about ${dollars:.4f}, where the key is not free.")
    else:
        print("No key in GOOGLE_API_KEY or GEMINI_API_KEY: starting the local stand-in.")
        print("Its vectors come from a small local model. They are NOT Google's, where the")
        print(f"{texts} texts would cost about ${dollars:.4f}.")
