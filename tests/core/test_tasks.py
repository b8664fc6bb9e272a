from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_embed.contents import Content, TaskType
from gemini_embed.errors import ConfigurationError
from gemini_embed.models import MODELS
from gemini_embed.tasks import Role, content_for, parse_task_type, task_for

TWO = MODELS["gemini-embedding-2"]
ONE = MODELS["gemini-embedding-001"]


@pytest.mark.parametrize(
    ("purpose", "query", "document"),
    [
        (None, "RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT"),
        ("RETRIEVAL_QUERY", "RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT"),
        ("RETRIEVAL_DOCUMENT", "RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT"),
        ("QUESTION_ANSWERING", "QUESTION_ANSWERING", "RETRIEVAL_DOCUMENT"),
        ("FACT_VERIFICATION", "FACT_VERIFICATION", "RETRIEVAL_DOCUMENT"),
        ("CODE_RETRIEVAL_QUERY", "CODE_RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT"),
        ("SEMANTIC_SIMILARITY", "SEMANTIC_SIMILARITY", "SEMANTIC_SIMILARITY"),
        ("CLASSIFICATION", "CLASSIFICATION", "CLASSIFICATION"),
        ("CLUSTERING", "CLUSTERING", "CLUSTERING"),
        ("TASK_TYPE_UNSPECIFIED", "TASK_TYPE_UNSPECIFIED", "TASK_TYPE_UNSPECIFIED"),
    ],
)
def test_a_purpose_names_the_task_of_both_sides(
    purpose: TaskType | None, query: TaskType, document: TaskType
) -> None:
    """An embedder set up for a purpose never embeds queries as documents, or the other way."""
    assert task_for("query", purpose=purpose, literal=None) == query
    assert task_for("document", purpose=purpose, literal=None) == document


@pytest.mark.parametrize("role", get_args(Role))
def test_a_task_given_with_the_call_is_taken_literally(role: Role) -> None:
    """`task_type` of a call wins over the embedder's, whatever the role."""
    assert (
        task_for(role, purpose="CLUSTERING", literal="RETRIEVAL_DOCUMENT") == "RETRIEVAL_DOCUMENT"
    )


@pytest.mark.parametrize(
    ("task", "title", "sent"),
    [
        ("RETRIEVAL_QUERY", None, "task: search result | query: hi"),
        ("QUESTION_ANSWERING", None, "task: question answering | query: hi"),
        ("FACT_VERIFICATION", None, "task: fact checking | query: hi"),
        ("CODE_RETRIEVAL_QUERY", None, "task: code retrieval | query: hi"),
        ("SEMANTIC_SIMILARITY", None, "task: sentence similarity | query: hi"),
        ("CLASSIFICATION", None, "task: classification | query: hi"),
        ("CLUSTERING", None, "task: clustering | query: hi"),
        ("CLUSTERING", "ignored", "task: clustering | query: hi"),
        ("RETRIEVAL_DOCUMENT", None, "title: none | text: hi"),
        ("RETRIEVAL_DOCUMENT", "", "title: none | text: hi"),
        ("RETRIEVAL_DOCUMENT", " ", "title: none | text: hi"),
        ("RETRIEVAL_DOCUMENT", "Greeting", "title: Greeting | text: hi"),
        ("RETRIEVAL_DOCUMENT", "a {title} {x}", "title: a {title} {x} | text: hi"),
        ("TASK_TYPE_UNSPECIFIED", None, "hi"),
    ],
)
def test_gemini_embedding_2_is_told_in_the_text(
    task: TaskType, title: str | None, sent: str
) -> None:
    """The newer models get Google's documented prefix, word for word, and no field."""
    assert content_for("hi", task=task, title=title, model=TWO) == Content.of(sent, None, None)


@pytest.mark.parametrize("task", get_args(TaskType))
def test_gemini_embedding_001_is_told_in_the_field(task: TaskType) -> None:
    """The older models get the bare text and the field; no field where nothing is meant."""
    expected = None if task == "TASK_TYPE_UNSPECIFIED" else task

    assert content_for("hi", task=task, title=None, model=ONE) == Content.of("hi", expected, None)


def test_a_title_travels_in_the_field_with_documents_only() -> None:
    """The service answers 400 to a title on any other task, so it is never sent there."""
    titled = content_for("hi", task="RETRIEVAL_DOCUMENT", title="T", model=ONE)
    other = content_for("hi", task="RETRIEVAL_QUERY", title="T", model=ONE)

    assert (titled.title, other.title) == ("T", None)


@given(st.text(), st.sampled_from(get_args(TaskType)))
def test_without_prefix_the_text_leaves_as_it_is(text: str, task: TaskType) -> None:
    """`task_prefix=False` matches an index that was built on bare texts."""
    sent = content_for(text, task=task, title="T", model=TWO, task_prefix=False)

    assert sent == Content.of(text, None, None)


@pytest.mark.parametrize("given_value", ["clustering", "Clustering", "CLUSTERING"])
def test_a_task_type_may_be_written_in_any_case(given_value: str) -> None:
    """Both spellings found in the wild work."""
    assert parse_task_type(given_value) == "CLUSTERING"


@pytest.mark.parametrize("wrong", ["RETREIVAL_QUERY", "", 3])
def test_an_unknown_task_type_is_refused_with_the_known_ones(wrong: str) -> None:
    """A typing error never becomes an embedding for nothing in particular."""
    with pytest.raises(ConfigurationError, match="RETRIEVAL_QUERY"):
        parse_task_type(wrong)
