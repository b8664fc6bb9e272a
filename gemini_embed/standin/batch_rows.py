"""The rows of a job: read from a file of requests, answered one at a time while they are sent.

Neither is ever held whole: a job of 200,000 rows is a file of requests here, and where each begins.
"""

from __future__ import annotations

import json
import random
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from gemini_embed.standin import google_errors, protojson
from gemini_embed.standin.faults import spoil
from gemini_embed.standin.vector_sources import counts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from gemini_embed.standin.batch_faults import JobFault
    from gemini_embed.standin.faults import FaultKind
    from gemini_embed.standin.vector_sources import VectorSource, WantedVector

    RowReader = Callable[[Any], WantedVector]
    """Returns the vector that an `EmbedContentRequest` wants, or refuses it."""

_ECHOED = ("key", "metadata")
_SPOILED: tuple[FaultKind, ...] = ("no-values", "nan", "wrong-dimension")
_CHUNK = 64  # rows that are made between two writes
_INVALID, _INTERNAL = 3, 13  # google.rpc.Code


class Row(NamedTuple):
    """One request of a job.

    Attributes:
        echoed: What comes back as it was sent: the `key`, or the `metadata` of an inline row.
        wanted: The vector; None where the request makes no sense.
        trouble: Why it makes none.
    """

    echoed: dict[str, bytes]
    wanted: WantedVector | None
    trouble: str = ""


@dataclass(slots=True)
class Rows:
    """The rows of one job, in a file with a row a line.

    Attributes:
        path: The file.
        starts: Where each row begins, in bytes.
        tokens: Of all rows, as the service counts.
        invalid: The numbers of the rows that make no sense.
    """

    path: Path
    reader: RowReader
    starts: array[int] = field(default_factory=lambda: array("Q"))
    tokens: int = 0
    invalid: set[int] = field(default_factory=set)

    @classmethod
    def read(cls, path: Path, reader: RowReader) -> Rows:
        """Return the rows of a file.

        Raises:
            GoogleError: A line is no row, or there is none. Presumed wording.
        """
        rows = cls(path, reader)
        with path.open("rb") as file:
            start = 0
            for number, line in enumerate(file, 1):
                if line.strip():
                    rows._take(line, number, start)
                start += len(line)
        if not rows.starts:
            raise google_errors.invalid("The input file holds no requests.")
        return rows

    def __len__(self) -> int:
        return len(self.starts)

    def each(self, order: Collection[int]) -> Iterator[tuple[int, Row]]:
        """Yield rows in that order, each with its number from 0."""
        with self.path.open("rb") as file:
            for index in order:
                file.seek(self.starts[index])
                yield index, self._row(file.readline())

    def _take(self, line: bytes, number: int, start: int) -> None:
        try:
            row = self._row(line)
        except google_errors.GoogleError as error:
            raise google_errors.invalid(f"Line {number} of the input file: {error}") from error
        self.starts.append(start)
        if row.wanted is None:
            self.invalid.add(len(self) - 1)
        else:
            self.tokens += _read(row.wanted)

    def _row(self, line: bytes) -> Row:
        fields = protojson.message(protojson.parse(line), "", ("request", *_ECHOED))
        echoed = {name: protojson.printed(fields[name]) for name in _ECHOED if name in fields}
        try:
            return Row(echoed, self.reader(fields.get("request", {})))
        except google_errors.GoogleError as error:
            return Row(echoed, None, str(error))


@dataclass(frozen=True)
class Results:
    """What comes back of a job's rows, faults included; the same however often it is asked for."""

    rows: Rows
    source: VectorSource
    faults: frozenset[JobFault]
    seed: str

    def embedded(self) -> Iterator[WantedVector]:
        """Yield the vector of each row that the service embeds, in the order of the rows.

        What the results lack, or have spoiled, was embedded too.
        """
        errors = self.errors()
        for index, row in self.rows.each(range(len(self.rows))):
            if row.wanted is not None and index not in errors:
                yield row.wanted

    def errors(self) -> frozenset[int]:
        """Return the numbers of the rows that are errors in the results."""
        return self._chosen("rows-failed") | self.rows.invalid

    def lines(self) -> Iterator[bytes]:
        """Yield the file of results, several rows at a time."""
        chunk: list[bytes] = []
        for entry in self.entries():
            chunk.append(entry + b"\n")
            if len(chunk) == _CHUNK:
                yield b"".join(chunk)
                chunk = []
        if chunk:
            yield b"".join(chunk)

    def entries(self) -> Iterator[bytes]:
        """Yield what comes back of each row, as JSON."""
        missing, failed = self._chosen("rows-missing"), self._chosen("rows-failed")
        spoiled = self._chosen("rows-spoiled")
        for index, row in self.rows.each(self._order()):
            if index in missing:
                continue
            if row.wanted is None:
                yield _error(row, _INVALID, row.trouble)
            elif index in failed:
                yield _error(row, _INTERNAL, "An internal error has occurred.")
            else:
                kind = _SPOILED[index % len(_SPOILED)] if index in spoiled else None
                made = self.source.values(row.wanted) if row.wanted.has_values else b""
                (values,) = spoil([made], kind)
                yield _vector(row, row.wanted, values)

    def _order(self) -> Collection[int]:
        order = array("L", range(len(self.rows)))
        if "rows-shuffled" in self.faults:
            self._random("rows-shuffled").shuffle(order)
        return order

    def _chosen(self, fault: JobFault) -> frozenset[int]:
        """Return the rows that a fault meets."""
        if fault not in self.faults:
            return frozenset()
        count = len(self.rows)
        return frozenset(self._random(fault).sample(range(count), max(1, count // 10)))

    def _random(self, fault: JobFault) -> random.Random:
        return random.Random(f"{self.seed} {fault}")  # noqa: S311  # repeatable on purpose


def _read(wanted: WantedVector) -> int:
    """Return the tokens that the model reads of a content."""
    return counts_of([wanted])[0].read


def _vector(row: Row, wanted: WantedVector, values: bytes) -> bytes:
    embedding = protojson.composed({"values": values})
    if wanted.model.task == "prefix":
        usage = protojson.printed({"promptTokenCount": _read(wanted)})
        response = {"embedding": embedding, "usageMetadata": usage}
    else:  # a string, as in a file of results of gemini-embedding-001
        response = {"tokenCount": json.dumps(str(_read(wanted))).encode(), "embedding": embedding}
    return protojson.composed({"response": protojson.composed(response), **row.echoed})


def _error(row: Row, code: int, message: str) -> bytes:
    error = protojson.printed({"code": code, "message": message})
    return protojson.composed({"error": error, **row.echoed})
