"""Names of models: which row of the table is meant, whatever stands in front. No I/O."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gemini_embed.errors import ConfigurationError
from gemini_embed.models import MODELS, NEWEST, ONE_BY_ONE, Serving
from gemini_embed.notices import warn

if TYPE_CHECKING:
    from gemini_embed.models import Model

_KNOWN = f"known models: {', '.join(sorted(MODELS))}"

_PREFIXES = ("publishers/google/models/", "models/")


def bare_name(name: str) -> str:
    """Return a model's name without Google's resource path in front of it."""
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def known_id(name: str) -> str | None:
    """Return the known id that a name ends in, whatever path stands in front; None for others.

    The id is the whole last part of the path, a version (`@001`) apart: `google/ID`,
    `projects/.../models/ID`, but not `my-ID`.
    """
    last = _last_part(name)
    return last if last in MODELS and not name.startswith("tunedModels/") else None


def is_path_of_google(name: str) -> bool:
    """Tell whether a known id with this path is, on Vertex AI and for the SDK, the id itself."""
    known = known_id(name)
    return known is not None and name.partition("@")[0].removesuffix(known).endswith(
        ("publishers/google/models/", "google/")
    )


def _last_part(name: str) -> str:
    return name.rpartition("/")[2].partition("@")[0]


def find_model(name: str, *, behaves_like: str | None = None, elsewhere: bool = False) -> Model:
    """Return the row of a model.

    On Google's own service, a name that is not in the table but begins like the newer ones gets the
    newest row, with a warning: Google's next model must not break anybody's program.

    Args:
        name: The model's name; a path that ends in a known id is that id.
        behaves_like: The known model whose row another name follows.
        elsewhere: Whether requests go to another service than Google's, which has names of its own.

    Raises:
        ConfigurationError: The name is unknown and there is no `behaves_like`; or `behaves_like` is
            unknown, or contradicts a known name.
    """
    like = None if behaves_like is None else known_id(behaves_like)
    if behaves_like is not None and like is None:
        raise ConfigurationError(f"behaves_like={behaves_like!r} is not a known model; {_KNOWN}")
    known = known_id(name)
    if known is not None:
        if like not in {None, known}:
            raise ConfigurationError(
                f"{name!r} is {known}; leave behaves_like={behaves_like!r} out"
            )
        return MODELS[known]
    if like is not None:
        return _renamed(MODELS[like], bare_name(name))
    if elsewhere or not _last_part(name).startswith("gemini-embedding-"):
        raise ConfigurationError(
            f"unknown model {name!r}; {_KNOWN}. A name of a gateway's own, or of a tuned model, "
            f'needs the model that it stands for, for instance behaves_like="{NEWEST}"'
        )
    warn(
        f"{_last_part(name)!r} is not a model this release knows; it is treated like {NEWEST} "
        f"(dimension {MODELS[NEWEST].dimension}, task as a prefix of the text)"
    )
    return _renamed(MODELS[NEWEST], _last_part(name))


def _renamed(row: Model, name: str) -> Model:
    """Return the row for a name about which Google has announced nothing."""
    by_name = "gemini" in name or "maas" in name  # older SDKs send these one text at a time
    routes = {**row.vertex.routes, **({(2, 0): ONE_BY_ONE} if by_name else {})}
    return replace(
        row,
        name=name,
        gemini=Serving("available"),
        vertex=replace(row.vertex, status="available", shutdown=None, routes=routes),
        successor=None,
    )


def former_name(name: str, row: Model, *, elsewhere: bool) -> str | None:
    """Return what release 0.1 called a model in keys and fingerprints.

    None where it embedded in another way then: behind a gateway, it treated every path that it did
    not know like the newest model.
    """
    bare = bare_name(name)
    then = MODELS.get(bare) or _renamed(MODELS[NEWEST], bare)
    same = (then.task, then.dimension, then.normalized) == (row.task, row.dimension, row.normalized)
    return bare if same and (elsewhere or bare == row.name) else None
