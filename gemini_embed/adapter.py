"""What both adapters need of the core: its options' names, one core for them, and closing it."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

from gemini_embed.embedder import GeminiEmbedder
from gemini_embed.errors import ConfigurationError
from gemini_embed.options import check_picklable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic.fields import FieldInfo


def one_value(spellings: Mapping[str, Any]) -> Any:
    """Return the one value that several spellings of an option agree on, None where none is given.

    Raises:
        ConfigurationError: Two spellings with different values; the values are not shown,
            since one of them may be a key.
    """
    given = {name: value for name, value in spellings.items() if value is not None}
    values = iter(given.values())
    first = next(values, None)
    if any(value != first for value in values):
        raise ConfigurationError(f"{' and '.join(given)} mean the same and have different values")
    return first


OPTIONS = frozenset(field.name for field in fields(GeminiEmbedder))
"""The names of all options, for adapters."""


def embedder_for(options: dict[str, Any], last: GeminiEmbedder | None) -> GeminiEmbedder:
    """Return an embedder of these options: the last one if it has them, else a new one.

    For adapters, whose fields may be assigned at any time. A new one goes on counting where
    the last one was, if what it is told of the quota is the same.
    """
    if last is not None and last._given == options:  # noqa: SLF001 - our own class
        return last
    made = GeminiEmbedder(**options)
    made._given = options  # noqa: SLF001 - likewise
    if last is not None and all(
        getattr(last, name) == getattr(made, name)
        for name in ("quota", "requests_per_minute", "tokens_per_minute")
    ):
        made._quota = last._quota  # noqa: SLF001 - likewise
    return made


def is_dump_of_first_release(options: Mapping[str, Any]) -> bool:
    """Tell whether options are those that a dump or a pickle of release 0.1 holds.

    It wrote all of these always; later ones write `on_surrogate`, too.
    """
    always = {"normalize", "task_prefix", "on_blank"}
    return always <= options.keys() and "on_surrogate" not in options


class Adapted:
    """What both adapters, which are pydantic models, have from the core they keep in `_core`."""

    _core: GeminiEmbedder | None
    model_fields: ClassVar[dict[str, FieldInfo]]

    @property
    def _embedder(self) -> GeminiEmbedder:
        """The core for the options as they are now: fields may be assigned at any time."""
        raise NotImplementedError

    @classmethod
    def _default(cls, name: str) -> Any:
        """Return the default of a field: a subclass may have one of its own."""
        return cls.model_fields[name].get_default(call_default_factory=True)

    @property
    def fingerprint(self) -> str:
        """All that shapes a vector but the text: `GeminiEmbedder.fingerprint`."""
        return self._embedder.fingerprint

    @property
    def former_fingerprints(self) -> tuple[str, ...]:
        """What release 0.1 called the same settings; `check_fingerprint` takes it, too."""
        return self._embedder.former_fingerprints

    def __repr_args__(self) -> Iterable[tuple[str, object]]:
        """Show the model and the service, and no secret."""
        try:
            return self._embedder.shown
        except Exception:  # noqa: BLE001 - half built, or options that cannot work
            return []

    def __getstate__(self) -> dict[Any, Any]:
        check_picklable(self.client)  # type: ignore[attr-defined] # a field of both
        state: dict[Any, Any] = super().__getstate__()  # type: ignore[assignment] # pydantic's
        return state

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)  # type: ignore[misc] # pydantic's, or the framework's own
        if pickled := (state.get("__pydantic_private__") or {}).get("_core"):
            self._core = pickled  # whose quota is shared, also where the framework made another

    def close(self) -> None:
        """Close the connections: see `gemini_embed.GeminiEmbedder.close`."""
        if self._core is not None:
            self._core.close()

    async def aclose(self) -> None:
        """Close the connections; the async twin of `close`."""
        if self._core is not None:
            await self._core.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
