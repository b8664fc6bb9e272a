"""`python -m gemini_embed estimate`: what it takes to embed a corpus. Sends nothing."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from gemini_embed.command.corpus import corpus_parser, placed, read
from gemini_embed.command.table import as_json, dollars, table
from gemini_embed.durations import duration
from gemini_embed.embedder import GeminiEmbedder
from gemini_embed.errors import GeminiEmbedError, InvalidInputError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction

    from gemini_embed.command.corpus import Passage
    from gemini_embed.results import Estimate

_ABOUT = """\
Say what it takes to embed a corpus of documents: requests, tokens, dollars, time. Nothing is sent,
and no key is needed.

FILE is one of
  a .txt, of which each line that is not blank is a text
  a .jsonl, with a string or an object in each line
  a .csv, with the names of the columns in its first line
  a folder, of which each .txt, .md and .rst file is a text
"""


def add_to(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command to those of a parser."""
    parser = corpus_parser(commands, "estimate", "what it takes to embed a corpus", _ABOUT)
    add = parser.add_argument
    add("file", type=Path, metavar="FILE")
    add("--dimension", type=int, metavar="N", help="numbers per vector; default: the model's own")
    add("--rpm", type=int, metavar="N", help="the quota: texts per minute")
    add("--tpm", type=int, metavar="N", help="the quota: tokens per minute")
    add("--rpd", type=int, metavar="N", help="the quota: texts per day")
    add("--cache", type=Path, metavar="FILE", help="where vectors are that were paid for already")
    parser.set_defaults(run=run)


def run(given: Namespace) -> int:
    """Print the forecast; return the exit code."""
    passages: list[Passage] = []
    try:
        passages = read(given.file, given.field)
        embedder = _embedder(given)
        said = embedder.estimate((passage.text for passage in passages), role="document")
    except InvalidInputError as error:
        print(placed(error, passages), file=sys.stderr)
        return 1
    except (GeminiEmbedError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(as_json(asdict(said)) if given.json else table(_rows(said, embedder, given)))
    return 0


def _embedder(given: Namespace) -> GeminiEmbedder:
    """Return the embedder that would do it; a cache that is not there yet is not made."""
    return GeminiEmbedder(
        model=given.model,
        output_dimensionality=given.dimension,
        task_type=given.task_type,
        requests_per_minute=given.rpm,
        tokens_per_minute=given.tpm,
        requests_per_day=given.rpd,
        cache=given.cache if given.cache and given.cache.exists() else None,
    )


def _rows(said: Estimate, embedder: GeminiEmbedder, given: Namespace) -> list[tuple[str, str]]:
    cached = f"{said.cached:,}"
    if given.cache is not None and not given.cache.exists():
        cached += f" ({given.cache}: there is no such file yet)"
    rows = [
        ("model", f"{embedder.model}, {embedder._backend}"),
        ("texts", f"{said.texts:,}"),
        ("unique", f"{said.unique:,}"),
        ("cached", cached),
        ("to send", f"{said.to_send:,}"),
        ("requests", f"{said.requests:,}"),
        ("tokens", f"about {said.tokens:,}, at most {said.tokens_at_most:,}"),
        ("cost", _cost(said, on_gemini=embedder._backend.name == "gemini")),
        ("time", duration(said.seconds) + _under(given)),
    ]
    if said.days is not None:
        under = f", at {given.rpd:,} texts a day" if given.rpd else ""
        rows.append(("days", f"{said.days:,}, today included{under}"))
    return rows


def _cost(said: Estimate, *, on_gemini: bool) -> str:
    free = "$0 with a key of the free tier, else " if on_gemini else ""
    if said.cost is None:
        return f"{free}not known"
    batch = "" if said.batch_cost is None else f", by the Batch API {dollars(said.batch_cost)}"
    return f"{free}{dollars(said.cost)}{batch}"


def _under(given: Namespace) -> str:
    limits = [(given.rpm, "texts"), (given.tpm, "tokens")]
    known = [f"{limit:,} {what}" for limit, what in limits if limit is not None]
    return f", at {' and '.join(known)} a minute" if known else ", if no quota slows it down"
