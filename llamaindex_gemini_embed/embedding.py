"""`GeminiEmbedding`: LlamaIndex's names in, the core's names out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, SerializationInfo, SerializerFunctionWrapHandler, model_serializer

from gemini_embed import ConfigurationError
from gemini_embed.adapter import (
    NEWEST,
    TEXTS_PER_REQUEST,
    Adapted,
    CallOptions,
    OptionFields,
    Secret,
    as_list,
    forgetful,
)
from llamaindex_gemini_embed.dumps import in_order
from llamaindex_gemini_embed.limiters import before_each, before_repeats
from llamaindex_gemini_embed.multimodal import EmbedsMedia
from llamaindex_gemini_embed.nodes import titles_of
from llamaindex_gemini_embed.observers import observed
from llamaindex_gemini_embed.spellings import APART, REFUSED, SPELLINGS, held_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Unpack

    from llama_index.core.callbacks import CallbackManager
    from pydantic import SecretStr

    from llamaindex_gemini_embed.limiters import BeforeRequest
    from llamaindex_gemini_embed.nodes import Titles
    from llamaindex_gemini_embed.spellings import MoreArgs

_NOT_GIVEN: Any = object()  # for `timeout`, where None has a meaning of its own


class GeminiEmbedding(Adapted, EmbedsMedia, OptionFields):
    """Google's Gemini Embedding models as a LlamaIndex `MultiModalEmbedding`.

    The positional options are those of `llama_index.embeddings.google_genai`, in its order;
    the keyword-only ones are those of `gemini_embed.GeminiEmbedder`, with the same defaults. And
    `embeddings_cache`, a LlamaIndex key-value store, becomes the core's `cache`, whose keys tell
    queries from documents, models and dimensions apart. The whole list of texts goes to the core
    in one call, which keeps up to `max_concurrency` requests of up to `embed_batch_size` texts
    under way, sync or async.

    Pictures, sounds, films and PDFs are embedded by the image methods, by
    `get_media_embedding_batch`, and where the model is called with nodes that hold them.

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

    Raises:
        ConfigurationError: An option that is unknown, given twice with different values, or
            cannot work; pydantic's ValidationError (a ValueError too) for another type.
    """

    model_name: str = NEWEST
    api_key: Secret | None = Field(default=None, exclude=True)
    embedding_config: dict[str, Any] | None = None
    title_metadata_key: str | None = None
    embed_batch_size: int = Field(default=TEXTS_PER_REQUEST, gt=0, exclude=True)
    num_workers: int | None = Field(default=None, exclude=True)

    _spellings: ClassVar[Mapping[str, str]] = SPELLINGS

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
        **options: Unpack[MoreArgs],
    ) -> None:
        spelled_out = {
            "model_name": model_name,
            "api_key": api_key,
            "embedding_config": embedding_config,
            "vertexai_config": vertexai_config,
            "http_options": http_options,
            "debug_config": debug_config,
            "embed_batch_size": embed_batch_size,
            "callback_manager": callback_manager,
            "retries": retries,
            "retry_min_seconds": retry_min_seconds,
            "retry_max_seconds": retry_max_seconds,
            "retry_exponential_base": retry_exponential_base,
        }
        # Only what was given is handed on: a subclass may have defaults of its own.
        given = {name: value for name, value in spelled_out.items() if value is not None} | options
        if timeout is not _NOT_GIVEN:
            given["timeout"] = timeout
        if given.get("max_concurrency") is None:  # num_workers counts, a subclass's own too
            given.pop("max_concurrency", None)
            given.setdefault("num_workers", self._default("num_workers"))
        self._build(given, held_in(given), apart=APART, refused=REFUSED)

    @classmethod
    def class_name(cls) -> str:
        """Return the name in serialized forms; `GeminiEmbedding` is taken by two other packages."""
        return "GeminiEmbedEmbedding"

    @model_serializer(mode="wrap")
    def custom_model_dump(
        self, handler: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        """Leave out what only shapes the traffic: it changes no vector. Pickles alone carry it."""
        return in_order(super().custom_model_dump(handler, info), type(self).model_fields)

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
        return self._lists([query], role="query", rate_limiter=before_repeats(self))[0]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return (await self._alists([query], role="query", rate_limiter=before_repeats(self)))[0]

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return (await self._aget_text_embeddings([text]))[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._lists(texts, **self._call(texts, before=before_repeats(self)))

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return await self._alists(texts, **self._call(texts, before=before_repeats(self)))

    def get_text_embedding_batch(
        self,
        texts: list[str],
        show_progress: bool = False,
        *,
        titles: Titles = None,
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
            call = self._call(texts, titles, before=before_each(self), show_progress=show_progress)
            embeddings.extend(self._lists(texts, **call))
        return embeddings

    async def aget_text_embedding_batch(
        self,
        texts: list[str],
        show_progress: bool = False,
        *,
        titles: Titles = None,
        **kwargs: Any,  # noqa: ARG002 - see get_text_embedding_batch
    ) -> list[list[float]]:
        """Return one vector per text, in order; the async twin of `get_text_embedding_batch`."""
        texts = as_list(texts)
        with observed(self, texts) as embeddings:
            call = self._call(texts, titles, before=before_each(self), show_progress=show_progress)
            embeddings.extend(await self._alists(texts, **call))
        return embeddings

    def _titles(self, documents: Sequence[object]) -> Titles:
        title = (self.embedding_config or {}).get("title")
        return titles_of(documents, self.title_metadata_key, title)

    def _call(
        self,
        items: Sequence[object],
        titles: Titles = None,
        *,
        before: BeforeRequest | None,
        show_progress: bool = False,
    ) -> CallOptions:
        """Return the options of a call for documents; the configured title is every text's."""
        titles = self._titles(items) if titles is None else titles
        return CallOptions(
            role="document", titles=titles, rate_limiter=before, show_progress=show_progress
        )
