"""What other incidents tell about this one: what fires at the same time, and what helped when it was like this before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from awf.agents.hints import target_of
from awf.agents.probe import Probe
from awf.analysis.findings import clock_time, is_same_place
from awf.core.incidents import Alert, Evidence, Hypothesis, Incident
from awf.core.ports import IncidentStore

INCIDENTS = "other incidents"
LOOKED_AT, MOST = 50, 3


async def from_other_incidents(
    store: IncidentStore, probe: Probe, alerts: Sequence[Alert], best: Hypothesis, *, now: datetime, url: str
) -> list[Evidence]:
    """Return evidence from the newest incidents: those that are open, and those of the same cause or the same alert."""

    async def newest() -> list[Incident]:
        return list((await store.list(limit=LOOKED_AT)).items)

    mine = {alert.fingerprint for alert in alerts}
    found = await probe.ask(INCIDENTS, newest)
    others = [each for each in found if not (each.status.is_open and mine & _fingerprints(each))]
    opened = [each for each in others if each.status.is_open][:MOST]
    similar = [each for each in others if not each.status.is_open and _is_similar(each, alerts, best)][:MOST]
    return [_evidence(each, _also_open(each), now, url) for each in opened] + [
        _evidence(each, _was(each, best), now, url) for each in similar
    ]


def _fingerprints(incident: Incident) -> set[str]:
    return {alert.fingerprint for alert in incident.alerts}


def _is_similar(past: Incident, alerts: Sequence[Alert], best: Hypothesis) -> bool:
    if past.cause is best.cause and _places_meet(past, best):
        return True
    return any(
        alert.fingerprint == other.fingerprint
        or (alert.name == other.name and (target_of(alert), target_of(other)) != (None, None)
            and target_of(alert) == target_of(other))
        for alert in alerts
        for other in past.alerts
    )  # fmt: skip


def _places_meet(past: Incident, best: Hypothesis) -> bool:
    if not past.hypotheses:
        return False
    then, now = past.hypotheses[0], best
    return then.target == now.target or any(
        is_same_place(a, b) for a in (then.target, *then.affected) for b in (now.target, *now.affected)
    )


def _also_open(other: Incident) -> str:
    names = ", ".join(sorted({alert.name for alert in other.alerts if alert.status == "firing"}))
    about = f": {other.hypotheses[0].summary}" if other.hypotheses else ""
    return f"at the same time, since {clock_time(other.began_at)}, {names or 'an alert that has resolved'}{about}"


def _was(past: Incident, best: Hypothesis) -> str:
    like = (
        "the same cause"
        if past.cause is best.cause
        else f"the same alert, then {past.cause or 'of no known cause'}"
    )
    if past.action is None:
        return (
            f"{past.opened_at:%Y-%m-%d %H:%M} UTC: {like}; nothing was done, it ended as {past.status.value}"
        )
    outcome = past.outcome.value if past.outcome else past.status.value
    return f"{past.opened_at:%Y-%m-%d %H:%M} UTC: {like}; {past.action.name} was {outcome}"


def _evidence(other: Incident, told: str, now: datetime, url: str) -> Evidence:
    link = f"{url.rstrip('/')}/ui/incidents/{other.id}" if url else ""
    return Evidence("incidents", f"incident {other.id}, {told}", "", other.began_at, now, link=link)
