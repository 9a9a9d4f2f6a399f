"""The watcher and the API over one state, on a real socket, with people who have tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from awf.api.app import create_app
from awf.api.runtime import Runtime
from awf.core.decision_links import DecisionLinks
from awf.core.incidents import Approval, Incident
from awf.remediation.policy import Rule, RulePolicy
from tests.unit.agents._grafana import serving
from tests.unit.agents._system import NOW, System, alert, failing_writer

SECRET = "the secret of the webhook"
ADMIN_TOKEN = "the token of the first admin"


def asks(action: str = "switch_fallback", **rule: Any) -> RulePolicy:
    """A policy by which people decide on an action."""
    return RulePolicy([Rule.model_validate({"name": "people", "action": action, "decision": "ask", **rule})])


@dataclass
class Service:
    """Where it is, what it works on, and clients by the name of a token."""

    system: System
    runtime: Runtime
    url: str = ""
    tokens: dict[str, str] = field(default_factory=dict)

    async def person(self, name: str, role: str = "approver") -> str:
        self.tokens[name] = await self.system.state.tokens.create(name, role)
        return self.tokens[name]

    async def post(self, path: str, name: str = "", body: Any = None) -> httpx.Response:
        """Send one request on a connection of its own, as someone or as a stranger."""
        headers = {"Authorization": f"Bearer {self.tokens[name]}"} if name else {}
        async with httpx.AsyncClient(trust_env=False, timeout=30, base_url=self.url) as http:
            return await http.post(path, json=body, headers=headers)

    async def question(self) -> tuple[Incident, Approval]:
        """Let the watcher ask about a failing agent."""
        failing_writer(self.system.telemetry, recovers_at=NOW)
        incident = await self.system.alert(alert(agent_id="writer"))
        (approval,) = await self.system.state.approvals.pending()
        return incident, approval

    async def ended(self, incident: Incident) -> Incident:
        await self.system.watcher.settled()
        return await self.system.state.incidents.get(incident.id)


@asynccontextmanager
async def service_of(system: System, **more: Any) -> AsyncIterator[Service]:
    state = system.state
    runtime = Runtime(
        incidents=state.incidents, approvals=state.approvals, audit=state.audit, controls=state.controls,
        directory=state.controls, executions=state.executions, tokens=state.tokens, sessions=state.sessions,
        switch=state.switch, intake=system.watcher, webhook_secret=SECRET, clock=system.clock,
        links=DecisionLinks(ADMIN_TOKEN, "http://127.0.0.1:8000"), **more,
    )  # fmt: skip
    async with AsyncExitStack() as opened:
        url = await opened.enter_async_context(serving(create_app(runtime)))
        opened.callback(runtime.stopping.set)
        yield Service(system, runtime, url)
