"""`python -m gemini_embed dimensions`: which dimension a corpus needs."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gemini_embed.command.corpus import corpus_parser, placed, read
from gemini_embed.command.labels import read_labels
from gemini_embed.command.table import as_json, dollars
from gemini_embed.embedder import GeminiEmbedder
from gemini_embed.errors import ConfigurationError, GeminiEmbedError, InvalidInputError
from gemini_embed.tasks import parse_task_type, task_for

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction
    from collections.abc import Sequence
    from decimal import Decimal

    import numpy as np
    from numpy.typing import NDArray

    from gemini_embed.command.corpus import Passage
    from gemini_embed.dimensions import Advice, TaskAdvice
    from gemini_embed.tasks import Role

_ABOUT = """\
Say which dimension is enough for a corpus, and what each dimension and way to store it keeps and
takes. The corpus is embedded once, at full dimension; what the cache has is not sent.

CORPUS and the queries are files or folders as for `estimate`. Labels are lines of a query, a
document and a grade, with tabs or spaces between (BEIR, or trec_eval's four columns); texts are
named by their `_id` or `id`, else by their line, in a folder by their path.
"""

_MILLION = 1_000_000


class _Said(NamedTuple):
    """What is printed."""

    advice: Advice
    tasks: TaskAdvice | None
    paid: Decimal | None
    sent: int
    cost_per_million: Decimal | None


def add_to(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command to those of a parser."""
    parser = corpus_parser(commands, "dimensions", "which dimension a corpus needs", _ABOUT)
    add = parser.add_argument
    add("corpus", type=Path, metavar="CORPUS")
    add("--queries", type=Path, metavar="FILE", help="default: documents are used as queries")
    add("--qrels", type=Path, metavar="FILE", help="which documents answer which queries")
    add("--dims", type=int, nargs="+", metavar="N", help="default: 128 256 512 768 1536 3072")
    add("--k", type=int, default=10, help="how many documents a query finds: %(default)s")
    add("--target", type=float, default=0.98, help="the share to keep: %(default)s")
    add("--cache", type=Path, metavar="FILE", help="where vectors are, and are kept")
    add("--plot", type=Path, metavar="FILE", help="draw it there, with matplotlib")
    parser.set_defaults(run=run)


def run(given: Namespace) -> int:
    """Print the advice; return the exit code."""
    try:
        said = _said(given)
        if given.plot is not None:
            from gemini_embed.dimensions import plot  # noqa: PLC0415 - loads numpy

            plot(said.advice, given.plot)
    except (GeminiEmbedError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(as_json(_values(said)) if given.json else _text(said))
    return 0


def _said(given: Namespace) -> _Said:
    from gemini_embed.dimensions import DIMS, advise, compare_tasks  # noqa: PLC0415 - loads numpy

    if given.qrels is not None and given.queries is None:
        raise ConfigurationError("--qrels are the labels of queries: give --queries, too")
    documents = read(given.corpus, given.field)
    queries, labels = _asked(given, documents)
    embedder = GeminiEmbedder(model=given.model, task_type=given.task_type, cache=given.cache)
    if not embedder._row.nested:
        raise ConfigurationError(f"vectors of {embedder.model} cannot be cut")
    with embedder:
        cost = _cost_of(embedder, documents)
        _check(given, len(documents))
        vectors = _vectors(embedder, documents, "document")
        asking = _vectors(embedder, queries, "query") if queries is not None else None
        advice = advise(vectors, asking, labels, given.dims or DIMS, given.k, given.target)
        tasks = None
        if queries is not None and asking is not None and labels is not None:
            by_task = _by_task(embedder, queries, asking)
            tasks = compare_tasks(vectors, by_task, labels, given.k) if len(by_task) > 1 else None
        used = embedder.usage
    sent = used.texts - used.cached - used.duplicates
    return _Said(advice, tasks, used.cost(), sent, cost)


def _check(given: Namespace, documents: int) -> None:
    """Check, before anything is paid for, what is asked of so many documents."""
    from gemini_embed.dimensions.given import check_asked  # noqa: PLC0415 - loads numpy

    dims, own = given.dims or (), given.queries is None
    try:
        check_asked(documents, given.k, target=given.target, dims=dims, own=own)
    except ConfigurationError as error:
        raise ConfigurationError(f"--{error}") from None


def _asked(
    given: Namespace, documents: Sequence[Passage]
) -> tuple[list[Passage] | None, list[dict[int, float]] | None]:
    """Return the queries, without those that have no labels where there are any, and the labels."""
    if given.queries is None:
        return None, None
    queries = read(given.queries, given.field)
    if given.qrels is None:
        return queries, None
    labels = read_labels(given.qrels, queries, documents)
    judged = [row for row, grades in enumerate(labels) if any(n > 0 for n in grades.values())]
    if not judged:
        raise ConfigurationError(f"{given.qrels}: no query has a document with a grade above 0")
    return [queries[row] for row in judged], [labels[row] for row in judged]


def _cost_of(embedder: GeminiEmbedder, documents: Sequence[Passage]) -> Decimal | None:
    """Return what a million of such documents cost."""
    texts = [passage.text for passage in documents]
    try:
        cost = replace(embedder, cache=None).estimate(texts, role="document").cost
    except InvalidInputError as error:
        raise ConfigurationError(placed(error, documents)) from None
    return None if cost is None or not texts else cost * _MILLION / len(texts)


def _vectors(
    embedder: GeminiEmbedder, passages: Sequence[Passage], role: Role, task: str | None = None
) -> NDArray[np.float32]:
    try:
        return embedder.embed(
            [passage.text for passage in passages],
            role=role,
            task_type=task,
            show_progress=sys.stderr.isatty(),
        ).vectors
    except InvalidInputError as error:
        raise ConfigurationError(placed(error, passages)) from None


def _by_task(
    embedder: GeminiEmbedder, queries: Sequence[Passage], asking: NDArray[np.float32]
) -> dict[str, NDArray[np.float32]]:
    """Return the queries for each task whose documents are embedded as these are, ours first."""
    from gemini_embed.dimensions import QUERY_TASKS  # noqa: PLC0415 - loads numpy

    purpose = parse_task_type(embedder.task_type)
    own: str = task_for("query", purpose=purpose, literal=None)
    others = [task for task in QUERY_TASKS if task != own] if own in QUERY_TASKS else []
    return {own: asking} | {task: _vectors(embedder, queries, "query", task) for task in others}


def _text(said: _Said) -> str:
    parts = [str(said.advice)]
    if said.tasks is not None:
        parts.append(str(said.tasks))
    cost = said.cost_per_million
    million = "not known" if cost is None else f"about {dollars(cost)}"
    paid = "" if said.paid is None else f", which Google's list prices at {dollars(said.paid)}"
    parts.append(
        f"Cost of a million such documents, at every dimension the same: {million}. This run sent "
        f"{said.sent:,} texts{paid}."
    )
    parts.append(
        f"All figures are of {said.advice.k} documents that a query finds (--k {said.advice.k}); "
        f"{said.advice.target:g} of them is to be kept (--target {said.advice.target:g})."
    )
    return "\n\n".join(parts)


def _values(said: _Said) -> dict[str, Any]:
    values = asdict(said.advice)
    for row in (*values["rows"], values["recommended"], values["smallest"]):
        row["cost_per_million"] = said.cost_per_million
    tasks = None if said.tasks is None else asdict(said.tasks) | {"line": said.tasks.line}
    return {
        **values,
        "line": said.advice.line,
        "tasks": tasks,
        "sent": said.sent,
        "paid": said.paid,
    }
