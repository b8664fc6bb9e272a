"""A provider for Daft, whose own one for Google embeds no texts.

Needs the extra `daft`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gemini_embed.embedder import GeminiEmbedder
from gemini_embed.options.checks import refuse_unknown

try:
    from daft import DataType  # pyright: ignore[reportMissingImports] - an extra
    from daft.ai.protocols import (  # pyright: ignore[reportMissingImports] - likewise
        TextEmbedder,
        TextEmbedderDescriptor,
    )
    from daft.ai.provider import Provider  # pyright: ignore[reportMissingImports] - likewise
    from daft.ai.typing import (  # pyright: ignore[reportMissingImports] - likewise
        EmbeddingDimensions,
        UDFOptions,
    )
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f'{__name__} needs Daft: pip install "gemini-embed[daft]"', name=error.name
    ) from error

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

    from gemini_embed.tasks import Role

_NAME = "gemini-embed"

_ROWS = 1000
"""Of a batch: texts enough for the requests that are under way at once."""


class GeminiProvider(Provider):  # type: ignore[misc] # Daft's may be missing
    """What `daft.functions.embed_text` takes as its provider.

    Where Daft runs in one process, all columns share the embedder, with its connections, quota and
    counts. To other processes it is sent as a pickle, with its key in clear text; those of one
    machine share its quota if that has a `path`.

    Args:
        embedder: What embeds. Default: one with the defaults of `GeminiEmbedder`.
        role: Whether the texts are `"query"` or `"document"`.
    """

    def __init__(self, embedder: GeminiEmbedder | None = None, *, role: Role = "document") -> None:
        self._embedder = embedder or GeminiEmbedder()
        self._role: Role = role

    @property
    def name(self) -> str:
        """The name by which a session of Daft knows it."""
        return _NAME

    def get_text_embedder(
        self, model: str | None = None, dimensions: int | None = None, **options: Any
    ) -> GeminiTexts:
        """Return what `embed_text` asks for.

        Args:
            model: Another model than the embedder's.
            dimensions: Another number of dimensions than the embedder's.
            **options: `batch_size` alone: rows that Daft hands over at once, by default 1,000.
                The embedder has options of its own for all else.

        Raises:
            ConfigurationError: A model, a dimension or an option that cannot work.
        """
        refuse_unknown(options, {"batch_size"}, owner=type(self).__name__)
        given = {"model": model, "output_dimensionality": dimensions}
        changed: dict[str, Any] = {
            name: value for name, value in given.items() if value is not None
        }
        embedder = replace(self._embedder, **changed) if changed else self._embedder
        return GeminiTexts(embedder, self._role, options.get("batch_size") or _ROWS)


@dataclass
class GeminiTexts(TextEmbedder, TextEmbedderDescriptor):  # type: ignore[misc] # likewise
    """How a column is embedded: Daft asks it for vectors, and how to ask."""

    embedder: GeminiEmbedder
    role: Role
    batch_size: int

    def get_provider(self) -> str:
        """Return the provider's name."""
        return _NAME

    def get_model(self) -> str:
        """Return the model."""
        return self.embedder.model

    def get_options(self) -> dict[str, Any]:
        """Return what was given beside model and dimension."""
        return {"batch_size": self.batch_size}

    def get_dimensions(self) -> Any:
        """Return the type of the new column: float32, of fixed length."""
        size = self.embedder.output_dimensionality or self.embedder._row.dimension
        return EmbeddingDimensions(size, DataType.float32())

    def get_udf_options(self) -> Any:
        """Return how Daft calls it: once, since the embedder repeats what may pass."""
        return UDFOptions(batch_size=self.batch_size, max_retries=0)

    def is_async(self) -> bool:
        """Tell Daft to await the vectors."""
        return True

    def instantiate(self) -> GeminiTexts:
        """Return itself: what describes it can do it."""
        return self

    async def embed_text(self, text: list[str]) -> list[NDArray[float32]]:
        """Embed some rows; raises what `GeminiEmbedder.aembed` raises."""
        return list((await self.embedder.aembed(text, role=self.role)).vectors)
