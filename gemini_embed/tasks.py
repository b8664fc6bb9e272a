"""What a text is embedded for, and how that reaches each model.

Task, role, title and model in; the content that is sent out. Performs no I/O. Newer models read
the task from the text itself and ignore the request's `taskType` in silence; the wording is
Google's:
https://ai.google.dev/gemini-api/docs/embeddings#task-types-embeddings-2
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from gemini_embed.contents import Content, TaskType
from gemini_embed.errors import ConfigurationError

if TYPE_CHECKING:
    from gemini_embed.models import Model

Role = Literal["query", "document"]

_PURPOSE: dict[TaskType, dict[Role, TaskType]] = {
    "TASK_TYPE_UNSPECIFIED": {
        "query": "TASK_TYPE_UNSPECIFIED",
        "document": "TASK_TYPE_UNSPECIFIED",
    },
    "RETRIEVAL_QUERY": {"query": "RETRIEVAL_QUERY", "document": "RETRIEVAL_DOCUMENT"},
    "RETRIEVAL_DOCUMENT": {"query": "RETRIEVAL_QUERY", "document": "RETRIEVAL_DOCUMENT"},
    "QUESTION_ANSWERING": {"query": "QUESTION_ANSWERING", "document": "RETRIEVAL_DOCUMENT"},
    "FACT_VERIFICATION": {"query": "FACT_VERIFICATION", "document": "RETRIEVAL_DOCUMENT"},
    "CODE_RETRIEVAL_QUERY": {"query": "CODE_RETRIEVAL_QUERY", "document": "RETRIEVAL_DOCUMENT"},
    "SEMANTIC_SIMILARITY": {"query": "SEMANTIC_SIMILARITY", "document": "SEMANTIC_SIMILARITY"},
    "CLASSIFICATION": {"query": "CLASSIFICATION", "document": "CLASSIFICATION"},
    "CLUSTERING": {"query": "CLUSTERING", "document": "CLUSTERING"},
}

_PREFIX: dict[TaskType, str] = {
    "TASK_TYPE_UNSPECIFIED": "",
    "RETRIEVAL_QUERY": "task: search result | query: ",
    "RETRIEVAL_DOCUMENT": "title: {title} | text: ",
    "SEMANTIC_SIMILARITY": "task: sentence similarity | query: ",
    "CLASSIFICATION": "task: classification | query: ",
    "CLUSTERING": "task: clustering | query: ",
    "QUESTION_ANSWERING": "task: question answering | query: ",
    "FACT_VERIFICATION": "task: fact checking | query: ",
    "CODE_RETRIEVAL_QUERY": "task: code retrieval | query: ",
}

TITLED: TaskType = "RETRIEVAL_DOCUMENT"
"""The one task that takes a title; the service answers 400 to a title on any other."""


def parse_task_type(value: str | None) -> TaskType | None:
    """Return Google's spelling of a task type, whatever its case; None stays None.

    Raises:
        ConfigurationError: Unknown task type; the text lists the known ones.
    """
    if value is None:
        return None
    name = value.strip().upper() if isinstance(value, str) else type(value).__name__
    if name == "UNSPECIFIED":  # Vertex AI's spelling
        return "TASK_TYPE_UNSPECIFIED"
    if name not in _PURPOSE:
        raise ConfigurationError(
            f"unknown task_type {name!r}; known: {', '.join(get_args(TaskType))}"
        )
    return name


def task_for(role: Role, *, purpose: TaskType | None, literal: TaskType | None) -> TaskType:
    """Return the task of one call.

    `literal`, given with the call, is taken as it is. `purpose`, given to the embedder, names
    what the index is for and so stands for a pair: both retrieval values mean queries as
    queries and documents as documents.
    """
    if literal is not None:
        return literal
    return _PURPOSE[purpose or "RETRIEVAL_QUERY"][role]


def content_for(
    text: str, *, task: TaskType, title: str | None, model: Model, task_prefix: bool = True
) -> Content:
    """Return what is sent for one text.

    `task_prefix=False` leaves the text bare where the model reads the task from it.
    """
    title = title if task == TITLED and title and title.strip() else None
    if model.task == "field":
        return Content.of(text, None if task == "TASK_TYPE_UNSPECIFIED" else task, title)
    if not task_prefix:
        return Content.of(text)
    return Content.of(_PREFIX[task].replace("{title}", title or "none") + text)
