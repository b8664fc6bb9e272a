"""The rows of a run: a content as a line of the service's input, and a line as a content again.

Its key is that of its vector in the cache. A medium that is too large for a row lies in a file of
its own beside the spool, and the line names it by a number until it is uploaded.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from functools import partial
from typing import TYPE_CHECKING, Any

from gemini_embed.contents import Content
from gemini_embed.media.contents import MediaContent, Medium
from gemini_embed.media.value import Media
from gemini_embed.service.media_parts import inline, read_part, referred
from gemini_embed.service.pieces import Pieces, Words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from gemini_embed.models import BackendName

_NESTED = "embed_content_config"
_NAMES: Mapping[BackendName, tuple[str, str, str]] = {
    "gemini": ("taskType", "title", "outputDimensionality"),
    "vertex": ("task_type", "title", "output_dimensionality"),
}
"""How rows name the options of a content. Of Vertex AI it is what Google's page on its batches
shows."""

_KEPT = "kept:"
_KEPT_MEDIUM = re.compile(rb'"(mime_?[tT]ype)": "([^"\\]++)", "(file_?[uU]ri)": "kept:(\d+)"')
"""Such a medium in a line, with the names of its format and of its URI. No text of a caller's looks
so: in JSON, its quotes have a backslash."""


def row_of(
    key: str,
    content: Content,
    dimension: int | None,
    backend: BackendName,
    keep: Callable[[Medium], int],
) -> Iterable[bytes]:
    """Return the line of a content, in pieces.

    Args:
        key: Its key.
        content: The content.
        dimension: How many numbers its vector has; None for the model's own.
        backend: For which service.
        keep: Keeps a medium that is too large for a row, and returns its number.

    Raises:
        InvalidInputError: A file cannot be read, or has changed.
    """
    options = _options(content, dimension, backend)
    if not isinstance(content, MediaContent):
        return (_line(key, [{"text": part} for part in content.parts], options),)
    words, within = Words(), content.inline()
    parts = [_part(part, within, backend, words, keep) for part in content.parts]
    line = _line(key, parts, options)
    return Pieces(line, words.bytes_of) if words.bytes_of else (line,)


def _line(key: str, parts: Sequence[Mapping[str, Any]], options: Mapping[str, Any]) -> bytes:
    request = {"content": {"parts": parts}, **options}
    return json.dumps({"key": key, "request": request}, ensure_ascii=False).encode() + b"\n"


def _part(
    part: str | Medium,
    within: Iterable[Medium],
    backend: BackendName,
    words: Words,
    keep: Callable[[Medium], int],
) -> dict[str, Any]:
    if isinstance(part, str):
        return {"text": part}
    if part.media.uri is not None:
        return referred(part, backend, part.media.uri)
    if part in within:
        return inline(part, backend, words.word_for(part.read()))
    return referred(part, backend, f"{_KEPT}{keep(part)}")


def _options(content: Content, dimension: int | None, backend: BackendName) -> dict[str, Any]:
    """Return what stands beside a content in its row: on Vertex AI under one name, if at all."""
    values = (content.task_type, content.title, dimension)
    named = zip(_NAMES[backend], values, strict=True)
    held = {name: value for name, value in named if value is not None}
    return {_NESTED: held} if held and backend == "vertex" else held


def content_of(
    line: bytes,
    backend: BackendName,
    kept: Callable[[int], Path],
    again: Callable[[Media], Medium],
) -> Content:
    """Return the content of a line.

    Args:
        line: The line.
        backend: For which service it is.
        kept: Returns the file of a medium that is too large for a row.
        again: Looks at a medium.
    """
    request: dict[str, Any] = json.loads(line)["request"]
    made = partial(_medium, kept)
    given = [read_part(part, backend, made) for part in request["content"]["parts"]]
    if len(given) == 1 and isinstance(given[0], str):
        options: dict[str, Any] = request.get(_NESTED, request)
        task_type, title, _ = map(options.get, _NAMES[backend])
        return Content.of(given[0], task_type, title)
    return MediaContent.fused([part if isinstance(part, str) else again(part) for part in given])


def _medium(
    kept: Callable[[int], Path], *, data: str | None, uri: str | None, mime_type: str, **clip: Any
) -> Media:
    if data is not None:
        return Media.from_bytes(b64decode(data), mime_type=mime_type, **clip)
    name, mark, number = (uri or "").partition(_KEPT)
    if mark and not name:
        return Media.from_path(kept(int(number)), mime_type=mime_type, **clip)
    return Media.from_uri(uri or "", mime_type=mime_type, allow_urls=True, **clip)


def kept_in(line: bytes) -> dict[int, str]:
    """Return the media of a line that lie in files of their own: the format of each number."""
    if b'": "kept:' not in line:
        return {}
    return {int(one[4]): one[2].decode() for one in _KEPT_MEDIUM.finditer(line)}


def with_uris(line: bytes, uris: Mapping[int, str]) -> bytes:
    """Return a line that names such media by where they lie with the service."""

    def named(found: re.Match[bytes]) -> bytes:
        uri = json.dumps(uris[int(found[4])]).encode()
        return b'"%b": "%b", "%b": %b' % (found[1], found[2], found[3], uri)

    return _KEPT_MEDIUM.sub(named, line)
