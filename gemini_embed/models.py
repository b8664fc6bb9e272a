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
from gemini_embed.media_facts import ON_GEMINI, ON_VERTEX
from gemini_embed.notices import warn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gemini_embed.media_facts import MediaFacts

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

    method: Literal["batchEmbedContents", "embedContent", "predict", "countTokens"]
    texts: int
    tokens: float = math.inf


TEXTS_PER_REQUEST = 100
"""The most texts of one batchEmbedContents; 101 are answered with 400."""

BATCH = Route("batchEmbedContents", TEXTS_PER_REQUEST)
"""The Gemini API's route for every model. Vertex AI documents no other limit for it."""

ONE_BY_ONE = Route("embedContent", 1)
"""The route of older SDKs on Vertex AI for most names."""

COUNT = Route("countTokens", 1)
"""How many tokens a text has: of the Gemini API alone."""

_PREDICT = Route("predict", 250, 20_000)
_PREDICT_001 = Route("predict", 250)  # one text only until 2025; a refusal still says so


@dataclass(frozen=True, slots=True)
class Serving:
    """How one of Google's services serves a model.

    Attributes:
        status: Whether it does.
        shutdown: The day Google shut the model down there, or will; None where none is set.
        routes: The version of the SDK from which on it takes a route -> that route.
        location: On Vertex AI, the location where none is given.
        only_in: On Vertex AI, the only locations that serve the model; empty where many do.
        batches_in: On Vertex AI, the locations that are documented for its batches; empty where it
            has none, or in another form.
        media: What it takes beside text; None for nothing.
    """

    status: Status
    shutdown: str | None = None
    routes: Mapping[tuple[int, int], Route] = field(default_factory=lambda: {(2, 0): BATCH})
    location: str = "us-central1"
    only_in: tuple[str, ...] = ()
    batches_in: tuple[str, ...] = ()
    media: MediaFacts | None = None

    @property
    def is_on(self) -> bool:
        """Whether the model can be asked for."""
        return self.status in ("available", "preview")

    def days_left(self, today: date | None) -> float:
        """Return how many days are left until the shutdown; below 0 after it."""
        if self.shutdown is None:
            return math.inf
        return (date.fromisoformat(self.shutdown) - (today or datetime.now(UTC).date())).days


_NEVER_ON_VERTEX = Serving("never", routes={})


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
        gemini: How the Gemini API serves it.
        vertex: How Vertex AI serves it.
        successor: The model to move to. Vectors of two models cannot be mixed.
    """

    name: str
    dimension: int
    resizable: bool
    max_input_tokens: int
    task: Literal["field", "prefix"]
    normalized: Literal["always", "native"]
    nested: bool = False
    gemini: Serving
    vertex: Serving
    successor: str | None = None

    def on(self, backend: BackendName) -> Serving:
        """Return how a service serves it."""
        return self.gemini if backend == "gemini" else self.vertex


NEWEST = "gemini-embedding-2"

_TWO = Model(
    name=NEWEST,
    dimension=3072,
    resizable=True,
    max_input_tokens=8192,
    task="prefix",
    normalized="always",
    nested=True,
    gemini=Serving("available", media=ON_GEMINI),
    vertex=Serving(
        "available",
        routes={(2, 0): ONE_BY_ONE, (3, 4): BATCH},
        location="global",
        only_in=("global", "us", "eu"),
        batches_in=("global", "us", "eu"),
        media=ON_VERTEX,
    ),
)

MODELS: dict[str, Model] = {
    row.name: row
    for row in (
        _TWO,
        replace(
            _TWO,
            name="gemini-embedding-2-preview",
            gemini=Serving("retired", "2026-08-10", media=ON_GEMINI),
            vertex=replace(_TWO.vertex, status="preview", batches_in=()),
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
            gemini=Serving("available", "2028-05-14"),
            vertex=Serving(
                "available",
                "2028-05-20",
                routes={(2, 0): _PREDICT_001, (3, 4): BATCH},
                location="global",
                batches_in=(
                    *("us-central1", "us-east1", "us-east4", "us-west1", "us-west4"),
                    *("europe-west1", "europe-west4"),
                ),
            ),
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
            gemini=Serving("retired", "2025-10-30"),
            vertex=_NEVER_ON_VERTEX,
            successor="gemini-embedding-001",
        ),
        Model(
            name="text-embedding-005",
            dimension=768,
            resizable=True,
            max_input_tokens=2048,
            task="field",
            normalized="native",
            gemini=Serving("never"),
            vertex=Serving("available", "2027-04-01", routes={(2, 0): _PREDICT, (3, 4): _PREDICT}),
            successor="gemini-embedding-001",
        ),
        Model(
            name="text-embedding-004",
            dimension=768,
            resizable=True,
            max_input_tokens=2048,
            task="field",
            normalized="native",
            gemini=Serving("retired", "2026-01-14"),
            vertex=Serving("available", "2027-04-01", routes={(2, 0): _PREDICT, (3, 4): _PREDICT}),
            successor="gemini-embedding-001",
        ),
        Model(
            name="embedding-001",
            dimension=768,
            resizable=False,
            max_input_tokens=2048,
            task="field",
            normalized="native",
            gemini=Serving("retired", "2025-10-30"),
            vertex=_NEVER_ON_VERTEX,
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


def route_of(model: Model, backend: BackendName, *, sdk_version: tuple[int, int]) -> Route:
    """Return the route for a model; an SDK newer than the table counts as the newest in it."""
    routes = model.on(backend).routes
    known = [since for since in routes if since <= sdk_version]
    return routes[max(known)] if known else ONE_BY_ONE


NAMES: dict[BackendName, str] = {"gemini": "the Gemini API", "vertex": "Vertex AI"}
"""What each service is called."""


def is_over(model: Model, backend: BackendName, *, today: date | None = None) -> bool:
    """Tell whether a service has shut a model down, by the table or the calendar."""
    serving = model.on(backend)
    return serving.status == "retired" or serving.days_left(today) < 0


def warn_of_status(model: Model, backend: BackendName, *, today: date | None = None) -> None:
    """Warn where the service no longer serves a model, soon will not, or never did."""
    serving = model.on(backend)
    end = serving.shutdown
    moving = (
        f"Move to {model.successor} and embed the index again: vectors of two models cannot be "
        "mixed"
    )
    if serving.status == "retired":
        warn(f"Google shut {model.name} down on {end}; requests will fail. {moving}")
    elif serving.status == "never":
        warn(f"{model.name} is {served_by(model)}; requests will fail")
    elif (left := serving.days_left(today)) <= _NOTICE:
        verb = "shuts" if left >= 0 else "was to shut"  # Google has moved such a day before
        warn(f"Google {verb} {model.name} down on {NAMES[backend]} on {end}. {moving}")


def served_by(model: Model) -> str:
    """Return, in words, which service serves a model that the other one does not."""
    for backend, name in NAMES.items():
        if model.on(backend).is_on:
            other = NAMES["vertex" if backend == "gemini" else "gemini"]
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
