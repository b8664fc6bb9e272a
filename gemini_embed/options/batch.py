"""Options of the Batch API. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import get_args

from gemini_embed.gs import check_bucket
from gemini_embed.inputs import BatchFallback
from gemini_embed.options import checks
from gemini_embed.options.checks import checked, optional, whole


@dataclass(kw_only=True, eq=False, repr=False)
class BatchOptions:
    """What goes through the Batch API, and how."""

    batch_documents: bool = field(default=False, metadata=checked(checks.flag))
    """Embed documents through the Batch API, at half the price, and wait until they are done, for
    minutes or hours. Needs a cache in a file. Queries are always sent online."""

    batch_tokens: int | None = field(default=None, metadata=checked(optional(whole(1))))
    """Tokens that jobs of the Batch API may have under way at once. The Gemini API limits them by
    model and tier, and the default is 450,000 there, which suits the first paid tier for
    gemini-embedding-001. Vertex AI has no such limit, and there is none by default."""

    batch_settle: float = field(default=600.0, metadata=checked(checks.number(0)))
    """Seconds for which a job is looked for that may have been created, where the answer was lost,
    before another is created in its place."""

    batch_fallback: BatchFallback = field(
        default="online", metadata=checked(checks.one_of(*get_args(BatchFallback)))
    )
    """What becomes of texts for which a batch job brings no vector: `"online"` sends them online,
    at the usual price; `"error"` names them in an error once the others are done."""

    bucket: str | None = field(default=None, metadata=checked(optional(check_bucket)))
    """On Vertex AI, where its batches read and write: `"gs://BUCKET"` in Cloud Storage, or
    `"gs://BUCKET/PREFIX"`. Batches there need it."""
