from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from awf.state.state import State
from awf.testing import FakeClock, FakeControls, FakePeople, FakeTelemetry
from tests.unit.remediation._scene import Scene, engine


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    clock = FakeClock()
    async with await State.open(clock=clock) as state:
        yield Scene(state, clock, FakeTelemetry(clock), FakeControls(engine()), FakePeople())
