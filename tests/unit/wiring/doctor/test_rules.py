"""Rules that are missing, strange or broken, in a real embedded backend that was given them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from awf.embedded.server import EmbeddedConfig, EmbeddedServer, Ports
from awf.settings import load
from awf.wiring.doctor import Finding, Status, examine

BROKEN = """
groups:
- name: workflow_slis
  interval: 1s
  rules:
  - {record: workflow:awf_executions:rate5m, expr: 'label_replace(vector(1), "a", "1", "", "") + on () (vector(1) or label_replace(vector(1), "b", "1", "", ""))'}
  - {record: awf:unknown, expr: vector(1)}
"""
STRANGE = """
groups:
- name: workflow_slis
  rules:
  - {record: awf:unknown, expr: vector(1)}
"""
ALERT = """
groups:
- name: agents
  interval: 1s
  rules:
  - {alert: AWFAgentErrors, expr: vector(1) > 2}
  - {alert: AWFUnknown, expr: vector(1) > 2}
"""


@asynccontextmanager
async def _backend(tmp_path: Path, recording: str, alerts: str) -> AsyncIterator[EmbeddedServer]:
    for folder, text in (("recording", recording), ("alerts", alerts)):
        (tmp_path / "rules" / folder).mkdir(parents=True)
        (tmp_path / "rules" / folder / "some.yaml").write_text(text)
    config = EmbeddedConfig(
        tmp_path / "data",
        tmp_path / "rules",
        ports=Ports(0, 0, 0, 0, 0, 0),
        grafana_token="token",
        rule_interval_s=1.0,
    )
    server = EmbeddedServer(config)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def _rules(server: EmbeddedServer, tmp_path: Path) -> dict[str, Finding]:
    settings = load(
        grafana_url=server.addresses["grafana"], grafana_token="token", data_dir=tmp_path / "none"
    )
    report = await examine(settings, only=["rules"])
    return {finding.what: finding for finding in report.findings}


async def test_a_broken_rule_is_named_with_its_error(tmp_path: Path) -> None:
    async with _backend(tmp_path, BROKEN, ALERT) as server:
        for _ in range(100):
            found = await _rules(server, tmp_path)
            if "fail;" in found["recording rules"].detail:
                break
            await asyncio.sleep(0.1)
    recording = found["recording rules"]
    assert recording.status is Status.FAIL
    assert recording.detail.startswith("1 fail; workflow:awf_executions:rate5m: ")


async def test_rules_that_are_not_loaded_and_rules_that_are_not_ours_are_named(tmp_path: Path) -> None:
    async with _backend(tmp_path, STRANGE, ALERT) as server:
        found = await _rules(server, tmp_path)
    assert found["recording rules"].status is found["alert rules"].status is Status.FAIL
    assert "not loaded: " in found["recording rules"].detail
    assert "AWFWorkersSaturated" in found["alert rules"].detail or "more" in found["alert rules"].detail
    assert "AWFAgentErrors" not in found["alert rules"].detail
