"""Servers that several folders of tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgres import Postgres, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL, one for all tests of a process. Who stops it uses one of their own."""
    with running_postgres() as server:
        yield server
