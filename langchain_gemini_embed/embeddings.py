"""`GeminiEmbeddings`: LangChain's names in, the core's names out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

from langchain_core.embeddings import Embeddings
from langchain_core.load.serializable import (
    Serializable,
    SerializedConstructor,
    SerializedNotImplemented,
)
from pydantic import ConfigDict

from gemini_embed.adapter import (
    Adapted,
    OptionFields,
    Secret,
    as_list,
    forgetful,
    media_from,
    other_name,
    refuse_unknown,
    shown_url,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike
    from typing import Unpack

    from gemini_embed import Estimate
    from gemini_embed.adapter import Item, Role


class DocumentOptions(TypedDict, total=False):
    """The options of one `aembed_documents`; `embed_documents` says what each means."""

    batch_size: int | None
    task_type: str | None
    titles: Sequence[str | None] | None
    output_dimensionality: int | None


class QueryOptions(TypedDict, total=False):
    """The options of one `aembed_query`; `embed_query` says what each means."""

    task_type: str | None
    output_dimensionality: int | None


class GeminiEmbeddings(Adapted, Serializable, Embeddings, OptionFields):
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
    google_api_key: Secret | None = None
    batch_size: int | None = None
    request_options: dict[str, Any] | None = None
    show_progress: bool = False

    # `extra` is for the mypy plugin, which finds what LangChain's base class says first.
    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    _spellings: ClassVar[Mapping[str, str]] = {
        "api_key": "google_api_key",
        "dimensions": "output_dimensionality",
    }

    if TYPE_CHECKING:  # checkers read the constructor's names from the fields
        api_key: Secret | None = None
        dimensions: int | None = None
    else:
        api_key = other_name("google_api_key")
        dimensions = other_name("output_dimensionality")

        @forgetful
        def __init__(self, **options: Any) -> None:
            held = options.get("request_options") or {}
            refuse_unknown(held, ["timeout"], owner="request_options")
            inside = [("timeout", f"request_options[{name!r}]", held[name]) for name in held]
            self._build(options, inside)

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
        return self._lists(
            texts,
            role="document",
            task_type=task_type,
            titles=titles,
            output_dimensionality=output_dimensionality,
            batch_size=batch_size,
            show_progress=self.show_progress,
        )

    async def aembed_documents(
        self, texts: list[str], **call: Unpack[DocumentOptions]
    ) -> list[list[float]]:
        """Return one vector per text, in order; the async twin of `embed_documents`."""
        return await self._alists(texts, role="document", show_progress=self.show_progress, **call)

    def embed_image(
        self, uris: Sequence[str | PathLike[str]], *, output_dimensionality: int | None = None
    ) -> list[list[float]]:
        """Return one vector per picture, in order: Chroma and LanceDB look for this method.

        Args:
            uris: Paths, or `data:` or `gs://` URIs. Other media are taken as well.
            output_dimensionality: For this call.

        Raises:
            InvalidInputError: Says which cannot be read, or is no medium that the service takes.
        """
        listed = as_list(uris, "uris", "paths or URIs")
        items = [media_from(uri, index) for index, uri in enumerate(listed)]
        return self.embed_media(items, output_dimensionality=output_dimensionality)

    def embed_media(
        self, items: Sequence[Item], *, role: Role = "document", **call: Unpack[DocumentOptions]
    ) -> list[list[float]]:
        """Return one vector per item, in order.

        Args:
            items: Texts, `gemini_embed.Media` and what else `gemini_embed.GeminiEmbedder.embed`
                takes; a list that holds a medium is one item, and has one vector.
            role: Whether the texts among them are `"document"` or `"query"`.
            **call: The options of `embed_documents`; titles are of texts alone.

        Raises:
            InvalidInputError: Says which item cannot be embedded, and why.
            GeminiEmbedError: What the service did wrong; `error.partial` holds what is done.
        """
        shown = self.show_progress
        return self._lists(items, takes_media=True, role=role, show_progress=shown, **call)

    async def aembed_media(
        self, items: Sequence[Item], *, role: Role = "document", **call: Unpack[DocumentOptions]
    ) -> list[list[float]]:
        """Return one vector per item, in order; the async twin of `embed_media`."""
        shown = self.show_progress
        return await self._alists(items, takes_media=True, role=role, show_progress=shown, **call)

    def estimate(self, texts: Sequence[Item], **call: Unpack[DocumentOptions]) -> Estimate:
        """Return what embedding texts or media would take, and send nothing."""
        return self._embedder.estimate(texts, role="document", **call)

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
        return self._lists(
            [text],
            role="query",
            task_type=task_type,
            titles=[title],
            output_dimensionality=output_dimensionality,
        )[0]

    async def aembed_query(
        self, text: str, *, title: str | None = None, **call: Unpack[QueryOptions]
    ) -> list[float]:
        """Return the vector of a query; the async twin of `embed_query`."""
        return (await self._alists([text], role="query", titles=[title], **call))[0]
