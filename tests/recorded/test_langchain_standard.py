"""LangChain's own standard tests of an `Embeddings`, over recorded exchanges."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

from langchain_gemini_embed import GeminiEmbeddings

pytestmark = [pytest.mark.vcr, pytest.mark.block_network]


class TestUnit(EmbeddingsUnitTests):
    """The standard unit tests: `GeminiEmbeddings` is built as LangChain expects."""

    @property
    def embeddings_class(self) -> type[GeminiEmbeddings]:
        """What is tested."""
        return GeminiEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        """How it is built."""
        return {"model": "gemini-embedding-2"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        """What it finds in the environment."""
        key = "a-key-from-the-environment"
        return {"GOOGLE_API_KEY": key}, self.embedding_model_params, {"google_api_key": key}


class TestGeminiEmbedding2(EmbeddingsIntegrationTests):
    """The standard integration tests, with the newest model."""

    @property
    def embeddings_class(self) -> type[GeminiEmbeddings]:
        """What is tested."""
        return GeminiEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        """How it is built."""
        return {"model": "gemini-embedding-2", "output_dimensionality": 128, "max_retries": 0}


class TestGeminiEmbedding001(TestGeminiEmbedding2):
    """The standard integration tests, with the older model, which is told the task in a field."""

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        """How it is built."""
        return super().embedding_model_params | {"model": "gemini-embedding-001"}
