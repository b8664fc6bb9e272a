"""LangSmith: a run of type `embedding` for each call.

Imported where the program has imported langsmith.
"""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from contextvars import copy_context
from typing import TYPE_CHECKING

from gemini_embed.observe.logs import kind_of

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from decimal import Decimal

    from gemini_embed.observe.tracing import Operation
    from gemini_embed.usage import Usage

_PROVIDERS = {"gemini": "google_genai", "vertex": "google_vertexai"}
"""LangSmith's names; with the model's name it finds the price."""

_SWITCHES = tuple(
    f"{whose}_{what}" for whose in ("LANGSMITH", "LANGCHAIN") for what in ("TRACING_V2", "TRACING")
)


class CallRun:
    """The run of one call. It has numbers in the place of texts and vectors."""

    observers = ()

    def __init__(self, operation: Operation) -> None:
        from langsmith import trace  # noqa: PLC0415 - takes long to load where tracing is off

        self._operation = operation
        self._context = copy_context()  # what langsmith sets does not stay in the caller's
        self._trace = trace(
            operation.name,
            run_type="embedding",
            inputs={"texts": operation.texts, "dimension": operation.dimension},
            metadata={
                "ls_provider": _PROVIDERS[operation.backend],
                "ls_model_name": operation.model,
                **({"batch_run": operation.run} if operation.run else {}),
            },
        )
        self._run = self._context.run(self._trace.__enter__)

    def within(self) -> AbstractContextManager[None]:
        """Return nothing that does anything: nothing of LangSmith's runs inside of a call."""
        return nullcontext()

    def end(self, usage: Usage, error: BaseException | None) -> None:
        """End the run."""
        if usage.prompt_tokens is not None:
            self._run.add_metadata({"usage_metadata": _told(usage.prompt_tokens, usage.cost())})
        outputs = {"requests": usage.requests, "cached": usage.cached}
        if error is None:
            outputs["vectors"] = self._operation.texts
        self._run.end(outputs=outputs, error=None if error is None else kind_of(error))
        # Not told of the error: it would write the message, and the whole traceback.
        self._context.run(self._trace.__exit__)


def _told(tokens: int, cost: Decimal | None) -> dict[str, float]:
    """Return a usage in LangSmith's words; without a price of ours, it looks for one of its own."""
    told: dict[str, float] = {"input_tokens": tokens, "total_tokens": tokens}
    return told if cost is None else {**told, "input_cost": float(cost), "total_cost": float(cost)}


def are_wanted() -> bool:
    """Tell whether tracing is on in the caller's context.

    Until somebody loads `langsmith.run_trees`, which takes long, only the environment turns it on.
    """
    if "langsmith.run_trees" not in sys.modules:
        return any(os.environ.get(name) == "true" for name in _SWITCHES)
    from langsmith.utils import tracing_is_enabled  # noqa: PLC0415 - likewise

    return bool(tracing_is_enabled())
