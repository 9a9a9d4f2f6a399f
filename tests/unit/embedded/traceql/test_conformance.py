"""The embedded Tempo answers what a real one answered when it was recorded: tests/conformance/traceql."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from awf.embedded.store import MemoryStore

from . import _conformance
from ._answers import difference, moved
from ._asking import Embedded, comparable
from ._telemetry import SECOND, export_request, stored

T0 = 1_790_000_040 * SECOND
CASES = [
    pytest.param(query, kind, by_kind[kind], id=f"{kind}: {query}")
    for name in _conformance.KINDS
    for query, by_kind in _conformance.recorded(name).items()
    for kind in by_kind
]


@pytest.fixture(scope="module")
def store() -> Iterator[MemoryStore]:
    store = MemoryStore()
    spans = stored(export_request(_conformance.SEED, T0, _conformance.TRACES), T0 + 3600 * SECOND)
    asyncio.run(store.write(spans=spans))
    yield store
    store.close()


@pytest.mark.parametrize(("query", "kind", "answer"), CASES)
async def test_the_answer_is_that_of_tempo(store: MemoryStore, query: str, kind: str, answer: object) -> None:
    response = await Embedded(store).ask(kind, query, T0)
    if isinstance(answer, int):
        assert response.status_code == answer, response.text
        return
    assert response.status_code == 200, response.text
    assert difference(moved(comparable(kind, response.json()), -T0), answer) == ""


def test_every_query_of_the_files_is_recorded() -> None:
    for name in _conformance.KINDS:
        assert list(_conformance.recorded(name)) == _conformance.queries(name)
