"""One table: a row per model, and in it every fact that differs between models.

Performs no I/O. Sources, read in September to November 2026: the model pages and the
deprecations page of ai.google.dev/gemini-api/docs, the model pages of Vertex AI, and
recorded answers where the pages are silent (who normalises truncated vectors).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Literal

from gemini_embed.errors import ConfigurationError
from gemini_embed.notices import warn

if TYPE_CHECKING:
    from collections.abc import Mapping


BackendName = Literal["gemini", "vertex"]
"""Google's two services: the Gemini API and Vertex AI."""

Status = Literal["available", "preview", "retired", "never"]
"""`never`: this backend has not served the model and does not."""

Normalize = Literal["auto"] | bool
"""Whether vectors are brought to unit length here; `"auto"`: where the service does not."""

_NOTICE = 183
"""Days before a model's end that its users are warned: half a year to embed an index again."""

SMALLEST_ADVISED_DIMENSION = 128
"""Below it Google promises nothing, though the service answers."""


@dataclass(frozen=True, slots=True)
class Route:
    """How a model is asked.

    Attributes:
        method: What the SDK calls for several texts. On Vertex AI it calls `embedContent` for a
            single one where it would call `batchEmbedContents`.
        texts: The most in one request.
        tokens: The most in one request.
    """

    method: Literal["batchEmbedContents", "embedContent", "predict"]
    texts: int
    tokens: float = math.inf


TEXTS_PER_REQUEST = 100
"""The most texts of one batchEmbedContents; 101 are answered with 400."""

BATCH = Route("batchEmbedContents", TEXTS_PER_REQUEST)
"""The Gemini API's way with every model. Vertex AI documents no limit of its own for it."""

_ONE_BY_ONE = Route("embedContent", 1)
_PREDICT = Route("predict", 250, 20_000)
_PREDICT_001 = Route("predict", 250)  # took one text only until 2025; the service then says so


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What is known of one model.

    Attributes:
        name: The id, without `models/` in front.
        dimension: The length of a vector when nothing else is asked for.
        resizable: Whether `output_dimensionality` may ask for less.
        max_input_tokens: Per text. More is cut off by the service, in silence.
        task: How a task is told: in a field of the request, or in the text itself.
        nested: Whether a smaller vector is the beginning of the full one, up to length. Shown
            by recorded answers of the Gemini models.
        normalized: Whether the service returns unit vectors `always`, or only at the
            native `dimension`.
        gemini: Whether the Gemini API serves it.
        vertex: Whether Vertex AI serves it.
        vertex_routes: How Vertex AI is asked, by the SDK's version from which on it asks so.
        vertex_location: Where on Vertex AI to ask for it when nothing else is said.
        vertex_only_in: The only locations there that serve it; empty where many do.
        shutdown: The day Google shut it down on the Gemini API, or will; None where none is set.
        vertex_shutdown: The same on Vertex AI.
        successor: What to move to. Vectors of two models cannot be mixed.
    """

    name: str
    dimension: int
    resizable: bool
    max_input_tokens: int
    task: Literal["field", "prefix"]
    normalized: Literal["always", "native"]
    nested: bool = False
    gemini: Status
    vertex: Status
    vertex_routes: Mapping[tuple[int, int], Route] = field(default_factory=dict)
    vertex_location: str = "us-central1"
    vertex_only_in: tuple[str, ...] = ()
    shutdown: str | None = None
    vertex_shutdown: str | None = None
    successor: str | None = None


NEWEST = "gemini-embedding-2"

MODELS: dict[str, Model] = {
    row.name: row
    for row in (
        Model(
            name="gemini-embedding-2",
            dimension=3072,
            resizable=True,
            max_input_tokens=8192,
            task="prefix",
            normalized="always",
            nested=True,
            gemini="available",
            vertex="available",
            vertex_routes={(2, 0): _ONE_BY_ONE, (3, 4): BATCH},
            vertex_location="global",
            vertex_only_in=("global", "us", "eu"),
        ),
        Model(
            name="gemini-embedding-2-preview",
            dimension=3072,
            resizable=True,
            max_input_tokens=8192,
            task="prefix",
            normalized="always",
            nested=True,
            gemini="retired",
            vertex="preview",
            vertex_routes={(2, 0): _ONE_BY_ONE, (3, 4): BATCH},
            vertex_location="global",
            vertex_only_in=("global", "us", "eu"),
            shutdown="2026-08-10",
            successor=NEWEST,
        ),
        Model(
            name="gemini-embedding-001",
            dimension=3072,
            resizable=True,
            max_input_tokens=2048,
            task="field",
            normalized="native",
            nested=True,
            gemini="available",
            vertex="available",
            vertex_routes={(2, 0): _PREDICT_001, (3, 4): BATCH},
            vertex_location="global",
            shutdown="2028-05-14",
            vertex_shutdown="2028-05-20",
            successor=NEWEST,
        ),
        Model(
            name="gemini-embedding-exp-03-07",
            dimension=3072,
            resizable=True,
            max_input_tokens=8192,
            task="field",
            normalized="native",
            nested=True,
            gemini="retired",
            vertex="never",
            shutdown="2025-10-30",
            successor="gemini-embedding-001",
        ),
        Model(
            name="text-embedding-005",
            dimension=768,
            resizable=True,
            max_input_tokens=2048,
            task="field",
            normalized="native",
            gemini="never",
            vertex="available",
            vertex_routes={(2, 0): _PREDICT, (3, 4): _PREDICT},
            vertex_shutdown="2027-04-01",
            successor="gemini-embedding-001",
        ),
        Model(
            name="text-embedding-004",
            dimension=768,
            resizable=True,
            max_input_tokens=2048,
            task="field",
            normalized="native",
            gemini="retired",
            vertex="available",
            vertex_routes={(2, 0): _PREDICT, (3, 4): _PREDICT},
            shutdown="2026-01-14",
            vertex_shutdown="2027-04-01",
            successor="gemini-embedding-001",
        ),
        Model(
            name="embedding-001",
            dimension=768,
            resizable=False,
            max_input_tokens=2048,
            task="field",
            normalized="native",
            gemini="retired",
            vertex="never",
            shutdown="2025-10-30",
            successor="gemini-embedding-001",
        ),
    )
}
_LIKE = {
    "gemini-embedding-exp": "gemini-embedding-exp-03-07",
    "text-multilingual-embedding-002": "text-embedding-005",
}
"""Another id -> the one that it shares every fact of this table with."""

MODELS.update({name: replace(MODELS[like], name=name) for name, like in _LIKE.items()})
_KNOWN = f"known models: {', '.join(sorted(MODELS))}"

_PREFIXES = ("publishers/google/models/", "models/")


def bare_name(name: str) -> str:
    """Return a model's name without Google's resource path that may stand in front of it."""
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
    """Tell whether Vertex AI, and the SDK there, take a known id for the same with this path."""
    known = known_id(name)
    return known is not None and name.partition("@")[0].removesuffix(known).endswith(
        ("publishers/google/models/", "google/")
    )


def _last_part(name: str) -> str:
    return name.rpartition("/")[2].partition("@")[0]


def find_model(name: str, *, behaves_like: str | None = None, elsewhere: bool = False) -> Model:
    """Return the row of a model.

    A name that is not in the table but begins like Google's newer ones follows the newest row on
    Google's own service, with one warning: a new release must not break a chain.

    Args:
        name: The model's name; a path that ends in a known id is that id.
        behaves_like: The known model whose row another name follows.
        elsewhere: Whether another service than Google's own is asked, whose names are its own.

    Raises:
        ConfigurationError: Unknown name, and no word of which model it behaves like; or a
            `behaves_like` that is unknown or contradicts a known name.
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
        f"(dimension {MODELS[NEWEST].dimension}, task told by a prefix in the text)"
    )
    return _renamed(MODELS[NEWEST], _last_part(name))


def _renamed(row: Model, name: str) -> Model:
    """Return the row for a name of which Google has announced nothing."""
    by_name = "gemini" in name or "maas" in name  # the older SDK goes by these, one text at a time
    return replace(
        row,
        name=name,
        vertex_routes={**row.vertex_routes, **({(2, 0): _ONE_BY_ONE} if by_name else {})},
        gemini="available",
        vertex="available",
        shutdown=None,
        vertex_shutdown=None,
        successor=None,
    )


def former_name(name: str, row: Model, *, elsewhere: bool) -> str | None:
    """Return what release 0.1 called a model in keys and fingerprints.

    None where it embedded otherwise then: it took every path that it did not know for the newest
    model's, behind a gateway.
    """
    bare = bare_name(name)
    then = MODELS.get(bare) or _renamed(MODELS[NEWEST], bare)
    same = (then.task, then.dimension, then.normalized) == (row.task, row.dimension, row.normalized)
    return bare if same and (elsewhere or bare == row.name) else None


def check_dimension(model: Model, dimension: int | None) -> None:
    """Refuse a dimension the model cannot give, and warn below 128.

    Raises:
        ConfigurationError: Not from 1 to the model's native dimension, or the model has one
            dimension only.
    """
    if dimension is None:
        return
    if not model.resizable and dimension != model.dimension:
        raise ConfigurationError(
            f"{model.name} gives {model.dimension} dimensions only; "
            f"output_dimensionality={dimension} cannot be asked for"
        )
    if not 1 <= dimension <= model.dimension:
        raise ConfigurationError(
            f"output_dimensionality={dimension}: {model.name} gives 1 to {model.dimension}"
        )
    if dimension < SMALLEST_ADVISED_DIMENSION:
        warn(
            f"output_dimensionality={dimension} is below {SMALLEST_ADVISED_DIMENSION}, "
            "the smallest that Google documents"
        )


def status_of(model: Model, backend: BackendName) -> Status:
    """Return whether a service serves a model."""
    return model.gemini if backend == "gemini" else model.vertex


def route_of(model: Model, backend: BackendName, *, sdk_version: tuple[int, int]) -> Route:
    """Return how a service is asked for a model; one after the newest SDK is taken for it."""
    if backend == "gemini":
        return BATCH
    known = [since for since in model.vertex_routes if since <= sdk_version]
    return model.vertex_routes[max(known)] if known else _ONE_BY_ONE


_NAMES: dict[BackendName, str] = {"gemini": "the Gemini API", "vertex": "Vertex AI"}


def end_of(model: Model, backend: BackendName) -> str | None:
    """Return the day Google shut a model down on a service, or will, where one is set."""
    return model.shutdown if backend == "gemini" else model.vertex_shutdown


def is_over(model: Model, backend: BackendName, *, today: date | None = None) -> bool:
    """Tell whether the day a service shuts a model down has come, by the table or the calendar."""
    return status_of(model, backend) == "retired" or _days_left(model, backend, today) < 0


def warn_of_status(model: Model, backend: BackendName, *, today: date | None = None) -> None:
    """Warn once where the service no longer serves a model, soon will not, or never did."""
    status, end = status_of(model, backend), end_of(model, backend)
    moving = (
        f"Move to {model.successor} and embed the index again: vectors of two models cannot be "
        "mixed"
    )
    if status == "retired":
        warn(f"Google shut {model.name} down on {end}; requests will fail. {moving}")
    elif status == "never":
        warn(f"{model.name} is {served_by(model)}; requests will fail")
    elif (left := _days_left(model, backend, today)) <= _NOTICE:
        verb = "shuts" if left >= 0 else "was to shut"  # it has moved such a day before
        warn(f"Google {verb} {model.name} down on {_NAMES[backend]} on {end}. {moving}")


def _days_left(model: Model, backend: BackendName, today: date | None) -> float:
    end = end_of(model, backend)
    if end is None:
        return math.inf
    return (date.fromisoformat(end) - (today or datetime.now(UTC).date())).days


def served_by(model: Model) -> str:
    """Return, in words, which service serves a model that the other one does not."""
    for backend, name in _NAMES.items():
        if status_of(model, backend) in ("available", "preview"):
            other = _NAMES["vertex" if backend == "gemini" else "gemini"]
            return f"served by {name}, not by {other}"
    return "not served any more" + (f"; move to {model.successor}" if model.successor else "")


def must_normalize(normalize: Normalize, *, model: Model, dimension: int) -> bool:
    """Tell whether vectors of `dimension` need to be brought to unit length here.

    `"auto"`: where the service does not do it. gemini-embedding-001 below 3072 dimensions
    comes back as a bare prefix, of length 0.57 at 768.
    """
    if normalize != "auto":
        return normalize
    return model.normalized == "native" and dimension != model.dimension
