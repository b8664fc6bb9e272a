"""`GeminiEmbeddings`: LangChain's names in, the core's names out."""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003 - pydantic reads the annotations
from typing import TYPE_CHECKING, Any

from langchain_core.embeddings import Embeddings
from langchain_core.load.serializable import (
    Serializable,
    SerializedConstructor,
    SerializedNotImplemented,
)
from pydantic import ConfigDict, Field, PrivateAttr, SecretStr
from pydantic.json_schema import SkipJsonSchema  # noqa: TC002 - pydantic reads the annotations

from gemini_embed.adapter import (
    OPTIONS,
    Adapted,
    embedder_for,
    is_dump_of_first_release,
    one_value,
)
from gemini_embed.checks import refuse_unknown
from gemini_embed.credentials import find_key
from gemini_embed.inputs import OnBlank, OnSurrogate  # noqa: TC001 - pydantic reads the annotations
from gemini_embed.models import Normalize  # noqa: TC001 - likewise
from gemini_embed.observe.events import Retry  # noqa: TC001 - likewise
from gemini_embed.options import meant_by_first_release
from gemini_embed.quota import Quota  # noqa: TC001 - likewise
from gemini_embed.redaction import ShownUrl, forgetful, shown_url
from gemini_embed.results import lists_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gemini_embed.embedder import GeminiEmbedder

_SPELLINGS = {"api_key": "google_api_key", "dimensions": "output_dimensionality"}


class GeminiEmbeddings(Adapted, Serializable, Embeddings):
    """Google's Gemini Embedding models as a LangChain `Embeddings`.

    Every option is the option of that name of `gemini_embed.GeminiEmbedder`, with the same
    default; the few that LangChain users know by another name are described here.

    Example:
        ```python
        from langchain_gemini_embed import GeminiEmbeddings

        embeddings = GeminiEmbeddings(model="gemini-embedding-2", output_dimensionality=768)
        vector = embeddings.embed_query("how do I copy a file?")
        ```

    Attributes:
        google_api_key: The key; `api_key` is the same.
        output_dimensionality: Numbers per vector; `dimensions` is the same.
        request_options: `{"timeout": seconds}`, as `GoogleGenerativeAIEmbeddings` has it.
        show_progress: Draw a progress bar while documents are embedded.

    Raises:
        ConfigurationError: An option that is unknown or cannot work; pydantic's ValidationError
            (a ValueError too) for a value of another type.
    """

    model: str = "gemini-embedding-2"
    behaves_like: str | None = None
    google_api_key: SecretStr | None = None
    vertexai: bool | None = None
    project: str | None = None
    location: str | None = None
    credentials: Any = Field(default=None, exclude=True)
    task_type: str | None = None
    output_dimensionality: int | None = None
    normalize: Normalize = "auto"
    task_prefix: bool = True
    on_blank: OnBlank = "error"
    on_surrogate: OnSurrogate = "error"
    batch_size: int | None = None
    max_concurrency: int = 8
    timeout: float | None = 60.0
    deadline: float | None = None
    max_retries: int | None = None
    max_wait: float | None = 300.0
    retry_min_seconds: float = 1.0
    retry_max_seconds: float = 60.0
    retry_exponential_base: float = 2.0
    on_retry: SkipJsonSchema[Callable[[Retry], None] | None] = Field(default=None, exclude=True)
    quota: SkipJsonSchema[Quota | None] = Field(default=None, exclude=True)
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    cache: Any = Field(default=None, exclude=True)
    cache_full_dimension: bool = False
    base_url: ShownUrl | None = None
    service_name: str | None = None
    api_version: str | None = None
    additional_headers: dict[str, SecretStr] | None = Field(default=None, exclude=True)
    client_args: dict[str, Any] | None = Field(default=None, exclude=True)
    fast_decode: bool = True
    client: Any = Field(default=None, exclude=True)
    request_options: dict[str, Any] | None = None
    show_progress: bool = False

    model_config = ConfigDict(
        extra="forbid",
        protected_namespaces=(),
        arbitrary_types_allowed=True,
        validate_assignment=True,
        hide_input_in_errors=True,
    )

    _core: GeminiEmbedder | None = PrivateAttr(default=None)

    if not TYPE_CHECKING:  # checkers read the options from the fields

        @forgetful
        def __init__(self, **options: Any) -> None:
            names = type(self).model_fields
            refuse_unknown(options, {*names, *_SPELLINGS}, owner=type(self).__name__)
            for other, name in _SPELLINGS.items():
                value = one_value({name: options.get(name), other: options.pop(other, None)})
                if value is not None:
                    options[name] = value
            request_options = options.get("request_options") or {}
            refuse_unknown(request_options, ["timeout"], owner="request_options")
            timeout = one_value(
                {
                    "timeout": options.get("timeout"),
                    "request_options['timeout']": request_options.get("timeout"),
                }
            )
            if timeout is not None:
                options["timeout"] = timeout
            for name in ("google_api_key", "credentials"):
                options.setdefault(name, self._default(name))
            options["google_api_key"] = find_key(options["google_api_key"])
            if options["credentials"] is not None:
                options.setdefault("vertexai", True)  # a dump leaves the credentials out
            if is_dump_of_first_release(options):
                options["behaves_like"] = meant_by_first_release(options.get("model"))
            super().__init__(**options)
            self.google_api_key = self._embedder.api_key  # refuses now what cannot work

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Say that `langchain_core.load.dumps` may write it: all but secrets, objects and hooks."""
        return True

    def to_json(self) -> SerializedConstructor | SerializedNotImplemented:
        """Return the serialized form; a client of the caller's has none."""
        if self.client is not None:
            return self.to_json_not_implemented()
        serialized = super().to_json()
        if serialized["type"] == "constructor" and self.base_url is not None:
            serialized["kwargs"]["base_url"] = shown_url(self.base_url)
        return serialized

    @property
    def lc_secrets(self) -> dict[str, str]:
        """Name what a dump leaves out, and what `loads` takes it from."""
        return {"google_api_key": "GOOGLE_API_KEY"}

    @property
    @forgetful
    def _embedder(self) -> GeminiEmbedder:
        """The core for the options as they are now: fields may be assigned at any time."""
        renamed = {"api_key": self.google_api_key}
        same = OPTIONS - renamed.keys()
        options = renamed | {name: getattr(self, name) for name in same}
        self._core = embedder_for(options, self._core)
        return self._core

    @property
    def cache_namespace(self) -> str:
        """The fingerprint, as `namespace=` of LangChain's `CacheBackedEmbeddings`.

        Give queries a store of their own there: it looks both up by text alone.
        """
        return self.fingerprint

    def embed_documents(
        self,
        texts: list[str],
        *,
        batch_size: int | None = None,
        task_type: str | None = None,
        titles: Sequence[str | None] | None = None,
        output_dimensionality: int | None = None,
    ) -> list[list[float]]:
        """Return one vector per text, in order.

        Args:
            texts: The documents; every one is checked before anything is sent.
            batch_size: Texts per request, at most 100.
            task_type: For this call, taken literally.
            titles: One title, or None, per text.
            output_dimensionality: For this call.

        Raises:
            InvalidInputError: Says which text is blank or not text.
            GeminiEmbedError: What the service did wrong; `error.partial` holds what is done.
        """
        result = self._embedder.embed(
            texts,
            role="document",
            task_type=task_type,
            titles=titles,
            output_dimensionality=output_dimensionality,
            batch_size=batch_size,
            show_progress=self.show_progress,
            as_lists=True,
        )
        return lists_of(result)

    async def aembed_documents(
        self,
        texts: list[str],
        *,
        batch_size: int | None = None,
        task_type: str | None = None,
        titles: Sequence[str | None] | None = None,
        output_dimensionality: int | None = None,
    ) -> list[list[float]]:
        """Return one vector per text, in order; the async twin of `embed_documents`."""
        result = await self._embedder.aembed(
            texts,
            role="document",
            task_type=task_type,
            titles=titles,
            output_dimensionality=output_dimensionality,
            batch_size=batch_size,
            show_progress=self.show_progress,
            as_lists=True,
        )
        return lists_of(result)

    def embed_query(
        self,
        text: str,
        *,
        task_type: str | None = None,
        title: str | None = None,
        output_dimensionality: int | None = None,
    ) -> list[float]:
        """Return the vector of a query.

        Args:
            text: The query.
            task_type: For this call, taken literally.
            title: For a `task_type` of RETRIEVAL_DOCUMENT only.
            output_dimensionality: For this call.
        """
        result = self._embedder.embed(
            [text],
            role="query",
            task_type=task_type,
            titles=[title],
            output_dimensionality=output_dimensionality,
            as_lists=True,
        )
        return lists_of(result)[0]

    async def aembed_query(
        self,
        text: str,
        *,
        task_type: str | None = None,
        title: str | None = None,
        output_dimensionality: int | None = None,
    ) -> list[float]:
        """Return the vector of a query; the async twin of `embed_query`."""
        result = await self._embedder.aembed(
            [text],
            role="query",
            task_type=task_type,
            titles=[title],
            output_dimensionality=output_dimensionality,
            as_lists=True,
        )
        return lists_of(result)[0]

    def __setstate__(self, state: dict[Any, Any]) -> None:
        """Take what `__getstate__` returned, or release 0.1's, which knew fewer options."""
        held = dict(state["__dict__"])
        if is_dump_of_first_release(held):
            held["behaves_like"] = meant_by_first_release(held["model"])
        held |= {name: self._default(name) for name in type(self).model_fields.keys() - held.keys()}
        super().__setstate__({**state, "__dict__": held})
