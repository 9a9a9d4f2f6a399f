"""At most once, for what cannot be ordered twice: whoever wrote first in the audit log that it begins, begins."""

from __future__ import annotations

from datetime import timedelta

from awf.core.actions import WorkOrder
from awf.core.incidents import WATCHER_NAME
from awf.core.ports import AuditLog

BEGUN = "action.begun"
_PAGE = 200
_SKEW = timedelta(hours=1)  # between the clocks of replicas, at the very most


async def is_first(audit: AuditLog, work: WorkOrder, phase: str) -> bool:
    """Write down that a phase of an order begins; whether it had not begun before, here or at another replica.

    The log's order decides: of two that write at once, the second finds the first one's entry before its own.
    """
    key = {"action": work.call.name, "digest": work.call.digest, "phase": phase}
    mine = await audit.append(actor=WATCHER_NAME, event=BEGUN, subject=work.incident_id, detail=key)
    since = work.approval.created_at if work.approval else work.decided_at
    cursor: str | None = None
    while True:
        page = await audit.list(limit=_PAGE, cursor=cursor)
        for entry in page.items:
            is_same = entry.event == BEGUN and entry.subject == work.incident_id and entry.detail == key
            if is_same and entry.seq < mine.seq:
                return False
            if since is not None and entry.at < since - _SKEW:
                return True
        cursor = page.next_cursor
        if cursor is None:
            return True
