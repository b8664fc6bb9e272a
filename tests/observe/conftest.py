"""What the tests of traces share."""

from __future__ import annotations

import pytest
from telemetry import Telemetry


@pytest.fixture
def telemetry(monkeypatch: pytest.MonkeyPatch) -> Telemetry:
    """OpenTelemetry, set up as a program does."""
    made = Telemetry()
    made.set_up(monkeypatch)
    return made
