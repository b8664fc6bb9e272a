"""The rows of a job: read from a file of requests, answered one at a time.

Neither is ever held whole: a job of 200,000 rows is a file of requests here, and where each begins.
How a row and its answer look is a `RowForm` of their service.
"""

from __future__ import annotations

import random
from array import array
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from gemini_embed.standin import google_errors, protojson
from gemini_embed.standin.faults import spoil
from gemini_embed.standin.vector_sources import counts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from gemini_embed.standin.batch_faults import JobFault
    from gemini_embed.standin.faults import FaultKind
    from gemini_embed.standin.vector_sources import VectorSource, WantedVector

    RowReader = Callable[[Any], WantedVector]
    """Returns the vector that an `EmbedContentRequest` wants, or refuses it."""

_SPOILED: tuple[FaultKind, ...] = ("no-values", "nan", "wrong-dimension")
_CHUNK = 64  # rows that are made between two writes
_INTERNAL = "An internal error has occurred."


class Row(NamedTuple):
    """One request of a job.

    Attributes:
        echoed: What comes back as it was sent, in JSON.
        wanted: The vector; None where the request makes no sense.
        trouble: Why it makes none.
    """

    echoed: dict[str, bytes]
    wanted: WantedVector | None
    trouble: str = ""


class RowForm(Protocol):
    """How the rows of a service look, and what comes back of them."""

    @property
    def echoed(self) -> Sequence[str]:
        """What comes back as it was sent; a row has nothing else but a `request`."""
        ...

    def vector(self, row: Row, wanted: WantedVector, values: bytes) -> dict[str, bytes]:
        """Return what comes back of a row, in JSON; `values` is a JSON array, or empty."""
        ...

    def error(self, row: Row, message: str, *, is_callers: bool) -> dict[str, bytes]:
        """Return what comes back of a row that has no vector; the fault may be the caller's."""
        ...


@dataclass(slots=True)
class Rows:
    """The rows of one job, in a file with a row a line.

    Attributes:
        path: The file.
        form: How they look.
        reader: Reads the request of one.
        starts: Where each row begins, in bytes.
        tokens: Of all rows, as the service counts.
        invalid: The numbers of the rows that make no sense.
    """

    path: Path
    form: RowForm
    reader: RowReader
    starts: array[int] = field(default_factory=lambda: array("Q"))
    tokens: int = 0
    invalid: set[int] = field(default_factory=set)

    @classmethod
    def read(cls, path: Path, form: RowForm, reader: RowReader) -> Rows:
        """Return the rows of a file.

        Raises:
            GoogleError: A line is no row, or there is none. Presumed wording.
        """
        rows = cls(path, form, reader)
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
            self.tokens += tokens_of(row.wanted)

    def _row(self, line: bytes) -> Row:
        names = self.form.echoed
        fields = protojson.message(protojson.parse(line), "", {"request", *names})
        echoed = {name: protojson.printed(fields[name]) for name in names if name in fields}
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

    def embedded(self, most: int) -> Iterator[WantedVector]:
        """Yield the vector of each row that the service embeds, of so many rows in their order.

        What the results lack, or have spoiled, was embedded too.
        """
        for index, row in self.rows.each(range(most)):
            if row.wanted is not None and index not in self._failed:
                yield row.wanted

    def good(self, most: int) -> int:
        """Return how many of so many rows the service embeds."""
        return most - sum(index < most for index in self._failed)

    @cached_property
    def _failed(self) -> frozenset[int]:
        """The numbers of the rows that are errors in the results, or that they leave out."""
        return self._chosen("rows-failed") | self._chosen("partly") | self.rows.invalid

    def lines(self, order: Collection[int] | None = None) -> Iterator[bytes]:
        """Yield a file of results, several rows at a time: see `entries`."""
        chunk: list[bytes] = []
        for entry in self.entries(order):
            chunk.append(entry + b"\n")
            if len(chunk) == _CHUNK:
                yield b"".join(chunk)
                chunk = []
        if chunk:
            yield b"".join(chunk)

    def entries(self, order: Collection[int] | None = None) -> Iterator[bytes]:
        """Yield what comes back of rows, as JSON; of all of them where no `order` is given."""
        form = self.rows.form
        missing = self._chosen("rows-missing") | self._chosen("partly")
        failed, spoiled = self._chosen("rows-failed"), self._chosen("rows-spoiled")
        for index, row in self.rows.each(self.order() if order is None else order):
            if index in missing:
                continue
            if row.wanted is None:
                made = form.error(row, row.trouble, is_callers=True)
            elif index in failed:
                made = form.error(row, _INTERNAL, is_callers=False)
            else:
                kind = _SPOILED[index % len(_SPOILED)] if index in spoiled else None
                made = form.vector(row, row.wanted, self._values(row.wanted, kind))
            yield protojson.composed(made)

    def order(self) -> Sequence[int]:
        """Return the numbers of the rows as they follow each other in the results."""
        order = array("L", range(len(self.rows)))
        if "rows-shuffled" in self.faults:
            self._random("rows-shuffled").shuffle(order)
        return order

    def _values(self, wanted: WantedVector, kind: FaultKind | None) -> bytes:
        if "full-dimension" in self.faults:
            wanted = wanted._replace(dimension=wanted.model.dimension)
        (values,) = spoil([self.source.values(wanted) if wanted.has_values else b""], kind)
        return values

    def _chosen(self, fault: JobFault) -> frozenset[int]:
        """Return the rows that a fault meets."""
        if fault not in self.faults:
            return frozenset()
        count = len(self.rows)
        return frozenset(self._random(fault).sample(range(count), max(1, count // 10)))

    def _random(self, fault: JobFault) -> random.Random:
        return random.Random(f"{self.seed} {fault}")  # noqa: S311  # repeatable on purpose


def tokens_of(wanted: WantedVector) -> int:
    """Return the tokens that the model reads of a content."""
    return counts_of([wanted])[0].read
