"""The embedded Grafana over real parts: a store in memory, the three query APIs, a ruler with one alert."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from awf.embedded import logql, loki_api, prometheus_api, promql, tempo_api, traceql
from awf.embedded.grafana import AnnotationStore, create_app
from awf.embedded.model import LogRecord, Samples, Span
from awf.embedded.ruler import Ruler, RulerConfig
from awf.embedded.store import MemoryStore

TOKEN = "write-token"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"

RULES = """
groups:
- name: agents
  interval: 1h
  rules:
  - record: agent:failures
    expr: agent_failures
  - alert: AwfAgentErrors
    expr: agent_failures > 0.3
    labels: {severity: critical}
    annotations: {summary: "Agent {{ $labels.agent_id }} fails", __dashboardUid__: awf-overview}
  - alert: AwfQuiet
    expr: agent_failures > 100
    for: 1m
"""


@dataclass
class Embedded:
    app: Starlette
    client: httpx.AsyncClient  # from this machine, without a token
    ruler: Ruler
    store: MemoryStore

    @property
    def auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {TOKEN}"}

    async def get(self, path: str, **params: object) -> object:
        response = await self.client.get(path, params=params)
        assert response.status_code == 200, response.text
        return response.json()


async def fill(store: MemoryStore) -> None:
    """Write one series, one log line and one trace of a few seconds ago."""
    now_ns = time.time_ns() - 5_000_000_000
    await store.write(
        samples=Samples.of([
            ({"__name__": "agent_failures", "agent_id": agent}, now_ns // 1_000_000, value)
            for agent, value in (("writer", 0.5), ("editor", 0.1))
        ]),
        logs=[LogRecord(now_ns, "step failed: boom", {"service_name": "awf-demo"}, {"agent_id": "writer"})],
        spans=[
            Span(
                trace_id=TRACE_ID, span_id="b7ad6b7169203331", parent_span_id="", name="awf.workflow", kind=1,
                start_ns=now_ns, end_ns=now_ns + 3_000_000, attributes={"agent_id": "writer"},
                resource={"service.name": "awf-demo"},
            )
        ],
    )  # fmt: skip


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Embedded]:
    (tmp_path / "rules" / "alerts").mkdir(parents=True)
    (tmp_path / "rules" / "alerts" / "agents.yaml").write_text(RULES)
    (tmp_path / "dashboards").mkdir()
    board = {"uid": "awf-overview", "title": "AWF overview", "tags": ["awf"], "panels": [{"id": 1}]}
    (tmp_path / "dashboards" / "awf-overview.json").write_text(json.dumps(board))
    (tmp_path / "dashboards" / "broken.json").write_text("{")
    store = MemoryStore()
    await fill(store)
    engine = promql.Engine(store)
    ruler = await Ruler.open(
        RulerConfig(
            rules_dir=tmp_path / "rules", data_dir=tmp_path, webhook_secret="s",
            webhook_url="http://user:password@127.0.0.1:1/webhooks/grafana-alerts",
            grafana_url="http://grafana.test",
        ),
        engine=engine, sink=store, check_expr=promql.parse,
    )  # fmt: skip
    for group in ruler.group_states:
        await ruler.evaluate(group, ruler.now_ms())
    annotations = await AnnotationStore.open(tmp_path)
    app = create_app(
        prometheus=prometheus_api.create_app(engine, store, ruler),
        loki=loki_api.create_app(logql.Engine(store), store, store),
        tempo=tempo_api.create_app(traceql.Engine(store), store),
        ruler=ruler, annotations=annotations, dashboards_dir=tmp_path / "dashboards",
        token=TOKEN, public_url="http://grafana.test/",
    )  # fmt: skip
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://grafana.test")
    yield Embedded(app, client, ruler, store)
    await client.aclose()
    await ruler.stop()
    await annotations.close()
    store.close()
