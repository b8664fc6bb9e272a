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
from gemini_embed.observe.tracing import Operation, Sums

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from gemini_embed.observe.events import Answered, Recalled, Sent

_PROVIDERS = {"gemini": "google_genai", "vertex": "google_vertexai"}
"""LangSmith's names; with the model's name it finds the price."""

_SWITCHES = tuple(
    f"{whose}_{what}" for whose in ("LANGSMITH", "LANGCHAIN") for what in ("TRACING_V2", "TRACING")
)


class CallRun:
    """The run of one call. It has numbers in the place of texts and vectors."""

    sees = Sums.sees

    def __init__(self, operation: Operation) -> None:
        from langsmith import trace  # noqa: PLC0415 - takes long to load where tracing is off

        self._operation = operation
        self._sums = Sums()
        self._context = copy_context()  # what langsmith sets does not stay in the caller's
        self._trace = trace(
            operation.name,
            run_type="embedding",
            inputs={"texts": operation.texts, "dimension": operation.dimension},
            metadata={
                "ls_provider": _PROVIDERS[operation.backend],
                "ls_model_name": operation.model,
            },
        )
        self._run = self._context.run(self._trace.__enter__)

    def __call__(self, event: Sent | Answered | Recalled) -> None:
        """Count what happens."""
        self._sums(event)

    def within(self) -> AbstractContextManager[None]:
        """Return nothing that does anything: nothing of LangSmith's runs inside of a call."""
        return nullcontext()

    def end(self, error: BaseException | None) -> None:
        """End the run."""
        sums = self._sums
        if sums.tokens is not None:
            usage = {"input_tokens": sums.tokens, "total_tokens": sums.tokens}
            self._run.add_metadata({"usage_metadata": usage})
        outputs = {"requests": sums.requests, "cached": sums.cached}
        if error is None:
            outputs["vectors"] = self._operation.texts
        self._run.end(outputs=outputs, error=None if error is None else kind_of(error))
        # Not told of the error: it would write the message, and the whole traceback.
        self._context.run(self._trace.__exit__)


def are_wanted() -> bool:
    """Tell whether tracing is on in the caller's context.

    Until somebody loads `langsmith.run_trees`, which takes long, only the environment turns it on.
    """
    if "langsmith.run_trees" not in sys.modules:
        return any(os.environ.get(name) == "true" for name in _SWITCHES)
    from langsmith.utils import tracing_is_enabled  # noqa: PLC0415 - likewise

    return bool(tracing_is_enabled())
