"""A watcher on state in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from awf.core.counters import Counters
from awf.remediation.spec import RemediationConfig
from awf.state.state import State
from awf.testing import FakeClock, FakeControls, FakePeople, FakeTelemetry
from tests.unit.agents._system import NOW, System, engine


@pytest.fixture
async def system() -> AsyncIterator[System]:
    clock = FakeClock(NOW)
    async with await State.open(clock=clock) as state:
        found = System(
            state, clock, FakeTelemetry(clock), FakeControls(engine()), FakePeople(), Counters(),
            RemediationConfig(),
        )  # fmt: skip
        found.start()
        yield found
        await found.watcher.aclose()
