"""A small Google Cloud: a bucket's objects and batch jobs, in which anything can go wrong."""

from __future__ import annotations

import gzip
import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

Row = dict[str, Any]
JOBS = re.compile(r"/v1(?:beta1)?/(projects/[^/]+/locations/[^/]+)/batchPredictionJobs")


class Sent(NamedTuple):
    """A request that came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def is_creation(self) -> bool:
        """Whether it creates a job."""
        return self.method == "POST" and self.path.endswith("batchPredictionJobs")


class Answer(NamedTuple):
    """What is answered."""

    status: int = 200
    body: bytes = b"{}"
    headers: tuple[tuple[str, str], ...] = ()


def told(status: int, message: str) -> Answer:
    """Return a refusal in the form of Cloud Storage, which has no name for its status."""
    return Answer(status, json.dumps({"error": {"code": status, "message": message}}).encode())


def said(value: object) -> Answer:
    return Answer(200, json.dumps(value).encode())


def vector(text: str, dimension: int) -> list[float]:
    """Return the one vector of a text: of length 1, as gemini-embedding-2's are."""
    seed = int.from_bytes(blake2b(text.encode(), digest_size=8).digest())
    whole = np.random.default_rng(seed).normal(size=3072)[:dimension]
    return [float(number) for number in (whole / np.linalg.norm(whole)).astype(np.float32)]


def answered(row: Row, dimension: int | None = None) -> Row:
    """Return what Vertex AI makes of a row: the row, and its vector."""
    config = row["request"].get("embed_content_config", {})
    numbers = dimension or int(config.get("output_dimensionality", 3072))
    text = row["request"]["content"]["parts"][0]["text"]
    response = {"tokenCount": "2", "embedding": {"values": vector(text, numbers)}}
    return {**row, "status": "", "response": response}


def refused(row: Row) -> Row:
    return {**row, "status": "INVALID_ARGUMENT: it is bad", "response": {}}


def right(rows: list[Row]) -> list[list[Row]]:
    """Write all rows to one file."""
    return [[answered(row) for row in rows]]


@dataclass
class Cloud:
    """A Google Cloud.

    Attributes:
        objects: What lies in buckets, by address.
        jobs: The jobs, as Vertex AI shows them.
        log: All requests.
        rule: What answers a request, instead of the usual; None for the usual.
        states: What each job says of its state, one after another; the last one stays.
        write: What a job makes of its rows: the rows of each file of its output.
        stored: How many bytes of each piece of an upload are stored.
        hidden: How many of the lists of jobs show none.
    """

    objects: dict[str, bytes] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[Sent] = field(default_factory=list)
    rule: Callable[[Sent], Answer | None] = lambda _: None
    states: list[str] = field(default_factory=lambda: ["JOB_STATE_PENDING", "JOB_STATE_SUCCEEDED"])
    write: Callable[[list[Row]], Iterable[list[Any]]] = right
    stored: int = 2**40
    hidden: int = 0
    url: str = ""
    _uploads: dict[str, tuple[str, bytearray]] = field(default_factory=dict)
    _seen: dict[str, int] = field(default_factory=dict)

    def sent(self, method: str, part: str) -> list[Sent]:
        return [one for one in self.log if one.method == method and part in one.path]

    def rows(self) -> list[Row]:
        """Return the rows of all files that were uploaded, and of which a job was created."""
        return [row for job in self.jobs.values() for row in job["_rows"]]

    def hold_back(self) -> list[Sent]:
        """Lose the next creation of a job; return where it is kept, so that it can come late."""
        late: list[Sent] = []

        def rule(sent: Sent) -> Answer | None:
            if late or not sent.is_creation:
                return None
            late.append(sent)
            return Answer(0)

        self.rule = rule
        return late

    def end_well_later(self) -> None:
        """Let all jobs but the first do what they are asked to."""

        def rule(sent: Sent) -> None:
            if self.jobs and sent.is_creation:
                self.write, self.states = right, ["JOB_STATE_SUCCEEDED"]

        self.rule = rule

    def answer(self, sent: Sent) -> Answer:
        self.log.append(sent)
        if (ruled := self.rule(sent)) is not None:
            return ruled
        if found := JOBS.match(sent.path):
            return self._of_jobs(sent, found[1])
        if sent.path.startswith("/upload/"):
            return self._of_upload(sent)
        return self._of_objects(sent)

    def _of_upload(self, sent: Sent) -> Answer:
        bucket = sent.path.split("/")[5]
        if sent.method == "POST":
            name = f"gs://{bucket}/{sent.query['name']}"
            if name in self.objects and sent.query.get("ifGenerationMatch") == "0":
                return told(412, "At least one of the pre-conditions you specified did not hold.")
            key = str(len(self._uploads))
            self._uploads[key] = name, bytearray()
            # Elsewhere, as the service might say: nobody goes there.
            where = f"https://elsewhere.invalid{sent.path}?uploadType=resumable&upload_id={key}"
            return Answer(200, b"", (("Location", where),))
        name, held = self._uploads[sent.query["upload_id"]]
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", sent.headers["content-range"])
        assert found is not None
        first, last, size = map(int, found.groups())
        assert first == len(held), "it goes on where the last one ended"
        assert last - first + 1 == len(sent.body)
        held += sent.body[: self.stored]
        if len(held) < size:
            shown = (("Range", f"bytes=0-{len(held) - 1}"),) if held else ()
            return Answer(308, b"", shown)
        self.objects[name] = bytes(held)
        return said({"name": name, "size": str(size)})

    def _of_objects(self, sent: Sent) -> Answer:
        bucket, name = re.fullmatch(r"/storage/v1/b/([^/]+)/o/?(.*)", sent.path).groups()  # type: ignore[union-attr] # it is one
        if not name:
            prefix = f"gs://{bucket}/{sent.query['prefix']}"
            found = sorted(one for one in self.objects if one.startswith(prefix))
            start = int(sent.query.get("pageToken", 0))
            items = [
                {"name": one.split("/", 3)[3], "size": str(len(self.objects[one]))}
                for one in found[start : start + 2]
            ]
            more = {"nextPageToken": str(start + 2)} if start + 2 < len(found) else {}
            return said({"kind": "storage#objects", **({"items": items} if items else {}), **more})
        name = f"gs://{bucket}/{unquote(name)}"
        if name not in self.objects:
            return told(404, f"No such object: {name}")
        if sent.method == "DELETE":
            del self.objects[name]
            return Answer(204, b"")
        if sent.query.get("alt") == "media":
            packed = gzip.compress(self.objects[name])
            return Answer(200, packed, (("Content-Encoding", "gzip"),))
        return said({"name": name, "size": str(len(self.objects[name]))})

    def _of_jobs(self, sent: Sent, parent: str) -> Answer:
        rest = sent.path.partition("batchPredictionJobs")[2].strip("/")
        if not rest:
            return self._created(sent, parent) if sent.method == "POST" else self._listed(sent)
        name, _, verb = f"{parent}/batchPredictionJobs/{rest}".partition(":")
        if name not in self.jobs:
            return told(404, "no such job")
        if verb == "cancel":
            self.jobs[name]["state"] = "JOB_STATE_CANCELLED"
            self._seen[name] = 10**6
            return said({})
        if sent.method == "DELETE":
            del self.jobs[name]
            return said({"name": "operations/1"})
        return said(self._shown(name))

    def _created(self, sent: Sent, parent: str) -> Answer:
        body = sent.json
        (uri,) = body["inputConfig"]["gcsSource"]["uris"]
        if uri not in self.objects:
            return told(400, f"no such object: {uri}")
        name = f"{parent}/batchPredictionJobs/{len(self._seen) + 1}"
        rows = [json.loads(line) for line in self.objects[uri].splitlines()]
        self.jobs[name] = {**body, "name": name, "state": "JOB_STATE_PENDING", "_rows": rows}
        self._seen[name] = 0
        return said(self._public(name))

    def _listed(self, sent: Sent) -> Answer:
        start, names = int(sent.query.get("pageToken", 0)), list(self.jobs)
        if self.hidden:
            self.hidden -= 1
            names = []
        shown = [self._public(one) for one in names[start : start + 1]]
        more = {"nextPageToken": str(start + 1)} if start + 1 < len(names) else {}
        return said({"batchPredictionJobs": shown, **more})

    def _public(self, name: str) -> dict[str, Any]:
        return {key: value for key, value in self.jobs[name].items() if not key.startswith("_")}

    def _shown(self, name: str) -> dict[str, Any]:
        job, seen = self.jobs[name], self._seen[name]
        if seen < len(self.states):
            job["state"] = self.states[seen]
            self._seen[name] += 1
            if seen == len(self.states) - 1 and job["state"] != "JOB_STATE_RUNNING":
                self._end(job)
        return self._public(name)

    def _end(self, job: dict[str, Any]) -> None:
        prefix = job["outputConfig"]["gcsDestination"]["outputUriPrefix"]
        folder = f"{prefix}prediction-model-2026-11-26T10:00:00.000000Z"
        files = list(self.write(job["_rows"]))
        for number, rows in enumerate(files):
            lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
            of_many = f"-{number:05}-of-{len(files):05}" if len(files) > 1 else ""
            self.objects[f"{folder}/predictions.jsonl{of_many}"] = b"\n".join([*lines, b""])
        good = sum("embedding" in str(row) for rows in files for row in rows)
        job["completionStats"] = {"successfulCount": str(good)}
        if files:
            job["outputInfo"] = {"gcsOutputDirectory": folder}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cloud: Cloud

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.cloud.answer(Sent(self.command, parts.path, query, headers, body))
        if answer.status == 0:  # the answer is lost
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - http.server's names

    def log_message(self, *_: Any, **__: Any) -> None:
        """Say nothing."""


@contextmanager
def cloud() -> Generator[Cloud]:
    """Run a Google Cloud."""
    one = Cloud()
    handler = type("Handler", (_Handler,), {"cloud": one})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        one.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield one
        server.shutdown()
