"""Recorded traffic between other projects and Google: where it lies, and how it is read.

The recordings are not part of this project; `GEMINI_EMBED_REAL_EXCHANGES` names the folder.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = "GEMINI_EMBED_REAL_EXCHANGES"

_QUOTED = ("error_bodies.json", "error_bodies_2.json")


@dataclass(frozen=True)
class Exchange:
    """One recorded request and its answer, JSON parsed."""

    path: str
    asked: Any
    status: int
    answered: Any
    content_type: str | None

    @property
    def vectors(self) -> list[list[float]]:
        """The vectors of the answer."""
        if "predictions" in self.answered:
            return [entry["embeddings"]["values"] for entry in self.answered["predictions"]]
        single = [self.answered["embedding"]] if "embedding" in self.answered else []
        return [entry["values"] for entry in self.answered.get("embeddings", single)]


def folder_of(environment: Mapping[str, str]) -> Path:
    """Return the folder of recordings; skip where none is named, fail where it is not there."""
    named = environment.get(FOLDER)
    if named is None:
        pytest.skip(f"real recordings are not part of this project; set {FOLDER} to their folder")
    folder = Path(named)
    if not named or not folder.is_dir() or not any(folder.iterdir()):
        pytest.fail(f"{FOLDER} is set, but there are no recordings in {named!r}")
    return folder


def recording(folder: Path, name: str) -> Exchange:
    """Return an exchange: `FILE#2` is the third of a file, `FILE` the last.

    Exchanges before the last of a cassette only fetch an access token.
    """
    file, _, place = name.partition("#")
    return exchanges(folder / file)[int(place or -1)]


@cache
def exchanges(path: Path) -> list[Exchange]:
    """Return the exchanges of a file: of a cassette of vcr's or httpmock's, or gathered ones."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return [_gathered(one) for one in json.loads(text)["exchanges"]]
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    cassette = yaml.load(text, loader)  # noqa: S506 - both are safe
    if "when" in cassette:
        return [_httpmock(cassette)]
    return [_vcr(one) for one in cassette.get("interactions") or cassette["http_interactions"]]


def quoted_refusals(folder: Path) -> list[dict[str, Any]]:
    """Return refusals that users quoted, each with a description of where and when."""
    files = [json.loads((folder / name).read_text(encoding="utf-8")) for name in _QUOTED]
    return [one for file in files for one in file["bodies"]]


def accepted_forms(folder: Path) -> list[dict[str, Any]]:
    """Return forms of a request, each with the status that Google answered it with."""
    beside = json.loads((folder / _QUOTED[1]).read_text(encoding="utf-8"))["accepted_beside_them"]
    return [form for probe in beside for form in probe["forms"]]


def _vcr(one: Mapping[str, Any]) -> Exchange:
    request, response = one["request"], one["response"]
    headers = {name.lower(): values for name, values in response["headers"].items()}
    return Exchange(
        path=urlsplit(request["uri"]).path,
        asked=_body(request),
        status=response["status"]["code"],
        answered=_body(response),
        content_type=headers["content-type"][0],
    )


def _body(message: Mapping[str, Any]) -> Any:
    if "parsed_body" in message:
        return message["parsed_body"]
    body = message["body"]
    text = body if isinstance(body, str) else body["string"]
    try:
        return json.loads(text)
    except ValueError:  # of an access token's request
        return text


def _httpmock(cassette: Mapping[str, Any]) -> Exchange:
    request, response = cassette["when"], cassette["then"]
    headers = {header["name"]: header["value"] for header in response["header"]}
    return Exchange(
        path=request["path"],
        asked=json.loads(request["body"]),
        status=response["status"],
        answered=json.loads(response["body"]),
        content_type=headers["content-type"],
    )


def _gathered(one: Mapping[str, Any]) -> Exchange:
    """Return an exchange as people wrote it down: without headers, and rarely with a path."""
    asked = one["request"]
    path = asked.get("path") or f"/v1beta/{asked['requests'][0]['model']}:batchEmbedContents"
    return Exchange(path, asked, one["status"], one["response"], content_type=None)
