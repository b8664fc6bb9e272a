"""Where `Quota` was before: pickles made then name this place."""

from gemini_embed.pacing.quota import Quota, quota_named

__all__ = ["Quota"]

_named = quota_named
