from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kills import kills

if TYPE_CHECKING:
    from gemini_embed.models import BackendName


@pytest.mark.parametrize("service", ["gemini", "vertex"])
def test_a_run_of_a_batch_api_survives_kills_at_any_moment(service: BackendName) -> None:
    """Each text has its own vector, no row is paid for twice, and nothing is left over."""
    outcome = kills.run(kills=5, seed=1, service=service)

    assert outcome.kills == 5
    assert outcome.faults == [], str(outcome)
