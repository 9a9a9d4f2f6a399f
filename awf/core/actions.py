"""What the watcher and the remediation tell each other about one action."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from awf.core.incidents import ActionCall, Approval, Evidence
from awf.core.leases import Lease
from awf.core.types import IncidentId


@dataclass(frozen=True, slots=True)
class ActionInfo:
    """What is known about a registered action before it is planned."""

    name: str
    description: str
    is_reversible: bool
    blast_radius: str
    is_custom: bool = False  # the operator's own: an alert's text cannot name it, the playbook can


@dataclass(frozen=True, slots=True)
class Plan:
    """An action with its exact arguments, or why it cannot be taken here."""

    call: ActionCall | None
    why: str


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """An action that is to be taken for an incident; `approval` when a person was asked."""

    incident_id: IncidentId
    call: ActionCall
    severity: str
    summary: str
    link: str = ""  # the incident's page
    approval: Approval | None = None
    decided_at: datetime | None = None  # when the rules chose it; an old choice is not carried out
    is_trusted: bool = True  # False: whoever sent the alert is not known, so only an approval counts
    lease: Lease | None = None  # of who orders it; one that has ended orders nothing


class ApplyStatus(StrEnum):
    APPLIED = "applied"
    REFUSED = "refused"  # by policy or a limit, before anything was done
    FAILED = "failed"  # an engine said no; what others had done was put back
    UNCONFIRMED = "unconfirmed"  # no engine, or no answer in time: nobody knows


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of an action. `before` holds the orders that restore what stood before."""

    status: ApplyStatus
    detail: str
    at: datetime
    before: tuple[Mapping[str, Any], ...] = ()


class Effect(StrEnum):
    EFFECTIVE = "effective"
    INEFFECTIVE = "ineffective"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether an action helped, as a signal shows that the action did not write."""

    effect: Effect
    statement: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """An action that was begun, for the limits: where, and what came of it. `outcome` is empty until that is known."""

    incident_id: IncidentId
    action: str
    digest: str
    places: tuple[str, ...]
    at: datetime
    approved_by: str = ""
    outcome: str = ""
    is_over: bool = False  # it has an outcome, or its incident is closed
