"""What other projects recorded of Google, by file, and what of it is played here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gemini_embed.tasks import Role

NEWEST = "gemini-embedding-2"
PREVIEW = "gemini-embedding-2-preview"


@dataclass(frozen=True, kw_only=True)
class Call:
    """What a user writes to send a recorded request."""

    texts: list[str]
    role: Role = "document"
    options: Mapping[str, Any] = field(default_factory=dict)
    titles: list[str | None] | None = None
    warns: str | None = None


_PREFIXES = "test_google_task_prefix[{}].yaml"
_RUBY = "ruby_llm__embedding_"
_RUBY_ERROR = "ruby_llm__ERR_chat_"

SENT: dict[str, Call] = {
    _PREFIXES.format("default-query"): Call(texts=["Hello, world!"], role="query"),
    _PREFIXES.format("asymmetric-query"): Call(
        texts=["Hello, world!"], role="query", options={"task_type": "QUESTION_ANSWERING"}
    ),
    _PREFIXES.format("asymmetric-document-no-title"): Call(texts=["hello", "world"]),
    _PREFIXES.format("asymmetric-document-with-title"): Call(texts=["hello"], titles=["Greeting"]),
    _PREFIXES.format("asymmetric-document-empty-title"): Call(texts=["hello"], titles=[""]),
    _PREFIXES.format("symmetric-query"): Call(
        texts=["hello"], role="query", options={"task_type": "CLASSIFICATION"}
    ),
    _PREFIXES.format("task-type-ignored-on-embedding-2"): Call(
        texts=["hello"], role="query", options={"task_type": "classification"}
    ),
    _PREFIXES.format("symmetric-document-ignores-title"): Call(
        texts=["hello"],
        options={"task_type": "CLUSTERING"},
        titles=["Greeting"],
        warns="titles are ignored",
    ),
    _PREFIXES.format("symmetric-sentence-similarity-ignores-title"): Call(
        texts=["hello"],
        options={"task_type": "SEMANTIC_SIMILARITY"},
        titles=["Greeting"],
        warns="titles are ignored",
    ),
    _PREFIXES.format("raw-passthrough"): Call(
        texts=["title: custom | text: hello"], options={"task_prefix": False}
    ),
    f"{_RUBY}basic_functionality_gemini_gemini-embedding-001_"
    "can_handle_multiple_texts_with_custom_dimensions.yml": Call(
        texts=["Ruby", "Python", "JavaScript"],
        options={
            "model": "gemini-embedding-001",
            "task_type": "TASK_TYPE_UNSPECIFIED",  # that project sends no task
            "output_dimensionality": 768,
        },
    ),
    "test_google_task_prefix_vertex.yaml": Call(
        texts=["Hello, world!"],
        role="query",
        options={"project": "pydantic-ai", "task_type": "QUESTION_ANSWERING"},
    ),
    f"{_RUBY}basic_functionality_vertexai_text-embedding-004_"
    "can_handle_multiple_texts_with_custom_dimensions.yml": Call(
        texts=["Ruby", "Python", "JavaScript"],
        options={
            "model": "text-embedding-004",
            "project": "a-project",
            "task_type": "TASK_TYPE_UNSPECIFIED",
            "output_dimensionality": 768,
        },
    ),
    "TestGoogle.test_vertex_query.yaml": Call(
        texts=["Hello, world!"],
        role="query",
        options={"model": "gemini-embedding-001", "project": "pydantic-ai"},
    ),
    "braintrust__embedding_001_dimensions_32.yaml": Call(
        texts=["This is a test", "This is another test"],
        options={"model": "gemini-embedding-001", "output_dimensionality": 32},
        warns="output_dimensionality=32 is below 128",
    ),
    "rig__embedding_001_dimensions_256.yaml": Call(
        texts=[
            "Rust values memory safety and predictable performance.",
            "Streaming responses arrive incrementally instead of all at once.",
            "Embeddings turn text into numeric vectors for similarity search.",
        ],
        options={
            "model": "gemini-embedding-001",
            "task_type": "TASK_TYPE_UNSPECIFIED",  # that project sends no task
            "output_dimensionality": 256,
        },
    ),
}
"""Recordings of requests that this project makes, and the call that makes each of them."""

MEDIA = "cookbook__embedding_2_media.json"
PICTURE = (
    f"{_RUBY}multimodal_embeddings_gemini_gemini-embedding-2_embeds_an_image_alongside_text.yml"
)
FILE_JOB = "cookbook__batch_embeddings.json"
JOB = "kio__embedding_2_batch_job.json"
LISTED = "rig__models_list_embedding.json"
TWO_NUMBERS = "vercel__embedding_2_two_dimensions.json"

_FIELD_IGNORED = (
    "sends taskType to a model that ignores it in silence; here the task goes into the text"
)
_CHAT = "a chat request; only its error answer is read here"

NOT_SENT: dict[str, str] = {
    "TestGoogle.test_count_tokens.yaml": "countTokens, which is asked about long texts only",
    "TestGoogle.test_count_tokens_error.yaml": "countTokens, likewise",
    "TestGoogle.test_documents.yaml": _FIELD_IGNORED,
    "TestGoogle.test_embed_error.yaml": _FIELD_IGNORED,
    "TestGoogle.test_instrumentation.yaml": _FIELD_IGNORED,
    "TestGoogle.test_query.yaml": _FIELD_IGNORED,
    "TestGoogle.test_query_with_dimensions.yaml": _FIELD_IGNORED,
    "TestGoogle.test_query_with_task_type.yaml": _FIELD_IGNORED,
    _PREFIXES.format("task-ignored-on-other-model"): _FIELD_IGNORED,
    PICTURE: "an image beside a text: see test_media",
    f"{_RUBY_ERROR}error_handling_with_gemini_gemini-2_5-flash_"
    "raises_appropriate_auth_error.trunc.yml": _CHAT,
    f"{_RUBY_ERROR}real_error_scenarios_gemini_gemini-2_5-flash_"
    "handles_context_length_exceeded_errors.trunc.yml": _CHAT,
    f"{_RUBY_ERROR}real_error_scenarios_vertexai_gemini-2_5-flash_"
    "handles_context_length_exceeded_errors.trunc.yml": _CHAT,
    FILE_JOB: "a batch job made by hand; its rows are read, and the stand-in's are like them",
    MEDIA: "media, of which it holds the names: see test_media",
    "error_bodies.json": "answers only; all of them are read",
    "error_bodies_2.json": "answers only; all of them are read",
    JOB: "a batch job of inline rows, ours are files; it is read, and the stand-in's is like it",
    LISTED: "the list of models, which nothing here asks for; the table agrees with it",
    TWO_NUMBERS: "its texts are not held; its answer is read",
    "SOURCES.md": "says where the others come from",
}
"""Files whose request this project does not make, and why."""


def named(part: str) -> str:
    """Return the one file that has `part` in its name."""
    (name,) = (name for name in (*SENT, *NOT_SENT) if part in name)
    return name


BAD_KEY = named("_auth_error")
OVER_QUOTA = named("_scenarios_gemini_")

_OF_TEXTS = [
    *(name for name in SENT if "vertex" not in name),
    *(name for name, why in NOT_SENT.items() if why == _FIELD_IGNORED and "error" not in name),
]

ANSWERED = [
    *_OF_TEXTS,
    named("_embeds_an_image_"),
    TWO_NUMBERS,
    f"{MEDIA}#1",  # a text and an image in one content
    f"{MEDIA}#2",  # the same in two
]
"""Recordings of vectors in the Gemini API's form."""

NO_VALUES = f"{MEDIA}#3"
"""A film that was declared to be another kind of film."""

ONE_OF_THREE = f"{MEDIA}#5"
"""Three texts in one content; of its one vector only the beginning was kept."""

ASKED = [
    *_OF_TEXTS,
    named("_embeds_an_image_"),
    "TestGoogle.test_count_tokens.yaml",
    "TestGoogle.test_count_tokens_error.yaml",
]
"""Recorded requests that the stand-in must answer as Google did."""
