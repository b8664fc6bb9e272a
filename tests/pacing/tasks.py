"""A task of Celery whose workers share one quota by its file; the broker is a folder."""

from __future__ import annotations

import importlib
import os
from typing import Any


def celery(folder: str) -> Any:
    """Return an app that keeps tasks and results in a folder."""
    app = importlib.import_module("celery").Celery("tasks", broker="filesystem://")
    names = ("data_folder_in", "data_folder_out", "control_folder")
    app.conf.broker_transport_options = {"polling_interval": 0.01, **dict.fromkeys(names, folder)}
    app.conf.result_backend = f"file://{folder}"
    return app


if BROKER := os.environ.get("BROKER"):  # in a worker
    from pacing.apps import embedder, told
    from pacing.workers import embedded

    app = celery(BROKER)

    @app.task(name="embed")  # type: ignore[untyped-decorator] # Celery has no types
    def embed(number: int) -> str:
        return told(embedded(embedder, number))
