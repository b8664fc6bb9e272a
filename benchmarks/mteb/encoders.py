"""Two encoders for mteb: one listens to what would be embedded, one embeds it within a budget."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.mteb.feeding import Fed, fed
from gemini_embed.models import MODELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from decimal import Decimal

    from numpy.typing import NDArray

    from benchmarks.mteb.feeding import TaskMetadata
    from gemini_embed import Estimate, GeminiEmbedder

_TEXTS_AT_ONCE = 2000
"""Before so many texts the budget is looked at: 20 requests."""

_HEARD_DIMENSION = 8
"""Of the vectors that stand for those that are not made: enough for mteb to compute with."""


class BudgetError(Exception):
    """The next texts would cost more than is left."""


class Encoder(ABC):
    """mteb's `EncoderProtocol` over a `GeminiEmbedder`.

    Args:
        embedder: What embeds; its model says how the task reaches it.
        meta: mteb's description of the model; results are kept under its name and revision.
        prompts: mteb's table of task types for the model.
    """

    def __init__(self, embedder: GeminiEmbedder, meta: Any, prompts: Mapping[str, str]) -> None:
        self.mteb_model_meta = meta
        self._embedder = embedder
        self._prompts = prompts
        self._is_in_text = MODELS[embedder.model].task != "field"

    def encode(
        self,
        inputs: Iterable[Mapping[str, Sequence[Any]]],
        *,
        task_metadata: TaskMetadata,
        hf_split: str,  # noqa: ARG002 - mteb names it
        hf_subset: str,  # noqa: ARG002 - likewise
        prompt_type: Any = None,
        **_options: Any,
    ) -> NDArray[np.float32]:
        """Return a vector for each row that mteb feeds: float32, shape (rows, dimension)."""
        side = None if prompt_type is None else prompt_type.value
        return self._vectors(
            fed(
                inputs,
                task_metadata,
                side,
                prompts=self._prompts,
                is_in_text=self._is_in_text,
            )
        )

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Return the cosine of each with each."""
        from mteb.similarity_functions import cos_sim  # noqa: PLC0415 - loads PyTorch

        return cos_sim(embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Return the cosine of each pair."""
        from mteb.similarity_functions import pairwise_cos_sim  # noqa: PLC0415 - loads PyTorch

        return pairwise_cos_sim(embeddings1, embeddings2)

    @abstractmethod
    def _vectors(self, call: Fed) -> NDArray[np.float32]: ...


class Listener(Encoder):
    """Sends nothing: remembers what mteb asks for, and answers with numbers that mean nothing."""

    def __init__(self, embedder: GeminiEmbedder, meta: Any, prompts: Mapping[str, str]) -> None:
        super().__init__(embedder, meta, prompts)
        self._heard: dict[str, dict[tuple[str, str | None], None]] = {}
        self._numbers = np.random.default_rng(0)

    def estimates(self) -> list[Estimate]:
        """Return what it would take to embed all that was heard, by task type.

        What was asked for twice counts once, as it is sent: the second time the cache has it.
        """
        estimates = []
        for task_type, heard in self._heard.items():
            texts, titles = [text for text, _ in heard], [title for _, title in heard]
            call = Fed(texts, task_type, titles if any(titles) else None)
            estimates.append(self._embedder.estimate(**call.arguments()))
        return estimates

    def _vectors(self, call: Fed) -> NDArray[np.float32]:
        titles = call.titles or [None] * len(call.texts)
        heard = self._heard.setdefault(call.task_type, {})
        heard.update(dict.fromkeys(zip(call.texts, titles, strict=True)))
        shape = (len(call.texts), _HEARD_DIMENSION)
        return self._numbers.standard_normal(shape, dtype=np.float32)


class Payer(Encoder):
    """Embeds, as long as the budget lasts.

    Raises, from `encode`:
        BudgetError: Before anything is sent that would cost more than is left. What was embedded
            is in the cache.
    """

    def __init__(
        self, embedder: GeminiEmbedder, meta: Any, prompts: Mapping[str, str], *, budget: Decimal
    ) -> None:
        super().__init__(embedder, meta, prompts)
        self._budget = budget

    def _vectors(self, call: Fed) -> NDArray[np.float32]:
        blocks = []
        for start in range(0, max(1, len(call.texts)), _TEXTS_AT_ONCE):
            piece = call.arguments(start, start + _TEXTS_AT_ONCE)
            check_budget(self._embedder.estimate(**piece).cost, self._embedder, self._budget)
            blocks.append(self._embedder.embed(**piece).vectors)
        return np.concatenate(blocks)


def check_budget(cost: Decimal | None, embedder: GeminiEmbedder, budget: Decimal) -> None:
    """Refuse what would cost more than is left of a budget.

    Raises:
        BudgetError: Says how much; or that nobody knows, since the model has no price.
    """
    spent = embedder.usage.cost()
    if cost is None or spent is None:
        raise BudgetError(f"what {embedder.model} costs is not known, so no budget can hold it")
    if spent + cost > budget:
        raise BudgetError(
            f"${spent:.4f} is spent, and the next texts would cost about ${cost:.4f}: more than "
            f"the budget of ${budget}"
        )
