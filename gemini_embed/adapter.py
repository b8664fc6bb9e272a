"""All that the two adapters share, and the only module of the core that they import.

The adapters are pydantic models. From here they get the options as fields, the names that users may
write for each option, the embedder that does the work, vectors as lists, copies, pickles and
closing.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar

from gemini_embed.closing import Closing
from gemini_embed.embedder import GeminiEmbedder
from gemini_embed.errors import ConfigurationError
from gemini_embed.fingerprint import HasFingerprint
from gemini_embed.inputs import ITEMS, as_list
from gemini_embed.media import Fused, Item, Media
from gemini_embed.media.given import parts_of
from gemini_embed.media.strings import media_at, media_from
from gemini_embed.models import NEWEST, TEXTS_PER_REQUEST
from gemini_embed.observe.meter import Metered
from gemini_embed.option_fields import OptionArgs, OptionFields, Secret
from gemini_embed.options import OPTIONS, CallOptions, check_picklable, meant_by_first_release
from gemini_embed.options.checks import number, refuse_unknown, whole
from gemini_embed.redaction import forgetful, shown_url
from gemini_embed.tasks import Role

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from typing import Self, Unpack

    from gemini_embed.observe.meter import Meter
    from gemini_embed.results import ListedResult

__all__ = [
    "ITEMS",
    "NEWEST",
    "TEXTS_PER_REQUEST",
    "Adapted",
    "CallOptions",
    "Fused",
    "HasFingerprint",
    "Item",
    "Media",
    "OptionArgs",
    "OptionFields",
    "Role",
    "Secret",
    "Spelling",
    "as_list",
    "forgetful",
    "media_at",
    "media_from",
    "number",
    "other_name",
    "parts_of",
    "refuse_unknown",
    "shown_url",
    "whole",
]


class AdapterCall(CallOptions, total=False):
    """The options of one call: without `takes_media`, what is no text is refused."""

    takes_media: bool


def other_name(field: str) -> property:
    """Return an attribute that is another name of a field."""
    return property(
        lambda self: getattr(self, field), lambda self, value: setattr(self, field, value)
    )


Spelling = tuple[str, str, Any]
"""A field, the name by which the caller gave its value, and the value."""


def one_value_each(spelled: Iterable[Spelling]) -> dict[str, Any]:
    """Return the one value that all spellings of an option agree on; None says nothing.

    Raises:
        ConfigurationError: Two spellings with different values; the values are not shown,
            since one of them may be a key.
    """
    found: dict[str, tuple[str, Any]] = {}
    for option, spelling, value in spelled:
        if value is None:
            continue
        first, other = found.setdefault(option, (spelling, value))
        if other != value:
            raise ConfigurationError(
                f"{first} and {spelling} mean the same and have different values"
            )
    return {option: value for option, (_, value) in found.items()}


def _by_field(
    given: Mapping[str, Any], spellings: Mapping[str, str], held: Iterable[Spelling] = ()
) -> dict[str, Any]:
    """Return options by the names of their fields, each with the value that its spellings have."""
    named = {name: value for name, value in given.items() if name not in spellings}
    renamed = {name: given[name] for name in spellings if name in given}
    spelled = [(name, name, value) for name, value in named.items()]
    spelled += [(spellings[name], name, value) for name, value in renamed.items()]
    return named | one_value_each([*spelled, *held])


def _is_dump_of_first_release(options: Mapping[str, Any]) -> bool:
    """Tell whether options are those that a dump or a pickle of release 0.1 holds.

    It wrote all of these always; later ones write `on_surrogate`, too.
    """
    always = {"normalize", "task_prefix", "on_blank"}
    return always <= options.keys() and "on_surrogate" not in options


class Adapted(Closing, Metered):
    """What an adapter does beside embedding; it comes first among the bases."""

    _spellings: ClassVar[Mapping[str, str]]
    """The fields of options that have another name, by that name: the core's, or one of users."""

    _core: GeminiEmbedder | None
    model_fields: ClassVar[Any]  # pydantic's
    model_rebuild: ClassVar[Any]  # likewise

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Keep the key a secret, and out of dumps, where a subclass says that it is a string."""
        super().__pydantic_init_subclass__(**kwargs)  # type: ignore[misc] # pydantic's
        name = cls._field("api_key")
        own = cls.model_fields[name]
        bases = (getattr(base, "model_fields", {}) for base in cls.__mro__[1:])
        ours = next((fields[name] for fields in bases if name in fields), own)
        if own.annotation != ours.annotation:
            own.annotation, own.metadata, own.exclude = ours.annotation, ours.metadata, ours.exclude
            cls.model_rebuild(force=True)

    @classmethod
    def _field(cls, option: str) -> str:
        return cls._spellings.get(option, option)

    @classmethod
    def _default(cls, name: str) -> Any:
        """Return the default of a field: a subclass may have one of its own."""
        return cls.model_fields[name].get_default(call_default_factory=True)

    def _build(
        self,
        given: Mapping[str, Any],
        held: Iterable[Spelling] = (),
        *,
        apart: Collection[str] = (),
        refused: Mapping[str, str] | None = None,
    ) -> None:
        """Do the work of a constructor.

        Args:
            given: The options as the caller wrote them.
            held: Options that were inside of other arguments.
            apart: Those arguments, which become no fields.
            refused: Names that are refused, and what to do instead.

        Raises:
            ConfigurationError: An option that is unknown, has two values, or cannot work.
        """
        cls = type(self)
        known = {*cls.model_fields, *cls._spellings, *apart}
        refuse_unknown(given, known, owner=cls.__name__, refused=refused)
        rest = {name: value for name, value in given.items() if name not in apart}
        options = _by_field(rest, cls._spellings, held)
        options |= cls._meant_by_first_release(options)
        credentials = options.get("credentials", cls._default("credentials"))
        if credentials is not None and options.get("vertexai") is None:
            options["vertexai"] = True  # a dump leaves the credentials out
        super().__init__(**options)
        core = self._embedder  # refuses now what cannot work
        vars(self)[self._field("api_key")] = core.api_key  # a subclass may call it a string
        core._given = self._options

    @classmethod
    def _meant_by_first_release(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return what to add to the options in a dump or a pickle of release 0.1."""
        if not _is_dump_of_first_release(options):
            return {}
        return {"behaves_like": meant_by_first_release(options.get(cls._field("model")))}

    @property
    def _options(self) -> dict[str, Any]:
        """The core's options, by its names for them."""
        held, spellings = self.__dict__, self._spellings
        return {name: held[spellings.get(name, name)] for name in OPTIONS}

    @property
    @forgetful
    def embedder(self) -> GeminiEmbedder:
        """The core's embedder, for what only the core has, as `embed_stream`.

        It has the options, quota, cache and counts of this object as they are now. After a field
        was assigned it is a new one, which counts on.
        """
        last, options = self._core, self._options
        if last is not None and last._given == options:
            return last
        shared: dict[str, Any] = {} if last is None else {"_shared": last._shared}
        made = GeminiEmbedder(**options, **shared)
        made._given = options
        if last is not None:
            made._meter = last._meter
        self._core = made
        return made

    _embedder = embedder

    def _lists(self, items: Iterable[Item], **call: Unpack[AdapterCall]) -> list[list[float]]:
        """Embed items, and return plain floats, made while other answers are on their way."""
        core = self._embedder
        result: ListedResult = core._run(core._checked(items, as_lists=True, **call))
        return result.lists

    async def _alists(
        self, items: Iterable[Item], **call: Unpack[AdapterCall]
    ) -> list[list[float]]:
        """Embed items; the async twin of `_lists`."""
        core = self._embedder
        result: ListedResult = await core._arun(core._checked(items, as_lists=True, **call))
        return result.lists

    @property
    def _meter(self) -> Meter:  # type: ignore[override] # it is the embedder's
        return self._embedder._meter

    @property
    def fingerprint(self) -> str:
        """All that shapes a vector but the text: `GeminiEmbedder.fingerprint`."""
        return self._embedder.fingerprint

    @property
    def former_fingerprints(self) -> tuple[str, ...]:
        """What release 0.1 called the same settings; `check_fingerprint` takes it, too."""
        return self._embedder.former_fingerprints

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy, with other options by any of their names.

        Raises:
            ConfigurationError: There is no such option; pydantic would say nothing.
        """
        cls, given = type(self), update or {}
        refuse_unknown(given, {*cls.model_fields, *cls._spellings}, owner=cls.__name__)
        other = _by_field(given, cls._spellings)
        made: Self = super().model_copy(update=other, deep=deep)  # type: ignore[misc] # pydantic's
        return made

    def __copy__(self) -> Self:
        """Return a copy with an embedder of its own, as copies of an embedder are."""
        made: Self = super().__copy__()  # type: ignore[misc] # pydantic's
        if (core := self._core) is not None:
            made._core = copy(core)
            made._core._given = core._given
        return made

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
        """Take what `__getstate__` returned, or release 0.1's, which knew fewer options."""
        held = state["__dict__"]
        held = held | self._meant_by_first_release(held)
        held |= {name: self._default(name) for name in type(self).model_fields.keys() - held.keys()}
        super().__setstate__({**state, "__dict__": held})  # type: ignore[misc] # pydantic's
        if pickled := (state.get("__pydantic_private__") or {}).get("_core"):
            self._core = pickled  # for its quota; LlamaIndex has made a new embedder meanwhile

    def close(self) -> None:
        """Close the connections: see `gemini_embed.GeminiEmbedder.close`."""
        if self._core is not None:
            self._core.close()

    async def aclose(self) -> None:
        """Close the connections; the async twin of `close`."""
        if self._core is not None:
            await self._core.aclose()
