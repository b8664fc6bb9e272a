"""What mteb feeds an encoder, as one call of `embed`. Performs no I/O, and imports no mteb.

mteb hands over batches of columns, what it knows of the task, and whether these are queries or
documents. For each model it has a table: which of Google's task types goes with a task, with a type
of task, or with a side. The table is mteb's own, so that scores can be compared with the published
ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from gemini_embed import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Side = Literal["query", "document"]

BARE = "TASK_TYPE_UNSPECIFIED"

_OURS = {None: BARE, "SIMILARITY": "SEMANTIC_SIMILARITY"}
"""What mteb's table calls otherwise than Google; nothing in the table means no task type."""


class TaskMetadata(Protocol):
    """What is used of what mteb knows of a task."""

    @property
    def name(self) -> str:
        """For example `"NFCorpus"`."""
        ...

    @property
    def type(self) -> str:
        """For example `"Retrieval"`."""
        ...

    @property
    def modalities(self) -> Sequence[str]:
        """What its items are: texts, images, ..."""
        ...


@dataclass(frozen=True)
class Fed:
    """One call: `embed(texts, role="document", task_type=task_type, titles=titles)`.

    `titles` is None where no text has one.
    """

    texts: list[str]
    task_type: str
    titles: list[str | None] | None = None

    def arguments(self, start: int = 0, end: int | None = None) -> dict[str, Any]:
        """Return it, or the texts from `start` to `end` of it, as keywords of `embed`.

        With a task type of its own, the role only says that it is a load.
        """
        return {
            "items": self.texts[start:end],
            "titles": None if self.titles is None else self.titles[start:end],
            "task_type": self.task_type,
            "role": "document",
        }


def fed(
    batches: Iterable[Mapping[str, Sequence[Any]]],
    task: TaskMetadata,
    side: Side | None,
    *,
    prompts: Mapping[str, str],
    is_in_text: bool,
) -> Fed:
    """Return what mteb feeds as a call.

    Args:
        batches: Columns (`text`; for documents also `body` and `title`), a batch at a time.
        task: What mteb knows of the task.
        side: None where a task has no sides.
        prompts: mteb's table of task types for the model.
        is_in_text: Whether the model reads the task, and the title, from the text itself. The older
            models get title and text in one, as mteb joins them.

    Raises:
        ConfigurationError: The task has more than texts.
    """
    if set(task.modalities) != {"text"}:
        raise ConfigurationError(
            f"{task.name} has {', '.join(task.modalities)}; only tasks of texts are run here"
        )
    batches = list(batches)
    apart = is_in_text and side == "document" and all("body" in batch for batch in batches)
    key = "body" if apart else "text"
    texts = [text for batch in batches for text in batch[key]]
    titles = [title for batch in batches for title in titles_in(batch)] if apart else []
    return Fed(
        texts,
        task_type_of(asked_for(prompts, task, side), side, is_in_text=is_in_text),
        titles if any(titles) else None,
    )


def titles_in(batch: Mapping[str, Sequence[Any]]) -> list[str | None]:
    """Return the title of each row of a batch, None where it has none."""
    return [title or None for title in batch.get("title", [None] * len(batch["body"]))]


def asked_for(prompts: Mapping[str, str], task: TaskMetadata, side: Side | None) -> str | None:
    """Return what mteb's table has for a task, in mteb's order: the task, its type, the side."""
    sides = [side] if side else []
    names = [f"{task.name}-{side}" for side in sides] + [task.name]
    names += [f"{task.type}-{side}" for side in sides] + [task.type, *sides]
    return next((prompts[name] for name in names if name in prompts), None)


def task_type_of(asked: str | None, side: Side | None, *, is_in_text: bool) -> str:
    """Return the task type of a call.

    In a text, all documents have the same form; and where mteb asks for the documents' form on the
    other side, which has no phrase for it, mteb leaves the text bare.
    """
    if is_in_text and side == "document":
        return "RETRIEVAL_DOCUMENT"
    if is_in_text and asked == "RETRIEVAL_DOCUMENT":
        return BARE
    return _OURS.get(asked) or str(asked)
