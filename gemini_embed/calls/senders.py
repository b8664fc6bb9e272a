"""What the engine sends through: a transport, or in tests whatever does the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gemini_embed.ask import Ask
    from gemini_embed.contents import Batch
    from gemini_embed.service.answer import Answer
    from gemini_embed.service.freight import Load


class Sender(Protocol):
    """What sends one batch, once: `transport.Transport`."""

    async def send(self, batch: Batch, ask: Ask) -> Answer:
        """Return the answer, or raise one of our errors."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""


class MediaSender(Protocol):
    """What sends batches with media: `transport.Transport`, too."""

    async def load(self, batch: Batch, ask: Ask) -> Load:
        """Return the media of a batch, ready to be sent, once there is room for them.

        Raises:
            UnreadableError: Of one of its contents.
            GeminiEmbedError: They could not be stored with the service.
        """
        ...
