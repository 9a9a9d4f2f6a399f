"""What the API needs, as ports and a few values; the composition root fills it in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request

from awf.core.clock import Clock, SystemClock
from awf.core.counters import Counters
from awf.core.decision_links import DecisionLinks
from awf.core.ports import (
    AlertIntake,
    ApprovalStore,
    AuditLog,
    Buttons,
    ControlStore,
    DashboardSource,
    EngineDirectory,
    ExecutionStore,
    IncidentStore,
    Leases,
    ReplayMemory,
    SessionStore,
    TokenStore,
    WatcherSwitch,
)

ReadinessCheck = Callable[[], Awaitable[None]]
"""Returns when the part is ready, raises an AwfError that says why it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The parts behind the API. Set `stopping` before the server waits for its connections to close:
    it ends every stream."""

    incidents: IncidentStore
    approvals: ApprovalStore
    audit: AuditLog
    controls: ControlStore
    directory: EngineDirectory
    executions: ExecutionStore
    tokens: TokenStore
    sessions: SessionStore
    replays: ReplayMemory
    switch: WatcherSwitch
    intake: AlertIntake
    dashboards: DashboardSource | None = None
    buttons: Buttons | None = None
    links: DecisionLinks | None = None
    leases: Leases | None = None
    webhook_secret: str = ""
    webhook_max_bytes: int = 1_000_000
    public_url: str = "http://127.0.0.1:8000"
    version: str = "dev"
    is_loopback: bool = True
    counters: Counters = field(default_factory=Counters)
    readiness: Mapping[str, ReadinessCheck] = field(default_factory=dict)
    clock: Clock = field(default_factory=SystemClock)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_https(self) -> bool:
        return urlsplit(self.public_url).scheme == "https"


def get_runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


Parts = Annotated[Runtime, Depends(get_runtime)]
