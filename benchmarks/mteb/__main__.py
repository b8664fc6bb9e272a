"""`make mteb`: tasks of the Massive Text Embedding Benchmark, through our class.

First it is found out what it will cost: mteb runs the tasks with an encoder that only listens. Then
they are run, if the budget allows. What a run has embedded is in the cache and what it has scored
in mteb's own files, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.mteb.encoders import BudgetError, Listener, Payer, check_budget
from gemini_embed import GeminiEmbedder, GeminiEmbedError, __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

RESULTS = Path(".benchmarks") / "mteb"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; return its exit code."""
    asked = parser().parse_args(arguments)
    import mteb  # noqa: PLC0415 - loads PyTorch, which takes seconds

    try:
        run(mteb.get_tasks(tasks=asked.tasks), asked)
    except KeyError as error:  # mteb's own, for a task or a model that it does not know
        print(*error.args)
        return 2
    except (BudgetError, GeminiEmbedError) as error:
        print(f"{error}\nWhat is done is kept: the same command goes on with the rest.")
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.mteb", description=__doc__)
    made.add_argument("tasks", nargs="+", help="names of tasks, as mteb has them")
    made.add_argument("--model", default="gemini-embedding-2")
    made.add_argument("--dimension", type=int, default=3072)
    made.add_argument("--budget", type=Decimal, default=Decimal(1), help="US dollars (1)")
    made.add_argument("--results", type=Path, default=RESULTS, help=f"a folder ({RESULTS})")
    made.add_argument(
        "--published", action="store_true", help="fetch mteb's repository of results, with git"
    )
    return made


def run(tasks: Iterable[Any], asked: argparse.Namespace) -> None:
    """Tell what it will cost, run the tasks, and show the scores.

    Raises:
        KeyError: mteb does not know the model.
        BudgetError: It would cost more than the budget, or does.
        GeminiEmbedError: The service refuses.
    """
    import mteb  # noqa: PLC0415 - loads PyTorch

    tasks = list(tasks)
    published = mteb.get_model_meta(f"google/{asked.model}")
    prompts = published.loader_kwargs["model_prompts"]
    ours = described(published, asked.dimension)
    kept = mteb.ResultCache(asked.results)
    kept.cache_path.mkdir(parents=True, exist_ok=True)
    with opened(asked) as embedder:
        check_budget(forecast(tasks, embedder, ours, prompts), embedder, asked.budget)
        if asked.published:
            kept.download_from_remote()
        payer = Payer(embedder, ours, prompts, budget=asked.budget)
        done = mteb.evaluate(payer, tasks, cache=kept, co2_tracker=False)
        print(
            f"\nspent ${dollars(embedder.usage.cost())}; results in {asked.results / 'results'}\n"
        )
    show(done.task_results, kept, published)


def opened(asked: argparse.Namespace) -> GeminiEmbedder:
    """Return what embeds."""
    return GeminiEmbedder(
        model=asked.model,
        output_dimensionality=asked.dimension,
        cache=asked.results / "vectors.sqlite3",
        cache_full_dimension=True,  # another dimension costs nothing then
        on_blank="placeholder",  # some data sets have empty texts
        on_surrogate="replace",
    )


def described(published: Any, dimension: int) -> Any:
    """Return mteb's description of the model, with a revision that says that we asked it."""
    ours = {"revision": f"gemini-embed-{__version__}-{dimension}", "embed_dim": dimension}
    only: dict[str, Any] = {"modalities": ["text"], "loader": None, "loader_kwargs": {}}
    return published.model_copy(update=ours | only)


def forecast(
    tasks: Iterable[Any], embedder: GeminiEmbedder, meta: Any, prompts: Mapping[str, str]
) -> Decimal | None:
    """Print what each task would take, and return what all cost; None if nobody knows."""
    import mteb  # noqa: PLC0415 - loads PyTorch

    print(f"{'task':40} {'texts to send':>14} {'tokens':>12} {'dollars':>10} {'minutes':>8}")
    costs = []
    for task in tasks:
        heard = Listener(embedder, meta, prompts)
        mteb.evaluate(heard, task, cache=None, co2_tracker=False, show_progress_bar=False)
        said = heard.estimates()
        costs.append(total([one.cost for one in said]))
        texts, tokens = sum(one.to_send for one in said), sum(one.tokens for one in said)
        minutes = sum(one.seconds for one in said) / 60
        row = f"{texts:14,} {tokens:12,} {dollars(costs[-1]):>10} {minutes:8.1f}"
        print(f"{task.metadata.name:40} {row}")
    print(f"{'together':67} {dollars(total(costs)):>10}\n", flush=True)
    return total(costs)


def total(costs: Sequence[Decimal | None]) -> Decimal | None:
    """Return the sum; None if one is not known."""
    known = [cost for cost in costs if cost is not None]
    return sum(known, Decimal(0)) if len(known) == len(costs) else None


def dollars(cost: Decimal | None) -> str:
    """Return it for a reader."""
    return "unknown" if cost is None else f"{cost:.4f}"


def show(results: Iterable[Any], kept: Any, published: Any) -> None:
    """Print each task's main score, beside the one that mteb has of the same model."""
    print(f"{'task':40} {'ours':>8} {'published':>10}")
    for result in results:
        theirs = kept.load_task_result(
            result.task_name, published.name, published.revision, prioritize_remote=True
        )
        score = "" if theirs is None else f"{theirs.get_score():.4f}"
        print(f"{result.task_name:40} {result.get_score():8.4f} {score:>10}")
    if not kept.has_remote:
        print("\nPUBLISHED=1 fetches the published scores: a large git repository.")


if __name__ == "__main__":
    sys.exit(main())
