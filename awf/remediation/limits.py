"""How often the watcher may act, counted in the audit log: so it holds over restarts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from awf.core.actions import WorkOrder
from awf.core.incidents import AuditEntry, Target
from awf.core.ports import AuditLog
from awf.remediation.spec import RemediationConfig

INTENT = "action.intent"
HOUR = timedelta(hours=1)
PAGE, MOST_PAGES = 200, 20


class Limits:
    """Cooldown per action and place, actions per hour, one action at a time on a place."""

    def __init__(self, audit: AuditLog, config: RemediationConfig) -> None:
        self._audit = audit
        self._config = config
        self._busy: dict[str, str] = {}  # place -> incident

    async def intents(self, now: datetime) -> list[AuditEntry]:
        """Return the intents that still count, newest first."""
        since = now - max(HOUR, timedelta(seconds=self._config.cooldown_s))
        found: list[AuditEntry] = []
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            page = await self._audit.list(limit=PAGE, cursor=cursor)
            found += [entry for entry in page.items if entry.event == INTENT and entry.at >= since]
            cursor = page.next_cursor
            if cursor is None or (page.items and page.items[-1].at < since):
                break
        return found

    def refusal(
        self, work: WorkOrder, places: Sequence[Target], intents: Sequence[AuditEntry], now: datetime
    ) -> str:
        """Say why an action may not be taken now; empty when it may. The hourly slot is looked at last."""
        keys = place_keys(places)
        for key in keys:
            holder = self._busy.get(key)
            if holder not in (None, work.incident_id):
                return f"incident {holder} acts on {key} at this moment"
        cooldown = timedelta(seconds=self._config.cooldown_s)
        for entry in intents:
            is_same = entry.detail.get("action") == work.call.name
            shared = set(keys) & set(entry.detail.get("places", ()))
            if is_same and shared and entry.at + cooldown > now:
                waited = (now - entry.at).total_seconds()
                return (
                    f"{work.call.name} was taken on {min(shared)} {waited:.0f} s ago; "
                    f"the cooldown is {cooldown.total_seconds():.0f} s"
                )
        automatic = [
            each for each in intents
            if each.at > now - HOUR and each.detail.get("places") and not each.detail.get("approved_by")
        ]  # fmt: skip
        if keys and work.approval is None and len(automatic) >= self._config.max_actions_per_hour:
            return f"{len(automatic)} automatic actions in the last hour, the most allowed"
        return ""

    def hold(self, work: WorkOrder, places: Sequence[Target]) -> None:
        """Keep others from these places until `release`."""
        self._busy.update(dict.fromkeys(place_keys(places), work.incident_id))

    def release(self, incident_id: str) -> None:
        self._busy = {key: holder for key, holder in self._busy.items() if holder != incident_id}


def place_keys(places: Sequence[Target]) -> list[str]:
    """Return one key a place: an agent seen from two steps is two places, a step is one whatever its agent."""
    return [
        str(Target(workflow_id=place.workflow_id, step_id=place.step_id, execution_id=place.execution_id))
        if place.step_id or place.execution_id
        else str(place)
        for place in places
    ]
