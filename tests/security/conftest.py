"""The watcher over state in a database that outlives connections: SQLite in a file, PostgreSQL where a test says so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.postgres import PASSWORD, Postgres
from tests.unit.agents._system import System, open_system


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if getattr(request, "param", "file") == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        with server.database() as made:
            yield made
    else:
        yield f"sqlite:///{tmp_path / 'state.db'}"


@pytest.fixture
async def system(url: str) -> AsyncIterator[System]:
    async with open_system(url, password=lambda: PASSWORD) as found:
        yield found
