"""What fires, as the watcher learns it through the real mcp-grafana from the embedded Grafana."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from awf.agents.toolbox import GrafanaMCPClient
from awf.core.alert_source import RuleState
from awf.embedded.server import EmbeddedConfig, EmbeddedServer, Ports
from tests.mcp_grafana import COMMAND

TOKEN = "token of grafana"
RULES = """
groups:
- name: contract
  interval: 1s
  rules:
  - alert: Always
    expr: vector(1)
    labels: {severity: critical, agent_id: writer}
    annotations: {summary: it fires}
  - alert: Pending
    expr: vector(1)
    for: 1h
  - alert: Never
    expr: vector(1) > 2
"""


@pytest.fixture
async def grafana(tmp_path: Path) -> AsyncIterator[str]:
    (tmp_path / "rules" / "alerts").mkdir(parents=True)
    (tmp_path / "rules" / "alerts" / "contract.yaml").write_text(RULES)
    config = EmbeddedConfig(
        data_dir=tmp_path / "data", rules_dir=tmp_path / "rules", ports=Ports(0, 0, 0, 0, 0, 0),
        grafana_token=TOKEN,
    )  # fmt: skip
    server = EmbeddedServer(config)
    await server.start()
    try:
        yield server.addresses["grafana"]
    finally:
        await server.stop()


async def test_rules_tell_what_fires_and_what_is_silenced(grafana: str) -> None:
    async with AsyncExitStack() as opened:
        client = await opened.enter_async_context(GrafanaMCPClient(grafana, token=TOKEN, command=COMMAND))
        rules = await _until_firing(client)
        assert {name: len(rule.firing or ()) for name, rule in rules.items()} == {
            "Always": 1, "Pending": 0, "Never": 0,
        }  # fmt: skip
        assert all(rule.is_healthy for rule in rules.values())
        found = (rules["Always"].firing or ())[0]
        assert found.labels == {
            "alertname": "Always", "severity": "critical", "agent_id": "writer", "grafana_folder": "AWF",
        }  # fmt: skip
        assert found.annotations == {"summary": "it fires"}
        assert timedelta() <= datetime.now(UTC) - found.active_at < timedelta(minutes=1)
        assert not found.is_silenced
        await _silence(grafana)
        rules = await _until_firing(client)
        assert (rules["Always"].firing or ())[0].is_silenced


async def _until_firing(client: GrafanaMCPClient) -> dict[str, RuleState]:
    async with asyncio.timeout(30):
        while True:
            rules = {rule.name: rule for rule in await client.alert_rules()}
            if rules["Always"].firing:
                return rules
            await asyncio.sleep(0.2)


async def _silence(grafana: str) -> None:
    now = datetime.now(UTC)
    body = {
        "matchers": [
            {"name": "agent_id", "value": "wri.*", "isRegex": True, "isEqual": True},
            {"name": "severity", "value": "info", "isRegex": False, "isEqual": False},
        ],
        "startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "a test", "comment": "known",
    }  # fmt: skip
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}) as http:
        answer = await http.post(f"{grafana}/api/alertmanager/grafana/api/v2/silences", json=body)
        assert answer.status_code == 202
