"""What is sent to the stand-in as Vertex AI, and what is expected of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gemini_embed.standin import Standin

OLD, NEW, OLDER = "gemini-embedding-001", "gemini-embedding-2", "text-embedding-005"


GLOBAL, REGION = "projects/p/locations/global/", "projects/p/locations/us-central1/"


EXPRESS = ""


TOKEN = {"Authorization": "Bearer t"}


def address(
    server: Standin, method: str, model: str = OLD, place: str = GLOBAL, version: str = "v1beta1"
) -> str:
    return f"{server.url}/{version}/{place}publishers/google/models/{model}:{method}"


def content(text: str, config: dict[str, Any] | None = None) -> dict[str, Any]:
    written: dict[str, Any] = {"content": {"parts": [{"text": text}]}}
    return written if config is None else {**written, "embedContentConfig": config}


def instances(*texts: str, **extra: Any) -> dict[str, Any]:
    return {"instances": [{"content": text, **extra} for text in texts]}


def requests(*texts: str, config: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"requests": [content(text, config) for text in texts]}


def usage(count: int) -> dict[str, Any]:
    return {
        "promptTokenCount": count,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": count}],
        "totalTokenCount": count,
    }


def prediction(vector: list[float], tokens: int, *, truncated: bool = False) -> dict[str, Any]:
    statistics = {"token_count": tokens, "truncated": truncated}
    return {"embeddings": {"values": vector, "statistics": statistics}}


def error(status: int, reason: str, message: str) -> dict[str, Any]:
    return {"error": {"code": status, "message": message, "status": reason}}


def not_found(resource: str) -> dict[str, Any]:
    return error(
        404,
        "NOT_FOUND",
        f"Publisher Model `{resource}` was not found or your project does not have access to it. "
        "Please ensure you are using a valid model version. For more information, see: "
        "https://cloud.google.com/vertex-ai/generative-ai/docs/learn/model-versions",
    )


def too_many_tokens(given: int, most: int) -> dict[str, Any]:
    return error(
        400,
        "INVALID_ARGUMENT",
        f"Unable to submit request because the input token count is {given} but the model "
        f"supports up to {most}. Reduce the input token count and try again. You can also use the "
        "CountTokens API to calculate prompt token count and billable characters.",
    )
