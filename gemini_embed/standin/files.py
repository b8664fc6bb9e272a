"""The files that the Files API keeps: on disk, so that no size of them fills the memory."""

from __future__ import annotations

import base64
import hashlib
import tempfile
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gemini_embed.media.files import look_at
from gemini_embed.media.formats import modality_of
from gemini_embed.standin import gemini_errors, google_errors, protojson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEPT = 48 * 3600.0
"""Seconds that an uploaded file is kept."""

GENERATED_KEPT = 42 * 24 * 3600.0
"""Seconds that the results of a job are kept: six weeks."""

MAX_BYTES = 2 * 2**30
"""Of one file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One file.

    Attributes:
        name: `files/` and its id.
        display_name: The caller's name for it; may be empty.
        mime_type: As it was declared.
        size: In bytes; None of what is made while it is downloaded.
        sha256: Of its bytes, in hexadecimal; empty of what is made while it is downloaded.
        created: Seconds since the epoch, by the stand-in's clock.
        path: Where its bytes lie; None of what is made while it is downloaded.
        made: Makes its bytes, of a file of results; None of an uploaded one.
        ready: When the service has prepared it, likewise.
        is_broken: Whether it can make nothing of it then.
    """

    name: str
    display_name: str
    mime_type: str
    size: int | None
    sha256: str
    created: float
    path: Path | None = None
    made: Callable[[], Iterator[bytes]] | None = None
    ready: float = 0.0
    is_broken: bool = False

    def state(self, now: float) -> str:
        """Return how far the service is with it."""
        if now < self.ready:
            return "PROCESSING"
        return "FAILED" if self.is_broken else "ACTIVE"

    @property
    def expires(self) -> float:
        """When it is gone, in seconds since the epoch."""
        return self.created + (GENERATED_KEPT if self.made else KEPT)

    def described(self, base: str, now: float) -> dict[str, Any]:
        """Return it as Google describes a file; `base` is the service's URL with the version."""
        created = protojson.timestamp(self.created)
        told = {
            "name": self.name,
            "displayName": self.display_name,
            "mimeType": self.mime_type,
            "sizeBytes": None if self.size is None else str(self.size),
            "createTime": created,
            "updateTime": created,
            "expirationTime": protojson.timestamp(self.expires),
            "sha256Hash": base64.b64encode(self.sha256.encode()).decode(),
            "uri": f"{base}/{self.name}",
            "downloadUri": f"{base}/{self.name}:download?alt=media" if self.made else None,
            "state": self.state(now),
            "source": "GENERATED" if self.made else "UPLOADED",
        }
        return {name: value for name, value in told.items() if value}


@dataclass(slots=True)
class Upload:
    """A file that comes in pieces. `size` is what was announced, None if nothing was."""

    id: str
    name: str
    display_name: str
    mime_type: str
    size: int | None
    path: Path
    received: int = 0
    _hash: Any = field(default_factory=hashlib.sha256)

    def write(self, piece: bytes) -> None:
        """Keep the next bytes.

        Raises:
            GoogleError: More than a file may have, or than was announced.
        """
        most = MAX_BYTES if self.size is None else min(MAX_BYTES, self.size)
        if self.received + len(piece) > most:  # presumed wording
            raise google_errors.invalid(f"The file has more than {most} bytes.")
        with self.path.open("ab") as file:
            file.write(piece)
        self._hash.update(piece)
        self.received += len(piece)

    def stored(self, now: float, film_seconds: float) -> StoredFile:
        """Return the file that all pieces make; a film is prepared for so many seconds."""
        self.path.touch()
        is_film = modality_of(self.mime_type) == "video"
        return StoredFile(
            name=self.name,
            display_name=self.display_name,
            mime_type=self.mime_type,
            size=self.received,
            sha256=self._hash.hexdigest(),
            created=now,
            path=self.path,
            ready=now + film_seconds if is_film else now,
            is_broken=is_film and look_at(str(self.path)).seconds is None,
        )


class FileStore:
    """Files by their names, for as long as Google keeps them; `clock` says when that is over.

    A film is prepared for `film_seconds`. One of which no header says how long it takes cannot be
    read: which films Google cannot read is not known.
    """

    def __init__(self, clock: Callable[[], float], film_seconds: float = 0.0) -> None:
        self._clock = clock
        self._film_seconds = film_seconds
        self._files: dict[str, StoredFile] = {}
        self._uploads: dict[str, Upload] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def kept(self) -> list[StoredFile]:
        """Return every file that is there now, oldest first."""
        now = self._clock()
        for file in [one for one in self._files.values() if one.expires <= now]:
            self.delete(file.name)
        return list(self._files.values())

    def find(self, name: str) -> StoredFile:
        """Return the file of that name.

        Raises:
            GoogleError: There never was one, or it is gone.
        """
        file = self._files.get(name)
        if file is None or file.expires <= self._clock():
            raise gemini_errors.no_file(name)
        return file

    def by_uri(self, uri: str) -> StoredFile:
        """Return the file that a `fileUri` names: `files/ID`, or a URL that ends so.

        Raises:
            GoogleError: There never was one, it is gone, or it cannot be used.
        """
        file = self.find("/".join(uri.rsplit("/", 2)[-2:]))
        if file.state(self._clock()) != "ACTIVE":
            raise gemini_errors.not_active(file.name)
        return file

    def described(self, file: StoredFile, base: str) -> dict[str, Any]:
        """Return a file as Google describes it now; `base` is as `StoredFile.described` has it."""
        return file.described(base, self._clock())

    def add(self, file: StoredFile) -> None:
        """Keep a file."""
        self._files[file.name] = file

    def delete(self, name: str) -> None:
        """Forget a file.

        Raises:
            GoogleError: There is none of that name.
        """
        file = self._files.pop(name, None)
        if file is None:
            raise gemini_errors.no_file(name)
        if file.path is not None:
            file.path.unlink(missing_ok=True)

    def begin(self, *, name: str, display_name: str, mime_type: str, size: int | None) -> Upload:
        """Return an upload that has begun; without a `name` the file gets one.

        Raises:
            GoogleError: The name is taken.
        """
        name = name or f"files/{_new_id()}"
        if name in self._files:  # presumed wording
            raise google_errors.GoogleError(
                409, "ALREADY_EXISTS", f"The File {name.removeprefix('files/')} already exists."
            )
        upload = Upload(uuid.uuid4().hex, name, display_name, mime_type, size, self.new_path())
        self._uploads[upload.id] = upload
        return upload

    def upload(self, upload_id: str) -> Upload:
        """Return an upload that is under way.

        Raises:
            GoogleError: There is none of that id.
        """
        if upload_id not in self._uploads:  # presumed wording
            raise google_errors.GoogleError(404, "NOT_FOUND", "No upload of this id is under way.")
        return self._uploads[upload_id]

    def finish(self, upload: Upload) -> StoredFile:
        """Keep what was uploaded, and return it.

        Raises:
            GoogleError: It has fewer bytes than were announced.
        """
        if upload.size not in (None, upload.received):  # presumed wording
            raise google_errors.invalid(
                f"The file has {upload.received} bytes; {upload.size} were announced."
            )
        del self._uploads[upload.id]
        file = upload.stored(self._clock(), self._film_seconds)
        self.add(file)
        return file

    def new_path(self) -> Path:
        """Return where a file may be written."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="gemini-embed-standin-")
        return Path(self._folder.name, uuid.uuid4().hex)

    def close(self) -> None:
        """Remove everything from the disk."""
        if self._folder is not None:
            self._folder.cleanup()
        self._files.clear()
        self._uploads.clear()


def _new_id() -> str:
    return uuid.uuid4().hex[:12]
