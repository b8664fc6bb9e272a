"""Gemini Embedding models for LangChain."""

from contextlib import suppress

with suppress(ModuleNotFoundError):
    # LangChain loads it when it is asked for something, which freezegun does when it freezes the
    # time for a test; and pydantic cannot make its models then.
    import langsmith.schemas  # noqa: F401

try:
    from langchain_gemini_embed.embeddings import GeminiEmbeddings
    from langchain_gemini_embed.fingerprints import load_fingerprint, save_fingerprint
    from langchain_gemini_embed.stores import StoreCache
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "langchain_core":
        raise
    raise ModuleNotFoundError(
        'langchain_gemini_embed needs LangChain: pip install "gemini-embed[langchain]"',
        name=error.name,
    ) from error

__all__ = ["GeminiEmbeddings", "StoreCache", "load_fingerprint", "save_fingerprint"]
