"""The objects that Cloud Storage keeps in buckets: on disk, so that no size fills the memory."""

from __future__ import annotations

import base64
import hashlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gemini_embed.standin import protojson, storage_errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CLOSED_BUCKET = "closed-bucket"
"""Nobody may do anything in it, so that this can be shown."""

NO_BUCKET = "no-such-bucket"
"""Is not there, so that this can be shown. All others are there, and open."""

PIECE = 2**18
"""All pieces of an upload but the last are kept in multiples of so many bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One object.

    Attributes:
        bucket: The bucket's name.
        name: Its own, which may hold slashes.
        content_type: As it was declared.
        size: In bytes.
        md5: Of its bytes.
        generation: Another one for each object that was ever stored.
        created: Seconds since the epoch, by the stand-in's clock.
        path: Where its bytes lie.
    """

    bucket: str
    name: str
    content_type: str
    size: int
    md5: bytes
    generation: int
    created: float
    path: Path

    @property
    def uri(self) -> str:
        """Its address, `gs://`."""
        return f"gs://{self.bucket}/{self.name}"

    def described(self) -> dict[str, Any]:
        """Return it as Google describes an object."""
        created = protojson.timestamp(self.created)
        return {
            "kind": "storage#object",
            "id": f"{self.bucket}/{self.name}/{self.generation}",
            "name": self.name,
            "bucket": self.bucket,
            "generation": str(self.generation),
            "metageneration": "1",
            "contentType": self.content_type,
            "storageClass": "STANDARD",
            "size": str(self.size),
            "md5Hash": base64.b64encode(self.md5).decode(),
            "timeCreated": created,
            "updated": created,
        }


@dataclass(slots=True, kw_only=True)
class Session:
    """A resumable upload that has begun. `must_be` is as in `Storage.check`."""

    id: str
    bucket: str
    name: str
    content_type: str
    must_be: int | None
    path: Path
    received: int = 0

    @property
    def came(self) -> int:
        """How many bytes have come."""
        return self.path.stat().st_size

    def keep(self) -> None:
        """Count what has come, and drop what is beyond a multiple of `PIECE`."""
        self.received = self.came - self.came % PIECE
        with self.path.open("ab") as file:
            file.truncate(self.received)


class Storage:
    """Objects by bucket and name."""

    def __init__(self, clock: Callable[[], float], new_path: Callable[[], Path]) -> None:
        self.new_path = new_path
        self._clock = clock
        self._objects: dict[tuple[str, str], StoredObject] = {}
        self._sessions: dict[str, Session] = {}
        self._generation = 0

    def all(self) -> list[StoredObject]:
        """Return every object, in the order of the addresses."""
        return sorted(self._objects.values(), key=lambda one: one.uri)

    def listed(self, bucket: str, prefix: str) -> list[StoredObject]:
        """Return the objects of a bucket whose names begin so, in the order of their names.

        Raises:
            StorageError: There is no such bucket, or it is closed.
        """
        check_bucket(bucket, "storage.objects.list")
        objects = [one for one in self._objects.values() if one.bucket == bucket]
        return sorted(
            (one for one in objects if one.name.startswith(prefix)), key=lambda one: one.name
        )

    def find(self, bucket: str, name: str) -> StoredObject:
        """Return an object.

        Raises:
            StorageError: There is none, or the bucket is not there or closed.
        """
        check_bucket(bucket, "storage.objects.get")
        return self._found(bucket, name)

    def delete(self, bucket: str, name: str) -> None:
        """Forget an object.

        Raises:
            StorageError: There is none, or the bucket is not there or closed.
        """
        check_bucket(bucket, "storage.objects.delete")
        self._forget(self._found(bucket, name))

    def check(self, bucket: str, name: str, must_be: int | None) -> None:
        """Refuse to store an object that may not be stored.

        `must_be` is the generation of the one that is there; 0: there may be none; None: either.

        Raises:
            StorageError: It is not so, or the bucket is not there or closed.
        """
        check_bucket(bucket, "storage.objects.create")
        held = self._objects.get((bucket, name))
        if must_be is not None and must_be != (0 if held is None else held.generation):
            raise storage_errors.precondition_failed()

    def put(self, bucket: str, name: str, content_type: str, path: Path) -> StoredObject:
        """Make an object of a file, which is its own from now on, and return it."""
        held = self._objects.get((bucket, name))
        if held is not None:
            self._forget(held)
        self._generation += 1
        with path.open("rb") as file:
            md5 = hashlib.file_digest(file, "md5")
        stored = StoredObject(
            bucket=bucket,
            name=name,
            content_type=content_type,
            size=path.stat().st_size,
            md5=md5.digest(),
            generation=self._generation,
            created=self._clock(),
            path=path,
        )
        self._objects[bucket, name] = stored
        return stored

    def begin(self, bucket: str, name: str, content_type: str, must_be: int | None) -> Session:
        """Return a resumable upload that has begun.

        Raises:
            StorageError: The object may not be stored.
        """
        self.check(bucket, name, must_be)
        path = self.new_path()
        path.touch()
        session = Session(
            id=uuid.uuid4().hex,
            bucket=bucket,
            name=name,
            content_type=content_type,
            must_be=must_be,
            path=path,
        )
        self._sessions[session.id] = session
        return session

    def session(self, session_id: str) -> Session:
        """Return an upload that is under way.

        Raises:
            StorageError: There is none of that id.
        """
        if session_id not in self._sessions:
            raise storage_errors.no_session()
        return self._sessions[session_id]

    def finish(self, session: Session) -> StoredObject:
        """Make an object of what was uploaded, and return it.

        Raises:
            StorageError: It may not be stored: another one of that name has come meanwhile.
        """
        self.check(session.bucket, session.name, session.must_be)
        del self._sessions[session.id]
        return self.put(session.bucket, session.name, session.content_type, session.path)

    def _found(self, bucket: str, name: str) -> StoredObject:
        found = self._objects.get((bucket, name))
        if found is None:
            raise storage_errors.no_object(bucket, name)
        return found

    def _forget(self, held: StoredObject) -> None:
        del self._objects[held.bucket, held.name]
        held.path.unlink(missing_ok=True)


def check_bucket(bucket: str, permission: str) -> None:
    """Refuse what cannot be done in a bucket.

    Raises:
        StorageError: There is no such bucket, or the caller has not the permission.
    """
    if bucket == NO_BUCKET:
        raise storage_errors.no_bucket()
    if bucket == CLOSED_BUCKET:
        raise storage_errors.forbidden(permission)


def parted(uri: str) -> tuple[str, str] | None:
    """Return the bucket and the name of an address, `gs://`; None of what is none."""
    scheme, _, rest = uri.partition("://")
    bucket, _, name = rest.partition("/")
    return (bucket, name) if scheme == "gs" and bucket else None
