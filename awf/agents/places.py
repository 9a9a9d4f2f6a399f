"""The places an incident is about: what joins an alert to it, and one incident to another."""

from __future__ import annotations

from awf.agents.hints import target_of
from awf.agents.investigation import CONVINCING
from awf.core.incidents import Incident, Target


def places_of(incident: Incident) -> tuple[Target, ...]:
    """Return the places an incident is about: those its alerts name, and where its cause was seen."""
    named = dict.fromkeys(target for alert in incident.alerts if (target := target_of(alert)))
    best = incident.hypotheses[0] if incident.hypotheses else None
    if best is None or best.score < CONVINCING:
        return tuple(named)
    return (*named, best.target, *best.affected, *best.shows_at)
