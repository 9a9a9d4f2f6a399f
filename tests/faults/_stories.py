"""An engine with a journal of its own, agents of it that begin to fail, and what became of each."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from awf.core.codec import to_json
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
from tests.faults._scene import BACKUP, JOURNAL, STEP
from tests.faults._service import WORKER, Service, running, until

NEWEST = 100
CLOSED = ("resolved", "escalated", "inconclusive", "false_alarm")


def in_letters(digits: str) -> str:
    """Return a number in letters: agents whose errors differ by a number alone have one cause."""
    return digits.translate(str.maketrans("0123456789", "abcdefghij"))


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
    """Agents that begin to fail, each with one alert. The last of the services is the one that is asked."""

    folder: Path
    services: list[Service]
    failing: dict[str, str] = field(default_factory=dict)
    _known: dict[str, str] = field(default_factory=dict)

    def begin(self, agent: str) -> dict[str, Any]:
        """Let an agent fail since a while, and return the alert about it."""
        now = datetime.now(UTC)
        self.failing[agent] = to_json(now - timedelta(seconds=40))
        self._tell()
        return {
            "status": "firing", "labels": {"alertname": "AWFAgentErrors", "agent_id": agent, "severity": "critical"},
            "annotations": {}, "startsAt": to_json(now), "fingerprint": agent,
        }  # fmt: skip

    def _tell(self) -> None:
        draft = self.folder / "scene.new"
        draft.write_text(json.dumps(self.failing))
        draft.replace(self.folder / "scene.json")

    async def deliver(self, alert: dict[str, Any]) -> None:
        """Send an alert until it is taken, as Grafana does."""
        await until("service that takes it", lambda: self.services[-1].deliver(alert), 60)

    async def engine(self) -> None:
        """Wait until the services know the engine."""

        async def look() -> Any:
            return ((await self.services[-1].get("/api/v1/engines")) or {}).get("items")

        await until("engine", look, 30)

    async def incidents(self, agent: str) -> list[dict[str, Any]]:
        """Return the incidents of an agent, among the newest."""
        found = await self.services[-1].get(f"/incidents?limit={NEWEST}")
        mine = [
            each for each in (found or {"items": []})["items"]
            if any(alert["fingerprint"] == agent for alert in each["alerts"])
        ]  # fmt: skip
        self._known.update((agent, str(each["id"])) for each in mine)
        return mine

    async def incident(self, agent: str) -> dict[str, Any] | None:
        """Return the incident of an agent once there is one. It is asked for alone: many ask, often."""
        known = self._known.get(agent)
        if known is None:
            return next(iter(await self.incidents(agent)), None)
        found: dict[str, Any] | None = await self.services[-1].get(f"/incidents/{known}")
        return found

    async def question(self, agent: str) -> str:
        """Return the question that the watcher asks about an agent."""

        async def look() -> str | None:
            found = await self.incident(agent)
            return str(found["approval_id"]) if found and found["status"] == "awaiting_approval" else None

        return await until(f"question about {agent}", look, 60)

    async def end(self, agent: str, timeout_s: float = 90) -> dict[str, Any]:
        """Return the incident of an agent once it is closed; there is one."""

        async def look() -> dict[str, Any] | None:
            found = await self.incident(agent)
            return found if found and found["status"] in CLOSED else None

        incident = await until(f"end of the incident of {agent}", look, timeout_s)
        assert len(await self.incidents(agent)) == 1, f"{agent} has several incidents"
        self.failing.pop(agent, None)
        self._tell()
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
async def telling(folder: Path, agents: list[str], services: list[Service]) -> AsyncIterator[Stories]:
    """Start services on one database, and an engine that reaches them by the last one."""
    async with running(folder, services), running_engine(folder, agents, services[-1]):
        stories = Stories(folder, services)
        await stories.engine()
        yield stories


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
