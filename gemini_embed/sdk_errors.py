"""Where earlier versions had the errors that are the SDK's too: their pickles name this place."""

from gemini_embed.service.sdk_errors import _again

__all__ = ["_again"]
