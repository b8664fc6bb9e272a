"""From items with media to contents: looked at, checked, and written as they are sent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gemini_embed.errors import ConfigurationError, InvalidInputError
from gemini_embed.media.checks import Rules, check_together, medium_of
from gemini_embed.media.contents import MediaContent, Medium
from gemini_embed.media.files import Look, look_at
from gemini_embed.media.given import at
from gemini_embed.media.value import Fused, Media
from gemini_embed.media_facts import WITH_FILES_API
from gemini_embed.models import NAMES, NEWEST

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from gemini_embed.contents import Content
    from gemini_embed.models import BackendName, Model

    Looks: TypeAlias = Mapping[Media, Look | InvalidInputError | None]
    """What was seen of each medium; None of what lies at a URI."""

    Written: TypeAlias = Callable[[int, str], Content]
    """Returns a text of an item as it is sent with a prefix, by its place."""


def rules_of(model: Model, backend: BackendName, items: Mapping[int, Fused]) -> Rules:
    """Return what holds for the media of a model at a service.

    Raises:
        ConfigurationError: It takes none.
    """
    facts = model.on(backend).media
    if facts is None:
        first = min(items)
        raise ConfigurationError(
            f"{model.name} takes texts alone, each for itself, and item {first} is more than a "
            f"text; {NEWEST} takes media",
            indexes=tuple(items),
            total=first + 1,
        )
    return Rules(facts, f"{model.name} on {NAMES[backend]}", stores_files=backend in WITH_FILES_API)


class Composition:
    """The items of a call that have several parts, or are media.

    Args:
        items: Their parts, by their place.
        rules: What the service takes.
        checked: Returns a text of an item, fit to be sent, by its place.
        caption: How a text beside media is written; None for bare.
        text: How the first of several texts is written that have no media beside them.
    """

    def __init__(
        self,
        items: Mapping[int, Fused],
        rules: Rules,
        checked: Callable[[str, int], str],
        *,
        caption: Written | None,
        text: Written,
    ) -> None:
        self._items = items
        self._rules = rules
        self._checked = checked
        self._caption = caption
        self._text = text

    def takes_title(self, place: int) -> bool:
        """Tell whether the item at a place has a text that is written with a title."""
        parts = self._items[place].parts
        has_media = any(isinstance(one, Media) for one in parts)
        write = self._caption if has_media else self._text
        return write is not None and any(isinstance(one, str) for one in parts)

    def look(self) -> Looks:
        """Look at all media: their first bytes, and what a header says."""
        every = {one for item in self._items.values() for one in item.parts}
        return {media: _seen(media) for media in every if isinstance(media, Media)}

    def contents(self, looks: Looks) -> dict[int, MediaContent]:
        """Return what is sent for each item, by its place.

        Raises:
            InvalidInputError: The first item that the service would not take; says which.
        """
        media: dict[Media, Medium] = {}
        return {place: self._content(place, looks, media) for place in self._items}

    def _content(self, place: int, looks: Looks, known: dict[Media, Medium]) -> MediaContent:
        parts: list[str | Medium] = []
        given = self._items[place].parts
        write = self._caption if any(isinstance(one, Media) for one in given) else self._text
        try:
            for one in given:
                if isinstance(one, Media):
                    parts.append(self._medium(one, looks, known))
                else:
                    text = self._checked(one, place)
                    parts.append(text if write is None else write(place, text).text)
                    write = None  # the first has it for all
            check_together([one for one in parts if isinstance(one, Medium)], self._rules)
        except InvalidInputError as error:
            raise (error if error.index is not None else at(error, place)) from error.__cause__
        return MediaContent.fused(parts)

    def _medium(self, media: Media, looks: Looks, known: dict[Media, Medium]) -> Medium:
        """Return a medium, the same for equal ones, whether their format is declared or found."""
        if (found := known.get(media)) is not None:
            return found
        look = looks[media]
        if isinstance(look, InvalidInputError):
            raise look
        made = medium_of(media, look, self._rules)
        named = replace(media, declared=made.mime_type)
        known[media] = known.setdefault(named, made)
        return known[media]


def seen_again(media: Media, *, model: Model, backend: BackendName) -> Medium:
    """Return a medium that was looked at before, from where it was kept.

    Raises:
        InvalidInputError: It is not what it was.
    """
    look = _seen(media)
    if isinstance(look, InvalidInputError):
        raise look
    return medium_of(media, look, rules_of(model, backend, {0: Fused((media,))}))


def _seen(media: Media) -> Look | InvalidInputError | None:
    if media.source is None:
        return None
    try:
        return look_at(media.source)
    except InvalidInputError as error:
        return error
