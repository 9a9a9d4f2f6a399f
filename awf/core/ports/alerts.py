"""Where alerts come in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from awf.core.incidents import Alert, Approval
from awf.core.types import ApprovalId, Json


class AlertIntake(Protocol):
    """What the webhook endpoint and the pages need of the watcher."""

    async def handle_alert(self, alerts: Sequence[Alert], body: bytes) -> Json:
        """Store, deduplicate and start work; returns `{"status", "incidents": [...], "duplicates": n}`.
        Returns only after everything is durable."""
        ...

    async def approve_action(self, approval_id: ApprovalId, *, by: str, reason: str = "") -> Approval: ...

    async def reject_action(self, approval_id: ApprovalId, *, by: str, reason: str) -> Approval: ...
