"""Ray: a column of texts becomes one of vectors, and all jobs of a cluster share one quota.

`Embed` is what `ray.data.Dataset.map_batches` takes. `shared` returns an embedder that lives in an
actor with a name: its quota and its cache are those of every worker, dataset and job that asks for
that name. The extra `ray` brings Ray; it is loaded when `shared` is called.
"""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING, Any

from gemini_embed.errors import ConfigurationError, GeminiEmbedError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Unpack

    from gemini_embed.embedder import GeminiEmbedder
    from gemini_embed.media import Item
    from gemini_embed.options import CallOptions
    from gemini_embed.results import EmbeddingResult
    from gemini_embed.tasks import Role
    from gemini_embed.usage import Usage

__all__ = ["Embed", "Shared", "shared"]

_NAMESPACE = "gemini-embed"
"""Ray's jobs see names of their own namespace alone, unless they name another."""

_NAMED = 5
"""Rows that an error names."""


class Embed:
    """What `map_batches` takes: adds a column of vectors to each batch.

    Several batches are under way at once in each worker. Batches may be of numpy, where the vectors
    are a tensor, or of pyarrow, where they are a list of fixed size, which any reader of Parquet
    knows. Both are of float32.

    Args:
        embedder: What `shared` returned. An embedder of its own in each worker has a quota of its
            own, too, unless that has a `path`, for the workers of one machine.
        text_column: The column of texts.
        vector_column: The new column.
        id_column: A column that names the rows in errors.
        role: Whether the texts are `"query"` or `"document"`.
    """

    def __init__(
        self,
        embedder: GeminiEmbedder | Shared,
        *,
        text_column: str = "text",
        vector_column: str = "vector",
        id_column: str | None = None,
        role: Role = "document",
    ) -> None:
        self._embedder = embedder
        self._text_column = text_column
        self._vector_column = vector_column
        self._id_column = id_column
        self._role: Role = role

    async def __call__(self, batch: Any) -> Any:
        """Return a batch with its vectors.

        Raises:
            ConfigurationError: A column is missing, or there already; or the batch is of pandas.
            GeminiEmbedError: As `embed` raises it; its text names the rows.
        """
        self._check(batch)
        texts = _column(batch, self._text_column)
        try:
            result = await self._embedder.aembed(texts, role=self._role)
        except GeminiEmbedError as error:
            raise self._naming(error, batch) from error.__cause__
        if isinstance(batch, dict):
            return {**batch, self._vector_column: result.vectors}
        arrow: Any = importlib.import_module("pyarrow")
        numbers = arrow.array(result.vectors.ravel())
        lists = arrow.FixedSizeListArray.from_arrays(numbers, result.vectors.shape[1])
        return batch.append_column(self._vector_column, lists)

    def _check(self, batch: Any) -> None:
        names = list(batch) if isinstance(batch, dict) else getattr(batch, "column_names", None)
        if names is None:
            raise ConfigurationError(
                f"batches must be of numpy or pyarrow, not {type(batch).__name__}: "
                'set batch_format="pyarrow" in map_batches'
            )
        needed = [name for name in (self._text_column, self._id_column) if name is not None]
        if missing := [name for name in needed if name not in names]:
            raise ConfigurationError(f"no column {missing[0]!r} among {', '.join(names)}")
        if self._vector_column in names:
            raise ConfigurationError(
                f"there is a column {self._vector_column!r} already: give another vector_column"
            )

    def _naming(self, error: GeminiEmbedError, batch: Any) -> GeminiEmbedError:
        """Return an error of a batch that says which rows it is about."""
        if not error.indexes:
            return error
        if self._id_column is None:
            rows, advice = list(error.indexes), "of a batch; an id_column would name it"
        else:
            ids = _column(batch, self._id_column)
            rows, advice = [ids[index] for index in error.indexes], f"by {self._id_column!r}"
        others = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
        named = ", ".join(map(repr, rows[:_NAMED]))
        return error.with_context(summary=f"row {named}{others} {advice}: {error.summary}")


def _column(batch: Any, name: str) -> list[Any]:
    column = batch[name]
    values: list[Any] = column.tolist() if isinstance(batch, dict) else column.to_pylist()
    return values


class Shared:
    """An embedder in an actor: what `shared` returns. It can be sent to any task of the cluster."""

    def __init__(self, name: str, holder: Any) -> None:
        self.name = name
        self._holder = holder

    def __repr__(self) -> str:
        return f"Shared({self.name!r})"

    def embed(self, items: Iterable[Item], **call: Unpack[CallOptions]) -> EmbeddingResult:
        """Embed as `GeminiEmbedder.embed` does, in the actor."""
        ray = _ray()
        under_way = self._holder.embed.remote(list(items), call)
        try:
            return _told(ray.get(under_way))
        except KeyboardInterrupt:
            ray.cancel(under_way)
            raise

    async def aembed(self, items: Iterable[Item], **call: Unpack[CallOptions]) -> EmbeddingResult:
        """Embed in the actor; the async twin of `embed`. Cancelling stops it."""
        under_way = self._holder.embed.remote(list(items), call)
        try:
            return _told(await under_way)
        except asyncio.CancelledError:
            _ray().cancel(under_way)
            raise

    @property
    def usage(self) -> Usage:
        """What all calls took, of all who share it."""
        usage: Usage = _ray().get(self._holder.usage.remote())
        return usage

    def close(self) -> None:
        """End the actor, for all who share it; calls that are under way fail."""
        _ray().kill(self._holder)


class _Holder:
    """The actor, which has up to 1,000 calls under way, as Ray allows an async one.

    An error is returned: Ray would wrap what is raised, and print where.
    """

    def __init__(self, embedder: GeminiEmbedder) -> None:
        self._embedder = embedder

    async def embed(self, items: list[Item], call: CallOptions) -> EmbeddingResult | Exception:
        try:
            return await self._embedder.aembed(items, **call)
        except GeminiEmbedError as error:
            return error

    async def fingerprint(self) -> str:
        return self._embedder.fingerprint

    async def usage(self) -> Usage:
        return self._embedder.usage


def shared(name: str, embedder: GeminiEmbedder | None = None) -> Shared:
    """Return the embedder of that name in this cluster; make it if there is none yet.

    It lives, with its quota, until `close` or the end of the cluster, also when the job is over
    that made it. It runs on the machine that made it: there its cache and other files lie. What it
    was made with holds for all. No CPU is kept for it.

    The key is the embedder's, or that of the environment where it runs. Do not give it in Ray's
    `runtime_env`, which Ray writes into its logs.

    Args:
        name: Any name.
        embedder: What to share. Not needed where the name is in use.

    Raises:
        ConfigurationError: There is no Ray; or the name is not in use, and no embedder was given;
            or it is in use for vectors of another kind.
    """
    ray = _ray()
    if not ray.is_initialized():
        ray.init()
    if embedder is None:
        try:
            return Shared(name, ray.get_actor(name, namespace=_NAMESPACE))
        except ValueError:
            raise ConfigurationError(f"nobody shares {name!r}: give an embedder, too") from None
    affinity: Any = importlib.import_module("ray.util.scheduling_strategies")
    here = ray.get_runtime_context().get_node_id()
    holder = (
        ray.remote(_Holder)
        .options(
            name=name,
            namespace=_NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
            num_cpus=0,
            scheduling_strategy=affinity.NodeAffinitySchedulingStrategy(here, soft=False),
        )
        .remote(embedder)
    )
    if (held := ray.get(holder.fingerprint.remote())) != embedder.fingerprint:
        raise ConfigurationError(
            f"{name!r} is shared with another fingerprint, {held}, than {embedder.fingerprint}: "
            f"take another name, or end it with shared({name!r}).close()"
        )
    return Shared(name, holder)


def _told(outcome: EmbeddingResult | GeminiEmbedError) -> EmbeddingResult:
    if isinstance(outcome, GeminiEmbedError):
        raise outcome
    return outcome


def _ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ModuleNotFoundError as error:
        raise ConfigurationError('there is no Ray: pip install "gemini-embed[ray]"') from error
