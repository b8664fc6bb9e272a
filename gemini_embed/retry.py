"""Where `Retry` was before: pickles made then name this place."""

from gemini_embed.observe.events import Retry

__all__ = ["Retry"]
