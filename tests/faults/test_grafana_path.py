"""The watcher's only eyes fail: mcp-grafana dies, hangs or lies, Grafana is away. It says what it could not see, and does
nothing that nobody agreed to."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from awf.agents.investigation import Budget, Investigator
from awf.agents.parts import WatcherConfig
from awf.agents.toolbox import GrafanaMCPClient
from awf.core.counters import Counters
from awf.core.incidents import ActionOutcome, CauseClass, Incident, IncidentStatus
from awf.embedded.server import EmbeddedConfig, EmbeddedServer, Ports
from awf.remediation.spec import RemediationConfig
from awf.state.state import State
from awf.testing import FakeClock, FakeControls, FakePeople, FakeTelemetry
from tests.mcp_grafana import COMMAND
from tests.unit.agents._grafana import serving
from tests.unit.agents._system import ALERT_AT, NOW, System, alert, engine, failing_writer
from tests.unit.embedded.remote_write._messages import pack, request, series_of

LIAR = Path(__file__).with_name("_liar.py")
STEP_S, LENGTH = 5, timedelta(minutes=11)
TOKEN = "token of grafana"


@pytest.fixture(scope="module")
def scene() -> tuple[FakeTelemetry, timedelta]:
    """A writer that fails, as telemetry would show it now, and by how much its times are moved."""
    found = FakeTelemetry(FakeClock(NOW))
    failing_writer(found)
    return found, datetime.now(UTC) - NOW


@asynccontextmanager
async def backend(tmp_path: Path, scene: tuple[FakeTelemetry, timedelta]) -> AsyncIterator[str]:
    """Run the embedded backend with the scene in it; yields the address of its Grafana."""
    (tmp_path / "rules").mkdir()
    config = EmbeddedConfig(
        data_dir=tmp_path / "data", rules_dir=tmp_path / "rules", ports=Ports(0, 0, 0, 0, 0, 0),
        grafana_token=TOKEN,
    )  # fmt: skip
    server = EmbeddedServer(config)
    await server.start()
    try:
        async with httpx.AsyncClient(timeout=30) as http:
            await _tell(http, server.addresses, *scene)
        yield server.addresses["grafana"]
    finally:
        await server.stop()


async def _tell(
    http: httpx.AsyncClient, addresses: dict[str, str], found: FakeTelemetry, moved: timedelta
) -> None:
    end = NOW.timestamp()
    times = [
        end - LENGTH.total_seconds() + STEP_S * number
        for number in range(int(LENGTH.total_seconds()) // STEP_S)
    ]
    shift = moved.total_seconds()
    sent = [
        series_of(labels, *(
            (round((at + shift) * 1000), value) for at in times if (value := value_at(at)) is not None
        ))
        for labels, value_at in found._series
    ]  # fmt: skip
    headers = {
        "Content-Encoding": "snappy", "Content-Type": "application/x-protobuf",
        "X-Prometheus-Remote-Write-Version": "0.1.0",
    }  # fmt: skip
    url = f"{addresses['mimir']}/api/v1/push"
    assert (await http.post(url, content=pack(request(*sent)), headers=headers)).is_success
    records = [
        {
            "timeUnixNano": str(int((line.at + moved).timestamp() * 1e9)), "severityNumber": 13,
            "body": {"stringValue": line.line},
            "attributes": [
                {"key": key, "value": {"stringValue": text}}
                for key, text in line.labels.items() if key != "service_name"
            ],
        }
        for line in found.log_lines if line.at <= NOW
    ]  # fmt: skip
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "awf-demo"}}]}
    body = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]}
    assert (await http.post(f"{addresses['otlp_http']}/v1/logs", json=body)).status_code == 200


@asynccontextmanager
async def watcher(command: str, grafana: str, *, patience_s: float = 3.0) -> AsyncIterator[System]:
    """A watcher whose telemetry is this program's."""
    clock = FakeClock(datetime.now(UTC))
    box = GrafanaMCPClient(grafana, token=TOKEN, command=command, timeout_s=patience_s)
    async with await State.open(clock=clock) as state:
        system = System(
            state, clock, box, FakeControls(engine()), FakePeople(), Counters(), RemediationConfig()  # type: ignore[arg-type]
        )  # fmt: skip
        investigator = Investigator(box, clock, budget=Budget(seconds=patience_s))
        system.start(investigator=investigator, config=WatcherConfig(looks=1))
        try:
            yield system
        finally:
            await system.watcher.aclose()
            await box.aclose()


def lying(tmp_path: Path, mode: str, after: int) -> str:
    """Return a program that is mcp-grafana until so many calls were answered."""
    path = tmp_path / "mcp-grafana"
    path.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" "{LIAR}" "{mode}" {after} "{tmp_path}/calls" "{COMMAND}" "$@"\n'
    )
    path.chmod(0o755)
    return str(path)


async def handle(system: System, moved: timedelta) -> Incident:
    firing = alert(agent_id="writer")
    object.__setattr__(firing, "starts_at", ALERT_AT + moved)
    return await system.alert(firing)


def says_what_it_did_not_see(incident: Incident) -> bool:
    entry = next(each for each in incident.timeline if each.kind == "investigation")
    return bool(incident.not_looked_at) and entry.detail["not_looked_at"] == list(incident.not_looked_at)


async def test_the_scene_is_acted_on_when_nothing_is_in_the_way(tmp_path: Path, scene: Any) -> None:
    async with backend(tmp_path, scene) as grafana, watcher(COMMAND, grafana, patience_s=60.0) as system:
        incident = await handle(system, scene[1])
    assert incident.cause is CauseClass.AGENT_ERROR
    assert incident.not_looked_at == ()
    assert system.kinds == ["set_fallback_forced"]
    assert incident.outcome is ActionOutcome.INCONCLUSIVE, (
        "no traffic came after the action: that is no success"
    )
    assert all(
        item.link.startswith(f"{grafana}/explore?") for item in incident.hypotheses[0].evidence if item.query
    )


async def test_a_program_that_dies_once_in_the_middle_is_started_again_and_nothing_is_missed(
    tmp_path: Path, scene: Any
) -> None:
    command = lying(tmp_path, "die once", 4)
    async with backend(tmp_path, scene) as grafana, watcher(command, grafana, patience_s=60.0) as system:
        incident = await handle(system, scene[1])
    assert (tmp_path / "calls.died").exists()
    assert incident.not_looked_at == ()
    assert system.kinds == ["set_fallback_forced"]


@pytest.mark.parametrize("after", [0, 8])
@pytest.mark.parametrize("mode", ["die", "hang", "prose", "list", "wrong", "deep", "null", "no protocol"])
async def test_answers_that_fail_in_the_middle_lead_to_people_and_to_no_action(
    tmp_path: Path, scene: Any, mode: str, after: int
) -> None:
    command = lying(tmp_path, mode, after)
    async with backend(tmp_path, scene) as grafana, watcher(command, grafana) as system:
        incident = await handle(system, scene[1])
        asked = await system.state.approvals.pending()
    assert system.kinds == []
    assert says_what_it_did_not_see(incident)
    if incident.status is IncidentStatus.AWAITING_APPROVAL:
        assert len(asked) == 1
    else:
        assert (incident.status, incident.outcome) == (IncidentStatus.ESCALATED, ActionOutcome.NOTIFIED)
        assert system.people.pages


@pytest.mark.parametrize(
    "script", ["yes '{\"jsonrpc\": 7}'", "cat /dev/urandom", "exec sleep 60", "exit 3", "cat > /dev/null"],
    ids=["no messages", "noise", "silence", "ends at once", "reads only"],
)  # fmt: skip
async def test_a_program_that_is_no_mcp_grafana_leads_to_people(tmp_path: Path, script: str) -> None:
    path = tmp_path / "mcp-grafana"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    async with watcher(str(path), "http://127.0.0.1:1") as system:
        incident = await handle(system, datetime.now(UTC) - NOW)
    assert (incident.cause, incident.outcome) == (CauseClass.UNKNOWN, ActionOutcome.NOTIFIED)
    assert says_what_it_did_not_see(incident)
    assert system.kinds == []


async def test_a_grafana_that_is_away_is_named_as_what_nobody_could_see(scene: Any) -> None:
    async with watcher(COMMAND, "http://127.0.0.1:1") as system:
        incident = await handle(system, scene[1])
    assert (incident.status, incident.outcome) == (IncidentStatus.ESCALATED, ActionOutcome.NOTIFIED)
    assert "signals could not be looked at" in incident.hypotheses[0].summary
    assert any("connection refused" in each for each in incident.not_looked_at)
    assert system.kinds == []


@pytest.mark.parametrize("body", ["<html>log in first</html>", '{"status": "success"}', "[]"])
async def test_something_else_at_grafanas_address_shows_nothing(scene: Any, body: str) -> None:
    async def answer(_: Request) -> HTMLResponse:
        return HTMLResponse(body, media_type="application/json")

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    async with serving(app) as url, watcher(COMMAND, url) as system:
        incident = await handle(system, scene[1])
    assert incident.cause is CauseClass.UNKNOWN
    assert system.kinds == []
    assert incident.outcome is ActionOutcome.NOTIFIED
