"""Why an incident's action was chosen, and what let it happen, read from the incident's timeline."""

from __future__ import annotations

from dataclasses import dataclass

from awf.core.incidents import Incident, TimelineEntry


@dataclass(frozen=True, slots=True)
class Why:
    """The play of the playbook that proposed the action, what else was considered, and the policy's answer."""

    play: str = ""
    considered: tuple[str, ...] = ()
    answer: str = ""
    rule: str = ""
    policy_hash: str = ""


def why_of(incident: Incident) -> Why:
    """Return what the last decision says; empty where none was made."""
    chosen = _last(incident, "play")
    judged = _last(incident, "rule")
    return Why(
        play=str(chosen.detail["play"]) if chosen else "",
        considered=tuple(map(str, chosen.detail.get("considered") or ())) if chosen else (),
        answer=judged.text if judged else "",
        rule=str(judged.detail["rule"]) if judged else "",
        policy_hash=str(judged.detail.get("policy_hash", "")) if judged else "",
    )


def _last(incident: Incident, key: str) -> TimelineEntry | None:
    return next((entry for entry in reversed(incident.timeline) if key in entry.detail), None)
