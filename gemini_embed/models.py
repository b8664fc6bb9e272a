"""The table of models: a row for each, with every fact in which models differ.

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
"""`never`: the service has never served the model."""

Normalize = Literal["auto"] | bool
"""Whether we normalise vectors; `"auto"`: where the service does not."""

_NOTICE = 183
"""Days before a model is shut down from which on its users are warned: half a year."""

SMALLEST_ADVISED_DIMENSION = 128
"""The smallest that Google documents; the service answers smaller ones too."""


@dataclass(frozen=True, slots=True)
class Route:
    """How requests for a model are made.

    Attributes:
        method: The API's method for several texts. On Vertex AI the SDK calls `embedContent` for
            a single one where it would call `batchEmbedContents`.
        texts: The most texts in one request.
        tokens: The most tokens in one request.
    """

    method: Literal["batchEmbedContents", "embedContent", "predict"]
    texts: int
    tokens: float = math.inf


TEXTS_PER_REQUEST = 100
"""The most texts of one batchEmbedContents; 101 are answered with 400."""

BATCH = Route("batchEmbedContents", TEXTS_PER_REQUEST)
"""The Gemini API's route for every model. Vertex AI documents no other limit for it."""

_ONE_BY_ONE = Route("embedContent", 1)
_PREDICT = Route("predict", 250, 20_000)
_PREDICT_001 = Route("predict", 250)  # one text only until 2025; a refusal still says so


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What is known of one model.

    Attributes:
        name: The id, without `models/` in front.
        dimension: The length of a vector where no other is asked for.
        resizable: Whether `output_dimensionality` may ask for less.
        max_input_tokens: Of one text. The service cuts longer ones off, in silence.
        task: How the task reaches the model: in a field of the request, or as a prefix of the text.
        nested: Whether a smaller vector has the direction of the full one's beginning, as recorded
            answers of the Gemini models show.
        normalized: Whether the service returns unit vectors `always`, or only at the
            native `dimension`.
        gemini: Whether the Gemini API serves it.
        vertex: Whether Vertex AI serves it.
        vertex_routes: The version of the SDK from which on it takes a route -> that route.
        vertex_location: The location on Vertex AI where none is given.
        vertex_only_in: The only locations that serve it; empty where many do.
        shutdown: The day Google shut it down on the Gemini API, or will; None where none is set.
        vertex_shutdown: The same on Vertex AI.
        successor: The model to move to. Vectors of two models cannot be mixed.
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
"""Another id -> the id of the row that holds for it too."""

MODELS.update({name: replace(MODELS[like], name=name) for name, like in _LIKE.items()})
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

    None where it embedded in another way then: behind a gateway, it treated every path that it did
    not know like the newest model.
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
    """Return the route for a model; an SDK newer than the table counts as the newest in it."""
    if backend == "gemini":
        return BATCH
    known = [since for since in model.vertex_routes if since <= sdk_version]
    return model.vertex_routes[max(known)] if known else _ONE_BY_ONE


_NAMES: dict[BackendName, str] = {"gemini": "the Gemini API", "vertex": "Vertex AI"}


def end_of(model: Model, backend: BackendName) -> str | None:
    """Return the day Google shut a model down on a service, or will, where one is set."""
    return model.shutdown if backend == "gemini" else model.vertex_shutdown


def is_over(model: Model, backend: BackendName, *, today: date | None = None) -> bool:
    """Tell whether a service has shut a model down, by the table or the calendar."""
    return status_of(model, backend) == "retired" or _days_left(model, backend, today) < 0


def warn_of_status(model: Model, backend: BackendName, *, today: date | None = None) -> None:
    """Warn where the service no longer serves a model, soon will not, or never did."""
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
        verb = "shuts" if left >= 0 else "was to shut"  # Google has moved such a day before
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
    """Tell whether we have to normalise vectors of `dimension`.

    `"auto"`: where the service does not. gemini-embedding-001 returns the bare beginning of the
    full vector below 3072 dimensions, of length 0.57 at 768.
    """
    if normalize != "auto":
        return normalize
    return model.normalized == "native" and dimension != model.dimension
