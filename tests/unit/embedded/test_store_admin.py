"""What a running store is asked by the command line, over its own HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from awf.embedded import store_admin
from awf.embedded.model import Samples
from awf.embedded.store import MemoryStore

ROW = ({"__name__": "m", "job": "a"}, 1_700_000_000_000, 1.0)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    store = MemoryStore()
    await store.write(samples=Samples.of([ROW]))
    transport = httpx.ASGITransport(Starlette(routes=store_admin.create_routes(store, "secret")))
    headers = {"Authorization": "Bearer secret"}
    async with httpx.AsyncClient(transport=transport, base_url="http://t", headers=headers) as opened:
        yield opened
    store.close()


async def test_nothing_is_answered_without_the_token(client: httpx.AsyncClient) -> None:
    for verb in store_admin.VERBS:
        answer = await client.post(f"/awf/store/{verb}", json={}, headers={"Authorization": "Bearer wrong"})
        assert answer.status_code == 401


async def test_stats_say_how_full_the_store_is(client: httpx.AsyncClient) -> None:
    assert (await client.post("/awf/store/compact", json={})).status_code == 200
    stats = (await client.post("/awf/store/stats", json={})).json()
    assert (stats["samples"], stats["series"], stats["head_samples"], stats["days"]) == (
        1,
        1,
        1,
        ["20231114"],
    )
    assert stats["oldest_ms"] == stats["newest_ms"] == ROW[1]


async def test_rows_go_out_to_a_path_and_come_in_from_it(client: httpx.AsyncClient, tmp_path: Path) -> None:
    body = {"path": str(tmp_path / "m.om"), "format": "openmetrics", "match": '{job="a"}'}
    assert (await client.post("/awf/store/export", json=body)).json() == {"rows": {"samples": 1}}
    again = await client.post("/awf/store/export", json=body)
    assert again.status_code == 400
    assert "exists already" in again.json()["message"]
    taken = await client.post("/awf/store/import", json={"path": body["path"]})
    assert taken.json() == {"rows": {"samples": 1}, "problems": 0, "first_problems": []}


@pytest.mark.parametrize(
    "body",
    [
        {"format": "csv", "path": "/x"},
        {"match": "{", "format": "openmetrics", "path": "/x"},
        {},
        {"path": "/x", "start_ms": "soon"},
    ],
)
async def test_a_wrong_request_is_refused_with_the_reason(
    client: httpx.AsyncClient, body: dict[str, str]
) -> None:
    answer = await client.post("/awf/store/export", json=body)
    assert answer.status_code == 400
    assert answer.json()["message"]
