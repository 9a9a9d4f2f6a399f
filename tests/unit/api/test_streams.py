"""Streams end; they do not break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from awf.api.streams import until
from awf.errors import StateUnavailable


async def test_a_stream_whose_database_goes_away_ends_after_what_it_had(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def source() -> AsyncIterator[int]:
        yield 1
        raise StateUnavailable("the state database does not answer")

    assert [item async for item in until(source(), asyncio.Event())] == [1]
    assert [record.message for record in caplog.records] == ["stream ended"]


async def test_a_mistake_in_a_stream_is_not_taken_for_its_end() -> None:
    async def source() -> AsyncIterator[int]:
        yield 1
        raise ValueError("a mistake")

    with pytest.raises(ValueError, match="a mistake"):
        [item async for item in until(source(), asyncio.Event())]
