"""Gemini Embedding models for LlamaIndex."""

try:
    from llamaindex_gemini_embed.embedding import GeminiEmbedding
except ModuleNotFoundError as error:
    if not (error.name or "").startswith("llama_index"):
        raise
    raise ModuleNotFoundError(
        'llamaindex_gemini_embed needs LlamaIndex: pip install "gemini-embed[llamaindex]"',
        name=error.name,
    ) from error

__all__ = ["GeminiEmbedding"]
