"""An embedding function for LanceDB; to import this module registers it as `gemini-embed`.

Needs the extra `lancedb`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from pydantic import PrivateAttr

from gemini_embed.embedder import GeminiEmbedder
from gemini_embed.errors import ConfigurationError
from gemini_embed.redaction import shown_url

try:
    from lancedb.embeddings import (  # pyright: ignore[reportMissingImports] - an extra
        EmbeddingFunction,
        register,
    )
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f'{__name__} needs LanceDB: pip install "gemini-embed[lancedb]"', name=error.name
    ) from error

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy import float32
    from numpy.typing import NDArray

_SECRET = frozenset({"api_key", "additional_headers", "client_args"})

_VARIABLE = "$var:"
"""What LanceDB writes for a value that each process names itself, with `set_var`."""

_made: list[tuple[Mapping[str, Any], GeminiEmbedder]] = []
_making = threading.Lock()


class GeminiEmbeddingFunction(EmbeddingFunction):  # type: ignore[misc] # LanceDB's may be missing
    """Fills the vector column of a LanceDB table, and embeds what it is searched for.

    Rows are embedded as documents, searches as queries. Make one with `create`. LanceDB makes it
    again whenever it opens, fills or searches the table: those with equal options share one
    embedder, with its connections, quota and counts.

    Attributes:
        embedder: The `GeminiEmbedder` that does the work.
    """

    _embedder: GeminiEmbedder = PrivateAttr()

    def __init__(self, **options: Any) -> None:
        super().__init__(max_retries=0)
        made = GeminiEmbedder(**options)
        self._embedder = _shared(made, options | _pinned(made))

    @classmethod
    def create(cls, **options: Any) -> Self:
        """Make a function whose options LanceDB can write into a table.

        Args:
            **options: Those of `GeminiEmbedder`. They are written into the table, and hold for all
                who open it. So a secret, or an object that is no JSON, is not given itself, but as
                `"$var:NAME"`, and each process sets it with `get_registry().set_var(NAME, value)`.
                A key that is in the environment need not be given.

        Returns:
            The function, for `SourceField`, `VectorField` and `EmbeddingFunctionConfig`.

        Raises:
            ConfigurationError: An option that cannot work, or must not be written.
        """
        refused = [name for name, value in options.items() if not _may_be_written(name, value)]
        if refused:
            raise ConfigurationError(
                f"{', '.join(refused)}: LanceDB would write this into the table, which is for no "
                f'secret and only for JSON. Give "{_VARIABLE}NAME" instead, and set it in each '
                "process: get_registry().set_var(NAME, value)"
            )
        made: Self = super().create(**options)
        return made

    @property
    def embedder(self) -> GeminiEmbedder:
        """The embedder, for what only it has, as `usage` and `fingerprint`."""
        return self._embedder

    def ndims(self) -> int:
        """Return the length of a vector."""
        return _dimension(self._embedder)

    def compute_source_embeddings(self, texts: Any) -> list[NDArray[float32]]:
        """Embed a column, as documents; raises what `GeminiEmbedder.embed` raises."""
        return list(self._embedder.embed(self.sanitize_input(texts), role="document").vectors)

    def compute_query_embeddings(self, query: Any) -> list[NDArray[float32]]:
        """Embed one query, or several; raises what `GeminiEmbedder.embed` raises."""
        return list(self._embedder.embed(self.sanitize_input(query), role="query").vectors)

    # LanceDB's own repeat whatever fails, and hide the error; the embedder repeats what may pass.
    compute_source_embeddings_with_retry = compute_source_embeddings
    compute_query_embeddings_with_retry = compute_query_embeddings

    def safe_model_dump(self) -> dict[str, Any]:
        """Return what LanceDB writes: with model and dimension, whatever a later default is."""
        return {**super().safe_model_dump(), **_pinned(self._embedder)}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self._embedder is other._embedder

    def __hash__(self) -> int:
        return hash(self._embedder)


register("gemini-embed")(GeminiEmbeddingFunction)


def _may_be_written(name: str, value: object) -> bool:
    if isinstance(value, str) and value.startswith(_VARIABLE):
        return name not in _SECRET or ":" not in value.removeprefix(_VARIABLE)  # a default is clear
    if name == "base_url" and isinstance(value, str):
        return shown_url(value) == value
    return value is None or (name not in _SECRET and isinstance(value, str | int | float))


def _dimension(embedder: GeminiEmbedder) -> int:
    return embedder.output_dimensionality or embedder._row.dimension


def _pinned(embedder: GeminiEmbedder) -> dict[str, Any]:
    return {"model": embedder.model, "output_dimensionality": _dimension(embedder)}


def _shared(made: GeminiEmbedder, options: Mapping[str, Any]) -> GeminiEmbedder:
    """Return the first embedder of this process that was made with these options."""
    with _making:
        for given, first in _made:
            if given == options:
                return first
        _made.append((options, made))
        return made
