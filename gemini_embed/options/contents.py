"""Options that shape vectors, and say what becomes of odd texts. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_args

from gemini_embed.inputs import OnBlank, OnLong, OnSurrogate
from gemini_embed.options import checks
from gemini_embed.options.checks import checked, optional, whole
from gemini_embed.tasks import parse_task_type

if TYPE_CHECKING:
    from gemini_embed.models import Normalize


@dataclass(kw_only=True, eq=False, repr=False)
class ContentOptions:
    """What shapes vectors, and what becomes of odd texts."""

    task_type: str | None = field(
        default=None, metadata=checked(lambda _, v: parse_task_type(v) and v)
    )
    """What the index is for, in Google's words and any case. None means retrieval: queries as
    RETRIEVAL_QUERY, documents as RETRIEVAL_DOCUMENT, which is also what either of these two means
    here."""

    output_dimensionality: int | None = field(default=None, metadata=checked(optional(whole(1))))
    """Numbers per vector, 1 to the model's own (3072 for the Gemini models). Default: the model's
    own."""

    normalize: Normalize = field(
        default="auto", metadata=checked(checks.one_of("auto", True, False))
    )
    """Bring vectors to unit length: `"auto"` where the service does not."""

    task_prefix: bool = field(default=True, metadata=checked(checks.flag))
    """Whether the models that read the task from the text (gemini-embedding-2) get Google's
    prefix. False sends texts bare, to match an index built without."""

    caption_prefix: bool = field(default=False, metadata=checked(checks.flag))
    """Whether a text beside media, in one item, gets the prefix that a text alone has."""

    on_blank: OnBlank = field(default="error", metadata=checked(checks.one_of(*get_args(OnBlank))))
    """What to do with an empty or white-space text: `"error"`, or `"placeholder"` to embed the
    text `(blank)` instead."""

    on_surrogate: OnSurrogate = field(
        default="error", metadata=checked(checks.one_of(*get_args(OnSurrogate)))
    )
    """What to do with half of a surrogate pair, which is no Unicode and cannot be sent: `"error"`,
    or `"replace"` to embed U+FFFD in its place. A whole pair is joined."""

    on_long: OnLong = field(default="truncate", metadata=checked(checks.one_of(*get_args(OnLong))))
    """What to do with a text that is longer than the model reads: `"truncate"` leaves it to the
    service, which cuts it off, and warns; `"error"` refuses it; `"split"` makes the vector of a
    document the mean of its pieces', and refuses a query."""
