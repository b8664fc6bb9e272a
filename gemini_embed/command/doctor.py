"""`python -m gemini_embed doctor`: what there is, and whether it works. Never shows a key."""

from __future__ import annotations

import asyncio
import math
import os
import platform
import time
import warnings
from contextlib import closing
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gemini_embed.background import loop
from gemini_embed.cache import SQLiteCache
from gemini_embed.command.table import as_json, table
from gemini_embed.credentials import KEY_VARIABLES
from gemini_embed.embedder import GeminiEmbedder
from gemini_embed.errors import ConfigurationError, GeminiEmbedError, ServiceUnavailableError
from gemini_embed.models import NEWEST, served_by
from gemini_embed.notices import warn
from gemini_embed.service.access import access_of
from gemini_embed.service.backend import own_address
from gemini_embed.version import __version__

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction

    from pydantic import SecretStr

    from gemini_embed.models import Model, Serving

_ABOUT = """\
Say which versions there are, which service is asked and with whose key, and whether it answers: one
short text is embedded. Exit codes: 0, it works; 1, it does not; 2, it works, with warnings.
"""

_PACKAGES = {
    "google-genai": "not installed",
    "langchain-core": "not installed",
    "llama-index-core": "not installed",
    "aiohttp": "not installed: httpx sends the requests",
    "pysimdjson": "not installed: answers are read more slowly (the extra `fast`)",
}
"""What matters here -> what to say where it is not there."""

_TEXT = "Does it work?"

_PATIENCE = 30.0
"""Seconds for the round trip."""

_UNEVEN = 0.01
"""How much the length of a vector may differ from 1."""

_MIB = 2**20


@dataclass
class Findings:
    """What was found.

    Attributes:
        rows: What is told to a reader, by its name.
        values: The same for a program.
        warnings: What may go wrong.
        error: Why it does not work; None where it does.
    """

    rows: list[tuple[str, str]] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    error: str | None = None

    @property
    def exit_code(self) -> int:
        """What the command ends with."""
        if self.error is not None:
            return 1
        return 2 if self.warnings else 0

    @property
    def verdict(self) -> str:
        """The last line, in words."""
        if self.error is not None:
            return f"It does not work: {self.error}"
        return "It works, with warnings." if self.warnings else "It works."

    def note(self, name: str, said: str, /, **values: Any) -> None:
        """Note a thing that was found, in words and in values."""
        self.rows.append((name, said))
        self.values[name.replace(" ", "_")] = values or said


def add_to(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command to those of a parser."""
    parser = commands.add_parser("doctor", help="whether it all works", description=_ABOUT)
    add = parser.add_argument
    add("--model", default=NEWEST, help="default: %(default)s")
    add("--cache", type=Path, metavar="FILE", help="default: the user's file, of cache=True")
    add("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(given: Namespace) -> int:
    """Print what was found; return the exit code."""
    found = examined(given.model, given.cache)
    if given.json:
        result = {"works": found.error is None, "error": found.error, "warnings": found.warnings}
        print(as_json({**result, **found.values}))
    else:
        told = [("warning", text) for text in found.warnings]
        print(f"{table([*found.rows, *told])}\n\n{found.verdict}")
    return found.exit_code


def examined(model: str, cache: Path | None) -> Findings:
    """Return what there is, and what came of one round trip."""
    found = Findings()
    with warnings.catch_warnings(record=True) as kept:
        warnings.simplefilter("always", UserWarning)
        _note_versions(found)
        try:
            _note_embedder(found, model)
        except GeminiEmbedError as error:
            found.error = str(error)
        _note_cache(found, cache)
    found.warnings += [str(one.message) for one in kept if issubclass(one.category, UserWarning)]
    return found


def _note_versions(found: Findings) -> None:
    python = f"{platform.python_version()} on {platform.system()}"
    found.note("gemini-embed", __version__)
    found.note("python", python)
    for package, without in _PACKAGES.items():
        try:
            found.note(package, version(package))
        except PackageNotFoundError:
            found.note(package, without, installed=False)


def _note_embedder(found: Findings, model: str) -> None:
    embedder = GeminiEmbedder(model=model, max_retries=0, timeout=_PATIENCE, deadline=_PATIENCE)
    backend, address, row = embedder._backend, embedder._elsewhere, embedder._row
    where = own_address(backend) if address is None else address.normal
    found.note(
        "service", f"{backend}, at {where}", name=backend.name, why=backend.why, address=where
    )
    access = access_of(embedder, backend, address)
    if access.api_key is None:
        found.note("key", access.identity)
    else:
        found.note("key", f"{access.identity}{_why(access.api_key)}")
    serving = row.on(backend.name)
    found.note(
        "model",
        _status_of(row, serving),
        name=row.name,
        status=serving.status,
        end=serving.shutdown,
    )
    with closing(embedder):
        _note_round_trip(found, embedder)


def _why(key: SecretStr) -> str:
    """Return why a key of the environment is used, and not another one."""
    first, second = KEY_VARIABLES
    if getattr(key, "source", None) == second:
        return f" ({first} is not set)"
    other = os.environ.get(second, "").strip()
    if other and other != key.get_secret_value():
        warn(f"{first} and {second} hold different keys; {first} comes first")
    return f" (it comes before {second})"


def _status_of(model: Model, serving: Serving) -> str:
    """Return how a service serves a model, in words."""
    if serving.status == "never":
        return f"{model.name}: {served_by(model)}"
    if serving.status == "retired":
        return f"{model.name}: shut down on {serving.shutdown}"
    end = "no end announced" if serving.shutdown is None else f"until {serving.shutdown}"
    return f"{model.name}: {serving.status}, {end}"


def _note_round_trip(found: Findings, embedder: GeminiEmbedder) -> None:
    """Embed a text, on a new connection. What is loaded and looked for before is not timed."""
    loop.run(_prepare, embedder)
    began = time.perf_counter()
    result = embedder.embed([_TEXT], role="query")
    seconds = time.perf_counter() - began
    (vector,) = result.vectors
    length, tokens = math.hypot(*vector.tolist()), result.usage.prompt_tokens
    if abs(length - 1) > _UNEVEN:
        warn(f"the vector has length {length:.3f}: dot products are no cosines")
    counted = "tokens not reported" if tokens is None else f"{tokens} tokens"
    found.note(
        "round trip",
        f"{1000 * seconds:.0f} ms, {len(vector)} numbers, length {length:.3f}, {counted}",
        seconds=seconds,
        dimension=len(vector),
        length=length,
        tokens=tokens,
    )


async def _prepare(embedder: GeminiEmbedder) -> None:
    """Load the SDK and find the credentials."""
    try:
        async with asyncio.timeout(_PATIENCE):
            await embedder._ready_engine()
    except TimeoutError:
        raise ServiceUnavailableError("the search for credentials had not ended") from None


def _note_cache(found: Findings, path: Path | None) -> None:
    """Note the state of a cache file, which is not made where there is none.

    A damaged one is a warning where nobody has said that it is used.
    """
    try:
        cache = SQLiteCache(path)
        if not cache.path.exists():
            found.note("cache", f"{cache.path}: no such file yet", path=cache.path)
            return
        with closing(cache):
            stats = cache.stats()
    except (ConfigurationError, OSError) as error:
        found.note("cache", str(error), error=str(error))
        if path is None:
            warn(f"the cache cannot be used: {error}")
        else:
            found.error = found.error or f"the cache cannot be used: {error}"
        return
    said = f"{cache.path}: {stats.vectors:,} vectors, {stats.bytes / _MIB:.1f} MiB"
    found.note("cache", said, path=cache.path, vectors=stats.vectors, bytes=stats.bytes)
