"""Links into Grafana end somewhere, though there is no Grafana."""

from __future__ import annotations

import json

import httpx
from starlette.applications import Starlette

from awf.embedded.grafana import pages


def _client() -> httpx.AsyncClient:
    app = Starlette(routes=pages.routes())
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")


def _panes(uid: str, **query: str) -> str:
    source = {"uid": uid}
    pane = {
        "datasource": uid,
        "queries": [{"datasource": source, **query}],
        "range": {"from": "1000", "to": "61000"},
    }
    return json.dumps({"a": pane})


async def _page(panes: str) -> tuple[int, str]:
    async with _client() as client:
        response = await client.get("/explore", params={"panes": panes})
    return response.status_code, response.text


async def test_a_trace_link_leads_to_the_trace() -> None:
    status, text = await _page(_panes("tempo", query="ab" * 16, queryType="traceId"))
    assert status == 200
    assert f"href='/api/datasources/proxy/uid/tempo/api/v2/traces/{'ab' * 16}'" in text


async def test_queries_lead_to_their_answers_in_their_window() -> None:
    _, metrics = await _page(_panes("mimir", expr="up"))
    assert "/uid/mimir/api/v1/query_range?query=up&amp;start=1.0&amp;end=61.0&amp;step=1" in metrics
    _, logs = await _page(_panes("loki", expr='{a="b"}'))
    assert "/uid/loki/loki/api/v1/query_range?query=%7Ba%3D%22b%22%7D&amp;start=1.0&amp;end=61.0" in logs
    _, traces = await _page(_panes("tempo", query="{}"))
    assert "/uid/tempo/api/search?q=%7B%7D&amp;start=1&amp;end=61" in traces


async def test_text_of_a_link_is_shown_never_run() -> None:
    _, text = await _page(_panes("loki", expr="<script>alert(1)</script>'\""))
    assert "<script>" not in text
    assert "'\"" not in text


async def test_a_broken_link_is_a_400_and_an_unknown_datasource_no_query() -> None:
    for panes in ("[", "[1]", '{"a": 1}', '{"a": {"queries": 5}}'):
        status, text = await _page(panes)
        assert (status, "cannot be read" in text) == (400, True)
    assert "The link has no query" in (await _page(_panes("elsewhere", expr="up")))[1]
