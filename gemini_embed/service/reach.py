"""What a batch on Vertex AI needs beside what online calls do, and whether it is there. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gemini_embed.errors import ConfigurationError
from gemini_embed.service.backend import names_location

if TYPE_CHECKING:
    from gemini_embed.models import Model
    from gemini_embed.options import Options
    from gemini_embed.service.access import Access


def check_reach(
    model: Model, *, project: str | None, location: str | None, by_key: bool, bucket: str | None
) -> None:
    """Refuse what no batch can be made with.

    Args:
        model: Whose vectors.
        project: The project of Google Cloud.
        location: Where jobs are to be made.
        by_key: Whether an API key is used, and no credentials.
        bucket: Where files are to be put.

    Raises:
        ConfigurationError: It says all that is missing.
    """
    places = model.vertex.batches_in
    if not places:
        raise ConfigurationError(
            f"gemini-embed makes no batches of {model.name} on Vertex AI: embed its texts online"
        )
    needed = {
        "credentials of Google Cloud in the place of the API key, which opens no bucket": by_key,
        "project": not project,
        f"location, one of {', '.join(places)}": not location,
        'bucket="gs://BUCKET/PREFIX"': bucket is None,
    }
    if missing := [what for what, is_missing in needed.items() if is_missing]:
        raise ConfigurationError(
            "a batch on Vertex AI reads and writes a bucket of Cloud Storage, and is made in a "
            f"project and a location; give {'; and '.join(missing)}"
        )


def place_of(access: Access) -> dict[str, str | None]:
    """Return project and location of Vertex AI, as far as they are known; nothing elsewhere.

    Credentials that are not looked for yet may name the project.
    """
    if access.backend.name != "vertex":
        return {}
    inner = _inner(access)
    if inner is not None:
        return {"project": inner.project, "location": inner.location}
    project = access.backend.project or getattr(access.credentials, "project_id", None)
    return {"project": project, "location": access.backend.location}


def check_before(options: Options, access: Access, model: Model) -> None:
    """Refuse the same before anything is sent, as far as it is known: see `place_of`.

    Raises:
        ConfigurationError: It says all that is missing.
    """
    if "auth" in (access.client_args or {}):
        raise ConfigurationError(
            "client_args has an auth, which takes the place of the access token that opens a bucket"
        )
    place, inner = place_of(access), _inner(access)
    by_key = bool(access.api_key if inner is None else inner.api_key)
    project, location = place["project"], place["location"]
    if project is None and not by_key:
        project = "that of the credentials"
    is_asked_for = inner is not None or names_location(options.location)
    if not is_asked_for and location not in model.vertex.batches_in:
        location = None
    check_reach(model, project=project, location=location, by_key=by_key, bucket=options.bucket)


def _inner(access: Access) -> Any:
    """Return what a caller's client knows; there is no public way to ask it."""
    return getattr(access.client, "_api_client", None)
