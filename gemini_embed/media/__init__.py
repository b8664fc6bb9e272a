"""Pictures, sound, films and PDFs: `Media`, and `fused` for what becomes one vector together."""

from __future__ import annotations

from gemini_embed.media.given import Item, MediaLike
from gemini_embed.media.value import Fused, Media, fused

__all__ = ["Fused", "Item", "Media", "MediaLike", "fused"]
