"""Gemini Embedding models for LlamaIndex."""

try:
    from llamaindex_gemini_embed.embedding import GeminiEmbedding
    from llamaindex_gemini_embed.fingerprints import load_fingerprint, save_fingerprint
    from llamaindex_gemini_embed.kvstore import KVStoreCache
    from llamaindex_gemini_embed.media_nodes import MediaHashes
except ModuleNotFoundError as error:
    if not (error.name or "").startswith("llama_index"):
        raise
    raise ModuleNotFoundError(
        'llamaindex_gemini_embed needs LlamaIndex: pip install "gemini-embed[llamaindex]"',
        name=error.name,
    ) from error

__all__ = ["GeminiEmbedding", "KVStoreCache", "MediaHashes", "load_fingerprint", "save_fingerprint"]
