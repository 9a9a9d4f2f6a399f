"""Where an incident can be seen on a dashboard: around its time, with its workflow and agent chosen."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

from awf.core.incidents import Incident

AROUND = timedelta(minutes=15)


def dashboard_link(incident: Incident) -> str:
    """Return the page of the fleet when an agent is to blame, of the overview otherwise."""
    target = incident.target
    chosen = {}
    if target and target.workflow_id:
        chosen["var-workflow"] = target.workflow_id
    if target and target.agent_id:
        chosen["var-agent"] = target.agent_id
    start = int((incident.opened_at - AROUND).timestamp() * 1000)
    end = int((incident.resolved_at + AROUND).timestamp() * 1000) if incident.resolved_at else "now"
    board = "awf-agent-fleet" if "var-agent" in chosen else "awf-overview"
    return f"/ui/dashboards/{board}?{urlencode({'from': start, 'to': end, **chosen})}"
