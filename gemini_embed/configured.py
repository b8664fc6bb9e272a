"""What follows from an embedder's options: model, service, cache, fingerprint, contents.

Sends nothing.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from gemini_embed.ask import Ask, Backend
from gemini_embed.contents import Inputs, Unseen
from gemini_embed.credentials import find_key
from gemini_embed.errors import ConfigurationError
from gemini_embed.fingerprint import fingerprint
from gemini_embed.inputs import check_part, check_texts, check_titles
from gemini_embed.long_inputs import Draft
from gemini_embed.media.composition import Composition, rules_of
from gemini_embed.model_names import find_model
from gemini_embed.models import check_dimension, must_normalize, route_of, warn_of_status
from gemini_embed.notices import warn
from gemini_embed.options import Options
from gemini_embed.results import Wanted
from gemini_embed.service.access import access_of, service_of
from gemini_embed.service.backend import (
    choose_backend,
    own_address,
    sdk_version,
    with_location,
)
from gemini_embed.service_address import (
    address_of_client,
    gateway_of,
    read_address,
    warn_of_plain_http,
)
from gemini_embed.tasks import TITLED, content_for, parse_task_type

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from gemini_embed.ask import Service
    from gemini_embed.cache.guard import GuardedCache
    from gemini_embed.contents import Content, TaskType
    from gemini_embed.long_inputs import LongTexts
    from gemini_embed.media import Fused, Item
    from gemini_embed.media.composition import Looks
    from gemini_embed.service_address import ServiceAddress


class Configured(Options):
    """Options, and what they mean: the model, the service, the fingerprint."""

    def __post_init__(self) -> None:
        super().__post_init__()
        backend = self._chosen_backend()
        if self.count_tokens == "api" and backend.name == "vertex":
            raise ConfigurationError(
                'count_tokens="api" works with the Gemini API only: Vertex AI counts no tokens for '
                'embedding models; use "estimate", or give a function that counts'
            )
        self._elsewhere = self._find_address(backend)
        self._settled: Service | None = None
        self._row = find_model(
            self.model, behaves_like=self.behaves_like, elsewhere=self._is_elsewhere
        )
        key = find_key(self.api_key)
        self._backend = with_location(
            backend,
            self._row,
            project=self.project,
            location=self.location,
            express=key is not None and key.is_own,
        )
        if backend.name == "vertex" and key is not None and not key.is_own:
            self.api_key = None  # the environment's: looked for again when it is needed
        self._purpose: TaskType | None = parse_task_type(self.task_type)
        check_dimension(self._row, self.output_dimensionality)
        warn_of_status(self._row, backend.name)
        self._cache = self._find_cache()
        self._built = True

    def _find_address(self, backend: Backend) -> ServiceAddress | None:
        if self.client is not None:
            found = address_of_client(self.client)
        else:
            found = read_address(self.base_url, "base_url") or gateway_of(backend.name)
        if found is not None:
            warn_of_plain_http(found)
        return found

    def _find_cache(self) -> GuardedCache | None:
        found: GuardedCache | None = None
        if self.cache is not None and self.cache is not False:
            from gemini_embed.cache import cache_of  # noqa: PLC0415 - loads sqlite3

            found = cache_of(self.cache)
            if self.client and not (self._elsewhere or self.service_name):
                raise ConfigurationError(
                    "cache needs service_name here: this client does not say which service it asks"
                )
        if self.cache_full_dimension and not (found and self._row.nested):
            raise ConfigurationError(
                "cache_full_dimension needs a cache, and a model whose smaller vectors are the "
                "beginning of the full one"
            )
        return found

    @property
    def _is_elsewhere(self) -> bool:
        """Whether another service than Google's own is asked."""
        if self._elsewhere is None:
            return self.client is not None
        return not self._elsewhere.is_google

    @property
    def _service(self) -> Service:
        """The service, as keys and fingerprints name it: found when it is first needed.

        Until then the environment may still get an address, as it may get a key.
        """
        if self._settled is None:
            if self._elsewhere is None:
                self._elsewhere = self._find_address(self._backend)
            self._settled = service_of(self, self._row, self._elsewhere, self._backend.name)
        return self._settled

    @cached_property
    def _address(self) -> str | None:
        """The address that is asked, as far as it is known before anything is sent."""
        if self._elsewhere is not None:
            return self._elsewhere.normal
        if self.client is not None:
            return None
        return own_address(access_of(self, self._backend, None).backend)

    def _chosen_backend(self) -> Backend:
        if self.client is not None:
            is_vertex = bool(getattr(self.client, "vertexai", False))
            return Backend("vertex" if is_vertex else "gemini", "client")
        return choose_backend(
            vertexai=self.vertexai,
            project=self.project,
            location=self.location,
            credentials=self.credentials,
        )

    def _inputs(
        self,
        items: Iterable[Item],
        titles: Sequence[str | None] | None,
        task: TaskType,
        long: LongTexts,
        first: int,
        *,
        takes_media: bool,
    ) -> Inputs:
        """Return what is sent for each item, once all of them are checked.

        Their places begin at `first`.
        """
        others: dict[int, Fused] = {}
        checked = check_texts(
            items,
            on_blank=self.on_blank,
            on_surrogate=self.on_surrogate,
            first=first,
            others=others if takes_media else None,
        )
        named = check_titles(titles, len(checked), on_surrogate=self.on_surrogate, first=first)
        if task != TITLED and any(named):
            warn(f"titles are ignored: {task} takes none")
        row, task_prefix = self._row, self.task_prefix
        contents = [
            content_for(text, task=task, title=title, model=row, task_prefix=task_prefix)
            for text, title in zip(checked, named, strict=True)
        ]

        def piece(place: int, text: str) -> Content:
            title = named[place - first]
            return content_for(text, task=task, title=title, model=row, task_prefix=task_prefix)

        draft = Draft(contents, checked, piece, first)
        if not others:
            return long.inputs(draft)
        titled = {place for place in others if named[place - first]}
        return self._unseen(draft, others, long, titled if task == TITLED else ())

    def _unseen(
        self,
        draft: Draft,
        others: Mapping[int, Fused],
        long: LongTexts,
        titled: Collection[int],
    ) -> Inputs:
        """Return what is sent once the media in some of the items are looked at."""
        rules = rules_of(self._row, self._backend.name, others)
        fused = Composition(
            others,
            rules,
            partial(check_part, on_blank=self.on_blank, on_surrogate=self.on_surrogate),
            caption=draft.piece if self.caption_prefix else None,
            text=draft.piece,
        )

        if not all(map(fused.takes_title, titled)):
            warn("titles of media are ignored: only what has a text with its prefix takes one")

        def settle(looks: Looks) -> Inputs:
            made = fused.contents(looks)
            places = enumerate(draft.contents, draft.first)
            contents = [made.get(place, one) for place, one in places]
            inputs = long.of_media(made, long.inputs(draft._replace(contents=contents)))
            unkept = {one for one in made.values() if not (self.cache_uris or one.is_cacheable)}
            return inputs._replace(have_media=True, unkept=frozenset(unkept))

        return draft.inputs._replace(unseen=Unseen(fused.look, settle))

    def _ask(self, output_dimensionality: int | None, *, may_cut: bool) -> Ask:
        """Return what a call asks for, whose vectors have so many numbers; None for all."""
        return Ask(
            model=self._row,
            backend=self._backend,
            service=self._service,
            route=route_of(self._row, self._backend.name, sdk_version=sdk_version()),
            output_dimensionality=None if self.cache_full_dimension else output_dimensionality,
            may_cut=may_cut,
        )

    def _wanted(self, output_dimensionality: int | None, *, as_lists: bool) -> Wanted:
        """Return what a call wants of each vector; `_ask` says what the number is."""
        dimension = output_dimensionality or self._row.dimension
        return Wanted(
            dimension,
            normalize=must_normalize(self.normalize, model=self._row, dimension=dimension),
            as_lists=as_lists,
            normalize_means=self.normalize is not False,
        )

    def __setattr__(self, name: str, value: object) -> None:
        # A half-changed embedder would send to one model and be taken for another.
        if getattr(self, "_built", False) and not name.startswith("_"):
            raise AttributeError(
                f"{name} is fixed once an embedder is built; make another: "
                f"dataclasses.replace(embedder, {name}=...)"
            )
        super().__setattr__(name, value)

    @property
    def fingerprint(self) -> str:
        """All that shapes a vector but the text: see `gemini_embed.fingerprint`.

        Stable across processes and releases; for the embedder's own settings, not for what a
        single call asks for. Keep it beside an index, and compare with `check_fingerprint`.
        """
        return self._fingerprint(self._row.name, self._service.name)

    @property
    def former_fingerprints(self) -> tuple[str, ...]:
        """What release 0.1 called the same settings; `check_fingerprint` takes it, too."""
        return tuple(self._fingerprint(*former) for former in self._service.former)

    def _fingerprint(self, name: str, service: str | None) -> str:
        dimension = self.output_dimensionality or self._row.dimension
        is_split = self.on_long == "split"
        whole = self._row.normalized == "always" or dimension == self._row.dimension
        return fingerprint(
            replace(self._row, name=name),
            dimension=dimension,
            purpose=self._purpose,
            task_prefix=self.task_prefix,
            # Nobody but us would normalise a mean.
            normalized=self.normalize is not False
            if is_split
            else whole or must_normalize(self.normalize, model=self._row, dimension=dimension),
            is_split=is_split,
            service=service,
            captions=self.caption_prefix,
        )

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.shown)
        return f"{type(self).__name__}({shown})"

    @property
    def shown(self) -> list[tuple[str, object]]:
        """What a repr shows: which model, for what, and which service."""
        elsewhere = self._elsewhere and self._elsewhere.normal
        values = {
            "model": self.model,
            "behaves_like": self.behaves_like,
            "task_type": self.task_type,
            "output_dimensionality": self.output_dimensionality,
            "backend": str(self._backend),
            "base_url": elsewhere,
        }
        return [(name, value) for name, value in values.items() if value is not None]
