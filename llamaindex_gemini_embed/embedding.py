"""`GeminiEmbedding`: LlamaIndex's names in, the core's names out."""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003 - pydantic reads the annotations
from typing import TYPE_CHECKING, Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from pydantic import ConfigDict, Field, PrivateAttr, SecretStr
from pydantic.json_schema import SkipJsonSchema  # noqa: TC002 - likewise

from gemini_embed.adapter import (
    OPTIONS,
    Adapted,
    embedder_for,
    is_dump_of_first_release,
    one_value,
)
from gemini_embed.checks import refuse_unknown, whole
from gemini_embed.credentials import find_key
from gemini_embed.errors import ConfigurationError
from gemini_embed.inputs import OnBlank, OnSurrogate, as_list
from gemini_embed.models import NEWEST, TEXTS_PER_REQUEST, Normalize
from gemini_embed.observe.events import Retry  # noqa: TC001 - likewise
from gemini_embed.options import meant_by_first_release
from gemini_embed.quota import Quota  # noqa: TC001 - likewise
from gemini_embed.redaction import ShownUrl, forgetful
from gemini_embed.results import lists_of
from llamaindex_gemini_embed.kvstore import KVStoreCache
from llamaindex_gemini_embed.observers import observed
from llamaindex_gemini_embed.sdk_options import (
    from_embedding_config,
    from_http_options,
    from_vertexai_config,
    spelled_in,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from llama_index.core.callbacks import CallbackManager
    from llama_index.core.schema import BaseNode

    from gemini_embed.embedder import GeminiEmbedder

_NOT_GIVEN: Any = object()
"""For `timeout`, where None has a meaning of its own."""

_PLACE = ("vertexai", "project", "location", "credentials")

_OWNER = "GeminiEmbedding"
_REFUSED = {
    "debug_config": "it belongs to the SDK's own replay tests; pass a ready client=... instead",
}


class GeminiEmbedding(Adapted, BaseEmbedding):
    """Google's Gemini Embedding models as a LlamaIndex `BaseEmbedding`.

    The positional options are those of `llama_index.embeddings.google_genai`, in its order;
    the keyword-only ones are those of `gemini_embed.GeminiEmbedder`, with the same defaults.
    The whole list of texts goes to the core in one call, which keeps up to `max_concurrency`
    requests of up to `embed_batch_size` texts under way, sync or async.

    Example:
        ```python
        from llamaindex_gemini_embed import GeminiEmbedding

        embed_model = GeminiEmbedding(model_name="gemini-embedding-2", output_dimensionality=768)
        vector = embed_model.get_query_embedding("how do I copy a file?")
        ```

    Args:
        model_name: Model id; `model` is the same.
        api_key: Default: `GOOGLE_API_KEY`, then `GEMINI_API_KEY`.
        embedding_config: The SDK's `EmbedContentConfig` or a dict: its `task_type`,
            `output_dimensionality`, and `title`, which goes to every document.
        vertexai_config: A dict of `project`, `location`, `credentials`, for Vertex AI; they and
            `vertexai` are options of their own too.
        http_options: The SDK's `HttpOptions` or a dict: its `base_url`, `api_version`,
            `headers`, `timeout` (milliseconds) and `client_args`.
        debug_config: Refused.
        embed_batch_size: Texts per request, at most (and by default) 100; `batch_size` is the same.
        callback_manager: LlamaIndex's.
        retries: Attempts at one request: `max_retries` + 1.
        timeout: Seconds one attempt may take.
        retry_min_seconds: Bound of the first random wait between attempts.
        retry_max_seconds: The largest such bound.
        retry_exponential_base: What the bound is multiplied by each time.
        num_workers: Requests under way at once; `max_concurrency` is the same.
        title_metadata_key: The metadata that holds a node's title, which then reaches the model as
            such. Nodes have metadata where the model is called with them: in an
            `IngestionPipeline`, or `embed_model(nodes)` before an index is built of them.
        rate_limiter: LlamaIndex's; asked before each request, repeated ones too, for batches on
            the I/O thread's loop. It does not survive pickling.
        **options: All other options of `gemini_embed.GeminiEmbedder`, by its names.
            `embeddings_cache`, a LlamaIndex key-value store, becomes the core's `cache`, whose
            keys tell queries from documents, models and dimensions apart; the base class's
            field stays None.

    Raises:
        ConfigurationError: An option that is unknown, given twice with different values, or
            cannot work; pydantic's ValidationError (a ValueError too) for another type.
    """

    # What shapes a vector is dumped, and so is part of the key of an ingestion pipeline's
    # cache; what only shapes the traffic is not, and pickling alone carries it.
    model_name: str = NEWEST
    behaves_like: str | None = None
    task_type: str | None = None
    output_dimensionality: int | None = None
    normalize: Normalize = "auto"
    task_prefix: bool = True
    on_blank: OnBlank = "error"
    on_surrogate: OnSurrogate = "error"
    embedding_config: dict[str, Any] | None = None
    title_metadata_key: str | None = None
    api_key: SecretStr | None = Field(default=None, exclude=True)
    vertexai: bool | None = None
    project: str | None = None
    location: str | None = None
    credentials: Any = Field(default=None, exclude=True)
    embed_batch_size: int = Field(default=TEXTS_PER_REQUEST, gt=0, exclude=True)
    num_workers: int | None = Field(default=None, exclude=True)
    max_concurrency: int = Field(default=8, exclude=True)
    timeout: float | None = Field(default=60.0, exclude=True)
    deadline: float | None = Field(default=None, exclude=True)
    max_retries: int | None = Field(default=None, exclude=True)
    max_wait: float | None = Field(default=300.0, exclude=True)
    retry_min_seconds: float = Field(default=1.0, exclude=True)
    retry_max_seconds: float = Field(default=60.0, exclude=True)
    retry_exponential_base: float = Field(default=2.0, exclude=True)
    on_retry: SkipJsonSchema[Callable[[Retry], None] | None] = Field(default=None, exclude=True)
    quota: SkipJsonSchema[Quota | None] = Field(default=None, exclude=True)
    requests_per_minute: int | None = Field(default=None, exclude=True)
    tokens_per_minute: int | None = Field(default=None, exclude=True)
    cache: Any = Field(default=None, exclude=True)
    cache_full_dimension: bool = Field(default=False, exclude=True)
    base_url: ShownUrl | None = None
    service_name: str | None = None
    api_version: str | None = None
    additional_headers: dict[str, SecretStr] | None = Field(default=None, exclude=True)
    client_args: dict[str, Any] | None = Field(default=None, exclude=True)
    fast_decode: bool = Field(default=True, exclude=True)
    client: Any = Field(default=None, exclude=True)

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    _core: GeminiEmbedder | None = PrivateAttr(default=None)

    @forgetful
    def __init__(  # noqa: PLR0917 - the order of the integration this stands in for
        self,
        model_name: str | None = None,
        api_key: str | SecretStr | None = None,
        embedding_config: Any = None,
        vertexai_config: Any = None,
        http_options: Any = None,
        debug_config: Any = None,
        embed_batch_size: int | None = None,
        callback_manager: CallbackManager | None = None,
        retries: int | None = None,
        timeout: float | None = _NOT_GIVEN,
        retry_min_seconds: float | None = None,
        retry_max_seconds: float | None = None,
        retry_exponential_base: float | None = None,
        *,
        model: str | None = None,
        batch_size: int | None = None,
        max_concurrency: int | None = None,
        num_workers: int | None = None,
        max_retries: int | None = None,
        task_type: str | None = None,
        output_dimensionality: int | None = None,
        base_url: str | None = None,
        api_version: str | None = None,
        additional_headers: Mapping[str, str | SecretStr] | None = None,
        client_args: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        options.pop("class_name", None)  # a dump of ours, or of the class we stand in for
        if is_dump_of_first_release(options):
            options["behaves_like"] = meant_by_first_release(model_name)
        embeddings_cache = options.pop("embeddings_cache", None)
        refused = {"debug_config": debug_config}
        spellings = {"model", "batch_size", "retries", "http_options"}
        known = {*type(self).model_fields, *spellings} - {*refused}
        refuse_unknown(
            [*options, *(name for name, value in refused.items() if value is not None)],
            known,
            owner=_OWNER,
            refused=_REFUSED,
        )
        config = from_embedding_config(embedding_config)
        http = from_http_options(http_options)
        vertex = from_vertexai_config(vertexai_config)
        attempts = None if retries is None else max(whole(0)("retries", retries), 1) - 1
        if num_workers is None and max_concurrency is None:
            num_workers = self._default("num_workers")
        place = {name: options.pop(name, None) for name in _PLACE}
        texts = {"task_type": task_type, "output_dimensionality": output_dimensionality}
        traffic = {
            "base_url": base_url,
            "api_version": api_version,
            "additional_headers": additional_headers,
            "client_args": client_args,
            "timeout": None if timeout is _NOT_GIVEN else timeout,
        }
        spelled: dict[str, dict[str, Any]] = {
            "model_name": {"model_name": model_name, "model": model},
            "embed_batch_size": {"embed_batch_size": embed_batch_size, "batch_size": batch_size},
            "max_concurrency": {"max_concurrency": max_concurrency, "num_workers": num_workers},
            "max_retries": {"max_retries": max_retries, "retries": attempts},
            **spelled_in("embedding_config", config, texts),
            **spelled_in("vertexai_config", vertex, place),
            **spelled_in("http_options", http, traffic),
        }
        if embeddings_cache is not None:
            spelled["cache"] = {
                "cache": options.pop("cache", None),
                "embeddings_cache": KVStoreCache(embeddings_cache),
            }
        values = {name: one_value(spellings) for name, spellings in spelled.items()}
        values |= {
            "embedding_config": {"title": config["title"]} if "title" in config else None,
            "callback_manager": callback_manager,
            "num_workers": num_workers,
            "retry_min_seconds": retry_min_seconds,
            "retry_max_seconds": retry_max_seconds,
            "retry_exponential_base": retry_exponential_base,
        }
        # Only what was given: a subclass may have defaults of its own.
        options |= {name: value for name, value in values.items() if value is not None}
        if timeout is None:
            options.setdefault("timeout", None)
        options.setdefault("credentials", self._default("credentials"))
        if options["credentials"] is not None:
            options.setdefault("vertexai", True)  # a dump leaves the credentials out
        key = find_key(self._default("api_key") if api_key is None else api_key)
        super().__init__(**options)
        self.api_key = key  # a subclass may call it a string
        self.api_key = self._embedder.api_key  # type: ignore[assignment] # a secret by now

    @classmethod
    def class_name(cls) -> str:
        """Return the name in serialized forms; `GeminiEmbedding` is taken by two other packages."""
        return "GeminiEmbedEmbedding"

    @property
    @forgetful
    def _embedder(self) -> GeminiEmbedder:
        """The core for the options as they are now: fields may be assigned at any time."""
        renamed = {"model": self.model_name, "batch_size": self.embed_batch_size}
        same = OPTIONS - renamed.keys()
        options = renamed | {name: getattr(self, name) for name in same}
        self._core = embedder_for(options, self._core)
        return self._core

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "embeddings_cache" and value is not None:
            raise ConfigurationError(
                "LlamaIndex would look embeddings_cache up by text alone, and answer a query with "
                "a document's vector; assign cache = KVStoreCache(store) instead"
            )
        if name == "num_workers" and value is not None:
            self.max_concurrency = value
        super().__setattr__(name, value)

    def _get_query_embedding(self, query: str) -> list[float]:
        result = self._embedder.embed(
            [query], role="query", rate_limiter=self._before_retry, as_lists=True
        )
        return lists_of(result)[0]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        result = await self._embedder.aembed(
            [query], role="query", rate_limiter=self._before_retry, as_lists=True
        )
        return lists_of(result)[0]

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return (await self._aget_text_embeddings([text]))[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        result = self._embedder.embed(
            texts,
            role="document",
            titles=self._titles(texts),
            rate_limiter=self._before_retry,
            as_lists=True,
        )
        return lists_of(result)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        result = await self._embedder.aembed(
            texts,
            role="document",
            titles=self._titles(texts),
            rate_limiter=self._before_retry,
            as_lists=True,
        )
        return lists_of(result)

    def get_text_embedding_batch(
        self,
        texts: list[str],
        show_progress: bool = False,
        *,
        titles: Sequence[str | None] | None = None,
        **kwargs: Any,  # noqa: ARG002 - the base class takes, and ignores, what pipelines pass
    ) -> list[list[float]]:
        """Return one vector per text, in order, from one call into the core.

        Args:
            texts: The documents; every one is checked before anything is sent.
            show_progress: Draw a progress bar.
            titles: One title, or None, per text.
            **kwargs: Ignored, as in the base class.

        Raises:
            InvalidInputError: Says which text of the whole list is blank or not text.
            GeminiEmbedError: What the service did wrong; `error.partial` holds what is done.
        """
        texts = as_list(texts)
        with observed(self, texts) as embeddings:
            result = self._embedder.embed(
                texts,
                role="document",
                titles=self._titles(texts, titles),
                show_progress=show_progress,
                rate_limiter=self._before_request,
                as_lists=True,
            )
            embeddings.extend(lists_of(result))
        return embeddings

    async def aget_text_embedding_batch(
        self,
        texts: list[str],
        show_progress: bool = False,
        *,
        titles: Sequence[str | None] | None = None,
        **kwargs: Any,  # noqa: ARG002 - see get_text_embedding_batch
    ) -> list[list[float]]:
        """Return one vector per text, in order; the async twin of `get_text_embedding_batch`."""
        texts = as_list(texts)
        with observed(self, texts) as embeddings:
            result = await self._embedder.aembed(
                texts,
                role="document",
                titles=self._titles(texts, titles),
                show_progress=show_progress,
                rate_limiter=self._before_request,
                as_lists=True,
            )
            embeddings.extend(lists_of(result))
        return embeddings

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Embed nodes, each with its own title where `title_metadata_key` names it."""
        return super().__call__(nodes, **{**self._titled(nodes), **kwargs})

    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Embed nodes; the async twin of calling the model."""
        return await super().acall(nodes, **{**self._titled(nodes), **kwargs})

    def _titled(self, nodes: Sequence[BaseNode]) -> dict[str, Any]:
        if (key := self.title_metadata_key) is None:
            return {}
        default = (self.embedding_config or {}).get("title")
        titles = [node.metadata.get(key, default) for node in nodes]
        return {"titles": [None if title is None else str(title) for title in titles]}

    @property
    def _before_retry(self) -> Callable[[], Awaitable[None]] | None:
        """For a single text or query, before which the base class asks the limiter itself."""
        ask, asked = self._before_request, False
        if ask is None:
            return None

        async def before_request() -> None:
            nonlocal asked
            if asked:
                await ask()
            asked = True

        return before_request

    @property
    def _before_request(self) -> Callable[[], Awaitable[None]] | None:
        limiter = getattr(self, "rate_limiter", None)  # older llama-index-core has none
        return None if limiter is None else limiter.async_acquire

    def _titles(
        self, texts: Sequence[str], titles: Sequence[str | None] | None = None
    ) -> Sequence[str | None] | None:
        """Return the call's own titles, or the configured one for every text."""
        title = (self.embedding_config or {}).get("title")
        return titles if titles is not None or title is None else [title] * len(texts)
