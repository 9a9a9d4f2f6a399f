"""The watcher and the API over one state, on a real socket, with people who have tokens."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

import httpx

from awf.api.app import create_app
from awf.api.runtime import Runtime
from awf.core.decision_links import DecisionLinks
from awf.core.incidents import Approval, Incident
from awf.notify._slack_buttons import APPROVE, sign
from awf.remediation.policy import Rule, RulePolicy
from awf.state import State
from tests.postgres import PASSWORD
from tests.unit.agents._grafana import serving
from tests.unit.agents._system import NOW, System, alert, failing_writer

SECRET = "the secret of the webhook"
SLACK_SECRET = "the signing secret of the Slack app"
SLACK_PATH = "/webhooks/slack/actions"
ADMIN_TOKEN = "the token of the first admin"


def asks(action: str = "switch_fallback", **rule: Any) -> RulePolicy:
    """A policy by which people decide on an action."""
    return RulePolicy([Rule.model_validate({"name": "people", "action": action, "decision": "ask", **rule})])


@dataclass
class Service:
    """Where it is, what it works on, and clients by the name of a token."""

    system: System
    runtime: Runtime
    http: httpx.AsyncClient
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return str(self.http.base_url).rstrip("/")

    @property
    def links(self) -> DecisionLinks:
        assert self.runtime.links is not None
        return self.runtime.links

    async def person(self, name: str, role: str = "approver") -> str:
        self.tokens[name] = await self.system.state.tokens.create(name, role)
        return self.tokens[name]

    async def post(self, path: str, name: str = "", body: Any = None) -> httpx.Response:
        """Send one request, as someone or as a stranger. What is sent at once goes over connections of its own."""
        headers = {"Authorization": f"Bearer {self.tokens[name]}"} if name else {}
        return await self.http.post(path, json=body, headers=headers)

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
async def replica_of(system: System, url: str, **more: Any) -> AsyncIterator[System]:
    """Another watcher on the same database, over connections of its own."""
    async with await State.open(url, clock=system.clock, password=lambda: PASSWORD) as state:
        other = replace(system, state=state)
        other.start(name="other", **more)
        yield other
        await other.watcher.aclose()


@asynccontextmanager
async def service_of(system: System, **more: Any) -> AsyncIterator[Service]:
    state = system.state
    runtime = Runtime(
        incidents=state.incidents, approvals=state.approvals, audit=state.audit, controls=state.controls,
        directory=state.controls, executions=state.executions, tokens=state.tokens, sessions=state.sessions, replays=state.replays,
        switch=state.switch, intake=system.watcher, webhook_secret=SECRET, clock=system.clock,
        links=DecisionLinks(ADMIN_TOKEN, "http://127.0.0.1:8000"), **more,
    )  # fmt: skip
    async with AsyncExitStack() as opened:
        url = await opened.enter_async_context(serving(create_app(runtime)))
        opened.callback(runtime.stopping.set)
        http = httpx.AsyncClient(trust_env=False, timeout=30, base_url=url)
        yield Service(system, runtime, await opened.enter_async_context(http))


def press_of(approval_id: str, user: str = "U1", action: str = APPROVE) -> bytes:
    """What Slack sends when a user presses a button; without an address to reply to."""
    made = {
        "type": "block_actions", "user": {"id": user}, "actions": [{"action_id": action, "value": approval_id}],
    }  # fmt: skip
    return urlencode({"payload": json.dumps(made)}).encode()


def signed_as_slack(
    service: Service, body: bytes, *, secret: str = SLACK_SECRET, age_s: int = 0
) -> dict[str, str]:
    moment = str(int(service.system.clock.now().timestamp()) - age_s)
    return {"X-Slack-Signature": sign(secret, body, moment), "X-Slack-Request-Timestamp": moment}


async def press(
    service: Service, approval_id: str, headers: Mapping[str, str] | None = None, *, body: bytes = b""
) -> httpx.Response:
    """Press a button as Slack says it; signed now, unless other headers are given."""
    body = body or press_of(approval_id)
    headers = signed_as_slack(service, body) if headers is None else headers
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return await service.http.post(SLACK_PATH, content=body, headers={**form, **headers})
