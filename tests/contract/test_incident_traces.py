"""The trace of an incident that ended, sent by OTLP to the embedded backend and asked for as Grafana would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from awf.core.incidents import Incident, IncidentStatus
from awf.core.ports import IncidentStore
from awf.embedded.server import EmbeddedConfig, EmbeddedServer, Ports
from awf.errors import StateUnavailable
from awf.orchestration.telemetry.delivery import Stop
from awf.settings import Settings
from awf.wiring import incident_traces
from awf.wiring.incident_traces import IncidentTraces, build_incident_traces, incident_spans, trace_id_of
from tests.unit.agents._system import NOW, System, alert, failing_writer, open_system

WRITER = alert(agent_id="writer")


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    (tmp_path / "rules").mkdir()
    ports = Ports(0, 0, 0, 0, 0, 0)
    server = EmbeddedServer(EmbeddedConfig(tmp_path / "data", tmp_path / "rules", ports=ports))
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@pytest.fixture
async def system() -> AsyncIterator[System]:
    async with open_system() as found:
        yield found


async def end_of(system: System, *, helped: bool) -> Incident:
    failing_writer(system.telemetry, recovers_at=NOW + timedelta(seconds=1) if helped else None)
    return await system.alert(WRITER)


async def test_a_closed_incident_is_one_trace_that_tempo_finds(
    system: System, backend: EmbeddedServer, tmp_path: Path
) -> None:
    port = int(backend.addresses["otlp_grpc"].rsplit(":", 1)[1])
    settings = Settings(data_dir=tmp_path, otlp_grpc_port=port)
    traces = build_incident_traces(settings, system.state.incidents, system.counters)
    incident = _of_now(await end_of(system, helped=True))
    traces.start()
    await asyncio.sleep(0)  # it follows what is saved from now on
    await system.state.incidents.save(incident)
    found = await _trace(backend.addresses["tempo"], trace_id_of(incident))
    await traces.aclose()
    spans = {span["name"]: span for span in found}
    assert set(spans) == {
        "awf.incident", "awf.incident.investigating", "awf.incident.acting", "awf.incident.verifying",
        "awf.incident.look",
    }  # fmt: skip
    root = spans.pop("awf.incident")
    assert {span["parentSpanId"] for span in spans.values()} == {root["spanId"]}
    assert incident.resolved_at is not None
    took_s = (incident.resolved_at - incident.opened_at).total_seconds()
    assert (int(root["endTimeUnixNano"]) - int(root["startTimeUnixNano"])) / 1e9 == pytest.approx(took_s)
    assert _attributes(root) >= {
        ("status", "resolved"), ("cause", "agent_error"), ("action", "switch_fallback"),
        ("outcome", "verified"), ("decided_by", "rules"),
    }  # fmt: skip


async def test_each_incident_is_sent_once_and_with_the_same_ids_by_every_replica(system: System) -> None:
    sent: list[list[str]] = []

    class Outlet:
        def send(self, spans: Any, is_expired: Any) -> None:
            sent.append([span.span_id for span in spans])

    replicas = [IncidentTraces(system.state.incidents, Outlet(), Stop()) for _ in range(2)]
    for each in replicas:
        each.start()
    await end_of(system, helped=False)  # undone: more is stored after it was closed
    for each in replicas:
        await asyncio.sleep(0.05)
        await each.aclose()
    assert len(sent) == 2
    assert sent[0] == sent[1]


async def test_a_database_that_is_away_for_a_moment_ends_nothing(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    away = [StateUnavailable("the state database is away")]

    class Outlet:
        def send(self, spans: Any, is_expired: Any) -> None:
            sent.append(spans)

    class Incidents:
        async def changed(self) -> AsyncIterator[Incident]:
            if away:
                raise away.pop()
            async for incident in system.state.incidents.changed():
                yield incident

    monkeypatch.setattr(incident_traces, "RETRY_S", 0.01)
    traces = IncidentTraces(cast("IncidentStore", Incidents()), Outlet(), Stop())
    traces.start()
    await asyncio.sleep(0.1)
    await end_of(system, helped=True)
    await asyncio.sleep(0.1)
    await traces.aclose()
    assert (away, len(sent)) == ([], 1)


async def test_a_fix_that_did_not_help_is_an_error_and_secrets_are_masked(system: System) -> None:
    incident = await end_of(system, helped=False)
    root, *_ = incident_spans(incident, lambda text: text.replace("writer", "***"))
    assert incident.status is IncidentStatus.ESCALATED
    assert root.error
    assert "writer" not in str(root)


def _of_now(incident: Incident) -> Incident:
    """Move an incident of the tests' time to where a backend takes it."""
    by = datetime.now(UTC) - timedelta(minutes=10) - incident.opened_at
    timeline = tuple(replace(entry, at=entry.at + by) for entry in incident.timeline)
    assert incident.resolved_at is not None
    return replace(
        incident,
        opened_at=incident.opened_at + by,
        resolved_at=incident.resolved_at + by,
        timeline=timeline,
    )


async def _trace(tempo: str, trace_id: str) -> list[Any]:
    async with asyncio.timeout(20), httpx.AsyncClient(trust_env=False) as http:
        while True:
            answer = await http.get(
                f"{tempo}/api/v2/traces/{trace_id}", headers={"Accept": "application/json"}
            )
            if answer.status_code == 200 and (found := _spans(answer.json())):
                return found
            await asyncio.sleep(0.1)


def _spans(body: Any) -> list[Any]:
    return [
        span
        for resource in body["trace"].get("resourceSpans", ())
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def _attributes(span: Any) -> set[tuple[str, str]]:
    return {(each["key"], each["value"].get("stringValue", "")) for each in span["attributes"]}
