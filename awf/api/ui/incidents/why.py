"""Why an incident's action was chosen, and what let it happen, read from the incident's timeline."""

from __future__ import annotations

from dataclasses import dataclass

from awf.core.incident_history import considered_in, last_with
from awf.core.incidents import Incident


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
    chosen = last_with(incident, "play")
    judged = last_with(incident, "rule")
    return Why(
        play=str(chosen.detail["play"]) if chosen else "",
        considered=considered_in(incident),
        answer=judged.text if judged else "",
        rule=str(judged.detail["rule"]) if judged else "",
        policy_hash=str(judged.detail.get("policy_hash", "")) if judged else "",
    )
