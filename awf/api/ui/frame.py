"""What every page shows around its content."""

from __future__ import annotations

from typing import Any

from awf.api.access import may
from awf.api.runtime import Runtime
from awf.core.ports import Principal


async def frame(parts: Runtime, asker: Principal) -> dict[str, Any]:
    """Return how many approvals wait, whether the watcher is paused, and what the one who looks may do."""
    return {
        "pending_count": len(await parts.approvals.pending()),
        "is_paused": await parts.switch.is_paused(),
        "may_decide": may(asker, "decide"),
        "may_operate": may(asker, "operate"),
    }
