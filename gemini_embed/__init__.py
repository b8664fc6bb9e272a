"""Google's Gemini Embedding models: each text gets its own vector, or a named error.

Public are the names below and those of `gemini_embed.cache`, `gemini_embed.dimensions`,
`gemini_embed.standin` and the modules of `gemini_embed.scale`. What other modules hold may change
in any version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gemini_embed.batch.run import BatchRun
from gemini_embed.batch.status import BatchJob, BatchStatus
from gemini_embed.embedder import GeminiEmbedder
from gemini_embed.errors import (
    AuthenticationError,
    BadResponseError,
    BatchCancelledError,
    BatchDamagedError,
    BatchError,
    BatchFailedError,
    BatchLeaseError,
    BatchPendingError,
    ConfigurationError,
    DailyQuotaError,
    GeminiEmbedError,
    HookError,
    InternalError,
    InvalidInputError,
    ModelNotFoundError,
    ModelRetiredError,
    NoVectorError,
    QuotaExceededError,
    RequestError,
    ServiceUnavailableError,
    TextTooLongError,
)
from gemini_embed.fingerprint import FingerprintMismatchError, check_fingerprint
from gemini_embed.media import Media, fused
from gemini_embed.observe.events import Progress, Retry
from gemini_embed.pacing.quota import Quota, QuotaLeft
from gemini_embed.prices import Price
from gemini_embed.results import EmbeddingResult, Estimate, StreamBlock
from gemini_embed.usage import Usage
from gemini_embed.version import __version__

if TYPE_CHECKING:
    from gemini_embed.vectors import truncate

__all__ = [
    "AuthenticationError",
    "BadResponseError",
    "BatchCancelledError",
    "BatchDamagedError",
    "BatchError",
    "BatchFailedError",
    "BatchJob",
    "BatchLeaseError",
    "BatchPendingError",
    "BatchRun",
    "BatchStatus",
    "ConfigurationError",
    "DailyQuotaError",
    "EmbeddingResult",
    "Estimate",
    "FingerprintMismatchError",
    "GeminiEmbedError",
    "GeminiEmbedder",
    "HookError",
    "InternalError",
    "InvalidInputError",
    "Media",
    "ModelNotFoundError",
    "ModelRetiredError",
    "NoVectorError",
    "Price",
    "Progress",
    "Quota",
    "QuotaExceededError",
    "QuotaLeft",
    "RequestError",
    "Retry",
    "ServiceUnavailableError",
    "StreamBlock",
    "TextTooLongError",
    "Usage",
    "__version__",
    "check_fingerprint",
    "fused",
    "truncate",
]


def __getattr__(name: str) -> Any:
    if name == "truncate":  # loads numpy
        from gemini_embed.vectors import truncate  # noqa: PLC0415 - only where it is used

        return truncate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
