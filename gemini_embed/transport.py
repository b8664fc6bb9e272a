"""Where `transport` was: programs that load Google's SDK early, to save the first call, name it."""

from gemini_embed.service.transport import Transport

__all__ = ["Transport"]
