"""What tests of the stand-in's batches of Vertex AI send."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from standin.batching import NEW
from standin.messages import TOKEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from standin.conftest import Fetch

    from gemini_embed.standin import Standin

BUCKET = "gs://my-bucket"


def rows(texts: Sequence[str], **config: Any) -> list[dict[str, Any]]:
    """Return a row for each text, whose key is the text."""
    wanted = {"output_dimensionality": 64, **config}
    return [
        {
            "key": text,
            "request": {"content": {"parts": [{"text": text}]}, "embed_content_config": wanted},
        }
        for text in texts
    ]


class VertexCaller:
    """A plain client of batches of Vertex AI."""

    def __init__(self, server: Standin, fetch: Fetch, location: str = "us") -> None:
        self.server = server
        self.place = f"projects/my-project/locations/{location}/batchPredictionJobs"
        self._fetch = fetch

    def ask(self, path: str, body: Any = None, method: str = "POST") -> tuple[int, Any]:
        url = f"{self.server.url}/v1/{path}"
        status, _, raw = self._fetch(url, body, key=None, method=method, headers=TOKEN)
        return status, json.loads(raw)

    def get(self, path: str) -> Any:
        status, answered = self.ask(path, method="GET")
        assert status == 200, answered
        return answered

    def put(self, lines: Sequence[Any], name: str = "in/input.jsonl") -> str:
        """Return the address of an object with these rows."""
        raw = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        self.server.place(f"{BUCKET}/{name}", raw)
        return f"{BUCKET}/{name}"

    def create(
        self, source: str, model: str = NEW, name: str = "d", output: str = f"{BUCKET}/out/"
    ) -> tuple[int, Any]:
        body = {
            "displayName": name,
            "model": f"publishers/google/models/{model}",
            "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": [source]}},
            "outputConfig": {
                "predictionsFormat": "jsonl",
                "gcsDestination": {"outputUriPrefix": output},
            },
        }
        return self.ask(self.place, body)

    def created(self, texts: Sequence[str], model: str = NEW, name: str = "d") -> str:
        """Return the name of a job that embeds these texts."""
        status, answered = self.create(self.put(rows(texts)), model, name)
        assert status == 200, answered
        job: str = answered["name"]
        return job

    def state(self, job: str) -> str:
        state: str = self.get(job)["state"]
        return state.removeprefix("JOB_STATE_")

    def names(self) -> list[str]:
        """Return what the list names."""
        return [one["displayName"] for one in self.get(self.place).get("batchPredictionJobs", [])]

    def files(self, job: str) -> dict[str, list[Any]]:
        """Return the rows of each file of results, by its name."""
        directory = self.get(job)["outputInfo"]["gcsOutputDirectory"] + "/"
        return {
            one.uri.removeprefix(directory): [
                json.loads(line) for line in one.path.read_bytes().splitlines()
            ]
            for one in self.server.objects
            if one.uri.startswith(directory)
        }

    def results(self, job: str) -> list[Any]:
        """Return the rows of the one file of results, in their order."""
        (lines,) = self.files(job).values()
        return lines
