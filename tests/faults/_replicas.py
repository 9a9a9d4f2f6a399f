"""Services on one database, an engine with a journal of its own, and the stories that are told through them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx

from awf.core.codec import to_json
from awf.core.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from awf.core.types import AgentId, AgentManifest, ControlAck, ControlChange, StepId, WorkflowId
from awf.orchestration import (
    AgentResult,
    Controls,
    Engine,
    EventEmitter,
    Registry,
    Step,
    StepContext,
    Workflow,
)
from awf.orchestration.link import EngineLink
from awf.orchestration.remote import HttpDirectory
from tests.e2e.product import free_ports
from tests.faults._scene import BACKUP, JOURNAL, STEP
from tests.postgres import PASSWORD

T = TypeVar("T")

ADMIN, WORKER, SECRET = "an admin of this test", "a worker of this test", "a webhook secret of this test"
LEASE_S = 2
POLICY = """
rules:
  - {name: asked, target: {agent_id: "asked-*"}, decision: ask}
  - {name: rest, action: "*", decision: allow}
"""
CLOSED = ("resolved", "escalated", "inconclusive", "false_alarm")


class Service:
    """One `awf serve` of the test's, which may be told where to die."""

    def __init__(self, folder: Path, name: str, *, database: str = "") -> None:
        self.port = free_ports(1)[0]
        data_dir = folder / (name if database else "data")
        data_dir.mkdir(exist_ok=True)
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"{name}.log"
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWF_", "OTEL_"))}
        self._environ = kept | {
            "AWF_API_PORT": str(self.port), "AWF_DATA_DIR": str(data_dir), "AWF_ALERT_POLL_S": "0",
            "AWF_DATABASE_URL": database, "AWF_DATABASE_PASSWORD": PASSWORD if database else "",
            "AWF_BOOTSTRAP_TOKEN": ADMIN, "AWF_WORKER_TOKEN": WORKER, "AWF_WEBHOOK_SECRET": SECRET,
            "AWF_LEASE_S": str(LEASE_S), "AWF_SETTLE_S": "0.2", "AWF_COOLDOWN_S": "0",
            "AWF_MAX_ACTIONS_PER_HOUR": "100000", "AWF_POLICY_FILE": str(folder / "policy.yaml"),
            "AWF_TEST_SCENE": str(folder),
        }  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self, kill: str = "", number: str = "SIGKILL") -> None:
        """Start it, to die at a point of `_mortal.py`, and wait until it answers."""
        environ = self._environ | {"AWF_TEST_KILL": kill, "AWF_TEST_SIGNAL": number}
        with self.log.open("ab") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults._mortal"], env=environ, stdout=stream, stderr=stream
            )
        await until("the service", self.is_up, 60)

    async def is_up(self) -> bool:
        assert self.is_running, f"the service ended: {self.log.read_text()[-3000:]}"
        return (await self.get("/healthz")) is not None

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=10)

    async def get(self, path: str) -> Any:
        """Return an answer's JSON, None while there is none."""
        with contextlib.suppress(httpx.HTTPError):
            answer = await self._ask("GET", path)
            return answer.json() if answer.status_code == 200 else None
        return None

    async def deliver(self, *alerts: dict[str, Any]) -> bool:
        """Post signed alerts as Grafana does; whether they were taken."""
        body, headers = signed(alerts)
        with contextlib.suppress(httpx.HTTPError):
            answer = await self._ask("POST", "/webhooks/grafana-alerts", content=body, headers=headers)
            return answer.status_code == 202
        return False

    async def approve(self, approval_id: str) -> bool:
        """Say yes; whether that is stored, by this answer or by an earlier one that got lost."""
        with contextlib.suppress(httpx.HTTPError):
            answer = await self._ask("POST", f"/approvals/{approval_id}/approve")
            return answer.status_code in (200, 409)
        return False

    async def _ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {ADMIN}"} | arguments.pop("headers", {})
        async with httpx.AsyncClient(timeout=20) as client:
            return await client.request(method, f"{self.url}{path}", headers=headers, **arguments)


class JournalledControls(Controls):
    """Controls that write down what they did, in words of the engine's and not of the watcher's."""

    def __init__(self, registry: Registry, path: Path, journal: Path) -> None:
        super().__init__(registry, path)
        self._journal = journal

    async def apply(self, change: ControlChange) -> ControlAck:
        known = change.id in self._state.acks
        ack = await super().apply(change)
        if not known:
            entry = {**change.arguments, "at": to_json(datetime.now(UTC)), "status": ack.status.value}
            with self._journal.open("a") as stream:
                stream.write(f"{json.dumps(entry)}\n")
        return ack


@dataclass
class Stories:
    """Agents that begin to fail one after the other, each with one alert; and what became of each."""

    folder: Path
    services: list[Service]
    failing: dict[str, str] = field(default_factory=dict)

    def begin(self, agent: str) -> dict[str, Any]:
        """Let an agent fail since a while, and return the alert about it."""
        now = datetime.now(UTC)
        self.failing[agent] = to_json(now - timedelta(seconds=40))
        draft = self.folder / "scene.new"
        draft.write_text(json.dumps(self.failing))
        draft.replace(self.folder / "scene.json")
        return {
            "status": "firing", "labels": {"alertname": "AWFAgentErrors", "agent_id": agent, "severity": "critical"},
            "annotations": {}, "startsAt": to_json(now), "fingerprint": agent,
        }  # fmt: skip

    async def deliver(self, alert: dict[str, Any]) -> None:
        """Send an alert to the service that stays until it is taken, as Grafana does."""
        await until("a service that takes it", lambda: self.services[-1].deliver(alert), 60)

    async def incidents(self, agent: str) -> list[dict[str, Any]]:
        found = await self.services[-1].get("/incidents?limit=200")
        return [
            each for each in (found or {"items": []})["items"]
            if any(alert["fingerprint"] == agent for alert in each["alerts"])
        ]  # fmt: skip

    async def question(self, agent: str) -> str:
        """Return the question that the watcher asks about an agent."""

        async def look() -> str | None:
            found = await self.incidents(agent)
            is_asked = found and found[0]["status"] == "awaiting_approval"
            return str(found[0]["approval_id"]) if is_asked else None

        return await until(f"a question about {agent}", look, 60)

    async def end(self, agent: str) -> dict[str, Any]:
        """Return the incident of an agent once it is closed; there is one."""

        async def look() -> dict[str, Any] | None:
            found = await self.incidents(agent)
            return found[0] if found and found[0]["status"] in CLOSED else None

        incident = await until(f"the end of the incident of {agent}", look, 90)
        assert len(await self.incidents(agent)) == 1, f"{agent} has several incidents"
        self.failing.pop(agent, None)
        return incident

    def done(self, agent: str) -> list[bool]:
        """Return what the engine did to an agent's step, by its own journal."""
        path = self.folder / JOURNAL
        entries = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [
            each["forced"] for each in entries if each["workflow_id"] == agent and each["status"] == "applied"
        ]

    def points(self) -> list[str]:
        """Return the writes that were counted so far, and forget them."""
        path = self.folder / "points"
        found = path.read_text().split() if path.exists() else []
        path.unlink(missing_ok=True)
        return found


@asynccontextmanager
async def running_engine(folder: Path, agents: list[str], service: Service) -> AsyncIterator[None]:
    """Run an engine that reaches the services by one of them, with a workflow for each agent."""
    registry = Registry()

    async def act(_: StepContext) -> AgentResult:
        return AgentResult({})

    for name in (*agents, BACKUP):
        registry.add_agent(AgentManifest(AgentId(name), name, "1"), act)
    for name in agents:
        step = Step(StepId(STEP), AgentId(name), fallback_agent_id=AgentId(BACKUP))
        registry.add_workflow(Workflow(WorkflowId(name), (step,)))
    emitter = EventEmitter()
    controls = JournalledControls(registry, folder / "controls.json", folder / JOURNAL)
    engine = Engine(registry, emitter, controls, engine_id="engine")
    directory = HttpDirectory(service.url, token=WORKER)
    link = asyncio.create_task(EngineLink(engine, directory, directory, heartbeat_s=1.0).run())
    try:
        yield
    finally:
        await engine.aclose(0.0)
        link.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await link
        await directory.aclose()
        await emitter.aclose(1.0)


def signed(alerts: Sequence[dict[str, Any]]) -> tuple[bytes, dict[str, str]]:
    """Return a delivery's body and headers as Grafana makes them."""
    body = json.dumps({"alerts": alerts}).encode()
    now = int(time.time())
    return body, {SIGNATURE_HEADER: sign(SECRET, body, now), TIMESTAMP_HEADER: str(now)}


async def until(what: str, look: Callable[[], Awaitable[T | None]], timeout_s: float) -> T:
    """Look until there is something."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = await look()
        if found:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"no {what} within {timeout_s:.0f} s")
