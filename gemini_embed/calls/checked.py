"""One call, once its items and options are checked. Performs no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from gemini_embed.ask import Ask
    from gemini_embed.calls.policy import CallPolicy
    from gemini_embed.contents import Inputs
    from gemini_embed.results import Wanted


class Checked(NamedTuple):
    """One checked call.

    Attributes:
        inputs: What is embedded.
        ask: What else the answer depends on.
        wanted: What the caller wants of each vector.
        policy: How it goes about its work.
    """

    inputs: Inputs
    ask: Ask
    wanted: Wanted
    policy: CallPolicy
