"""Engines, wherever they run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from awf.core.leases import Lease
from awf.core.ports.page import Page
from awf.core.types import (
    ControlAck,
    ControlChange,
    ControlKind,
    ControlOutcome,
    EngineId,
    EngineInfo,
    ExecutionId,
    ExecutionRecord,
    Json,
    WorkflowId,
)


class ControlStore(Protocol):
    """The only way to change a running engine."""

    async def submit(
        self,
        kind: ControlKind,
        arguments: Mapping[str, Any],
        *,
        requested_by: str,
        idempotency_key: str,
        lease: Lease | None = None,
    ) -> ControlOutcome:
        """Order a change and wait for the engines it concerns to acknowledge it, up to a limit.

        The same `idempotency_key` never orders twice: the first outcome is returned again. A missing
        acknowledgement shows in `ControlOutcome.waiting_for`. Raises LeaseLost, and then orders nothing.
        """
        ...

    async def engines(self) -> list[EngineInfo]:
        """Return the engines heard of lately."""
        ...

    async def await_engines(self) -> None:
        """Wait for engines that fell silent while no service could hear them, as long as they may take to report.

        At once otherwise: an engine that was silent while it could be heard is gone.
        """
        ...


class ChangeHistory(Protocol):
    """What engines were ordered."""

    async def changes_since(self, since: datetime) -> list[ControlChange]:
        """Return the newest hundred orders since then, oldest first, whoever gave them and whatever came of them."""
        ...


class EngineDirectory(Protocol):
    """The server's side of engines in other processes."""

    async def register(self, engine: EngineInfo) -> None: ...

    async def heartbeat(self, engine_id: EngineId) -> None: ...

    def changes(self, engine_id: EngineId, *, after_token: int) -> AsyncIterator[ControlChange]:
        """Yield changes that this engine has not acknowledged, oldest first, then new ones as they come."""
        ...

    async def acknowledge(self, ack: ControlAck) -> None:
        """Record an acknowledgement. Raises NotFound for an unknown change, Conflict for a second,
        different answer of one engine."""
        ...


class ExecutionStore(Protocol):
    """Executions of all engines, and their events."""

    async def save(self, record: ExecutionRecord) -> None: ...

    async def get(self, execution_id: ExecutionId) -> ExecutionRecord:
        """Raises NotFound."""
        ...

    async def list(
        self,
        *,
        workflow_id: WorkflowId | None = None,
        status: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[ExecutionRecord]: ...

    async def append_events(self, engine_id: EngineId, events: Sequence[Json]) -> None:
        """Store events in order (a repeat of an event id changes nothing) and update the executions they
        belong to. An event is the JSON form of `WorkflowEvent`."""
        ...

    def events(
        self, execution_id: ExecutionId, *, after: int = 0, follow: bool = True
    ) -> AsyncIterator[tuple[int, Json]]:
        """Yield (position, event) after a position, then new ones as they come; ends with the execution,
        or without `follow` with what is stored. Raises NotFound."""
        ...
