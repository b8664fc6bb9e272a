"""What all tests share: no key from the machine, and the stand-in on loopback."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from service.cloud import cloud

from gemini_embed import GeminiEmbedder
from gemini_embed.calls import limits
from gemini_embed.standin import Standin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service.cloud import Cloud

# A shell's job in the background ignores Ctrl-C, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No example of a property is held to a time, which is the machine's: on a busy one a single stall
# would be a failure, of the deadline or of the check that data are drawn fast.
with suppress(ImportError):  # where a few tests run, with few packages
    from hypothesis import settings

    settings.register_profile("without a deadline", deadline=None)
    settings.load_profile("without a deadline")


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "GOOGLE_API_KEY",
        "GEMINI_API_KEY",
        "GOOGLE_GEMINI_BASE_URL",
        "GOOGLE_GENAI_API_VERSION",
        "GOOGLE_GENAI_USE_VERTEXAI",
        "GOOGLE_GENAI_USE_ENTERPRISE",
        "GOOGLE_VERTEX_BASE_URL",
        "GOOGLE_CLOUD_PROJECT",
        "GOOGLE_CLOUD_LOCATION",
        "GOOGLE_APPLICATION_CREDENTIALS",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def nothing_learned_elsewhere() -> None:
    limits._limits.clear()


@pytest.fixture
def server() -> Iterator[Standin]:
    with Standin(model="hash") as standin:
        yield standin


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Return a small Google Cloud, whose storage is where Cloud Storage is looked for."""
    with cloud() as running:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", running.url)
        yield running


@pytest.fixture
def embedder(server: Standin) -> Callable[..., GeminiEmbedder]:
    """Return a maker of embedders that talk to the stand-in and retry at once."""

    def make(**options: Any) -> GeminiEmbedder:
        quick = {"retry_min_seconds": 0.001, "retry_max_seconds": 0.002}
        given: dict[str, Any] = {"api_key": "a-key", "base_url": server.url, **quick, **options}
        return GeminiEmbedder(**given)

    return make
