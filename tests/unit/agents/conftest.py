"""A watcher on state in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.agents._system import System, open_system


@pytest.fixture
async def system() -> AsyncIterator[System]:
    async with open_system() as found:
        yield found
