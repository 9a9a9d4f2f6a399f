"""The watcher's nouns: alert, evidence, hypothesis, action, approval, incident."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from awf.core.clock import isoformat
from awf.core.types import ApprovalId, IncidentId, Json

SEVERITIES: Final = ("critical", "error", "warning", "info")
"""Those that count, worst first; any other is as `none`."""

WATCHER_NAME: Final = "awf-watcher"
"""By which the watcher signs what it orders and asks."""


_BELIEVED = timedelta(days=7)  # an alert that says it began earlier, or later than now, is not believed


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert instance as Grafana's webhook describes it. Every text in it is untrusted."""

    fingerprint: str
    status: str  # firing | resolved
    starts_at: datetime
    labels: Mapping[str, str]
    annotations: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    ends_at: datetime | None = None
    rule_uid: str = ""
    generator_url: str = ""

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "unnamed alert")

    @property
    def severity(self) -> str:
        return self.labels.get("severity", "none")

    @property
    def dedupe_key(self) -> str:
        return f"{self.fingerprint}/{isoformat(self.starts_at)}/{self.status}"


class CauseClass(StrEnum):
    """What went wrong, as a closed set: policies and playbooks match on it."""

    AGENT_ERROR = "agent_error"
    AGENT_LATENCY = "agent_latency"
    RATE_LIMIT = "rate_limit"
    PROVIDER_OUTAGE = "provider_outage"
    DEPENDENCY = "dependency"
    BAD_INPUT = "bad_input"
    CONFIG_CHANGE = "config_change"
    WORKER_SATURATION = "worker_saturation"
    WORKFLOW_FAILURE = "workflow_failure"
    TOKEN_SURGE = "token_surge"  # noqa: S105 - language-model tokens
    COST_SURGE = "cost_surge"
    TELEMETRY_GAP = "telemetry_gap"
    FALSE_ALARM = "false_alarm"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Target:
    """What a cause or an action is about: the parts that apply are set, the rest are empty.

    Safety reads it: a target is built from values that queries returned, never from alert text.
    """

    workflow_id: str = ""
    step_id: str = ""
    agent_id: str = ""
    execution_id: str = ""
    provider: str = ""

    def __str__(self) -> str:
        parts = (f"{key.removesuffix('_id')} {value}" for key, value in asdict(self).items() if value)
        return ", ".join(parts) or "the whole system"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One observation: what was asked, over which window, and what it said."""

    signal: str  # metrics | logs | traces | annotations | controls | incidents
    statement: str  # in words, with numbers and units
    query: str
    start: datetime
    end: datetime
    value: float | None = None
    baseline: float | None = None
    link: str = ""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A possible cause, its weight in 0..1, what speaks for it and what against."""

    cause: CauseClass
    target: Target
    score: float
    summary: str
    evidence: tuple[Evidence, ...] = ()
    against: tuple[str, ...] = ()
    affected: tuple[Target, ...] = ()  # the places where queries showed it, worst first
    shows_at: tuple[Target, ...] = ()  # where its consequences are seen, when that is elsewhere


@dataclass(frozen=True, slots=True)
class Advice:
    """Who ordered the hypotheses and chose among the playbook's candidates, and why it was not the model."""

    decided_by: str = "rules"  # rules | llm
    action: str = ""  # the candidate to try first; empty: the playbook's order
    summary: str = ""  # the model's, for people
    reason: str = ""  # the model's, or why the rules decided although there is one
    took_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Investigation:
    """What was found, what was asked in vain, and how long it took."""

    hypotheses: tuple[Hypothesis, ...]
    not_looked_at: tuple[str, ...] = ()  # what could not be queried, and why
    ruled_out: tuple[str, ...] = ()  # causes that are none, and how that is known
    is_blind: bool = False  # a signal that decides could not be read: nothing is done without asking
    duration_ms: float = 0.0  # of the investigation, without the model
    queries: int = 0
    bytes_read: int = 0
    advice: Advice = Advice()

    @property
    def best(self) -> Hypothesis | None:
        return self.hypotheses[0] if self.hypotheses else None


@dataclass(frozen=True, slots=True)
class ActionCall:
    """A registered action with its exact arguments; `digest` is what an approval binds."""

    name: str
    arguments: Mapping[str, Any]

    @property
    def digest(self) -> str:
        body = json.dumps({"name": self.name, "arguments": dict(self.arguments)}, sort_keys=True)
        return hashlib.sha256(body.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Candidates:
    """Names of actions that may help against a cause, best first, and the play of the playbook that says so."""

    play: str
    actions: tuple[str, ...]


class Verdict(StrEnum):
    """The policy's answer."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class PolicyDecision:
    """The answer, the rule that gave it, and the hash of the policy it came from."""

    verdict: Verdict
    rule: str
    reason: str
    policy_hash: str
    approvals: int = 1  # of how many people, when they are asked
    role: str = ""  # that they need; empty: the usual one


class ActionOutcome(StrEnum):
    """How an action ended. `inconclusive` is never success."""

    VERIFIED = "verified"
    INEFFECTIVE = "ineffective"
    INCONCLUSIVE = "inconclusive"
    REFUSED = "refused"
    FAILED = "failed"
    UNDONE = "undone"
    REJECTED = "rejected"
    NOTIFIED = "notified"


class IncidentStatus(StrEnum):
    INVESTIGATING = "investigating"
    AWAITING_APPROVAL = "awaiting_approval"
    ACTING = "acting"
    VERIFYING = "verifying"
    RESOLVED = "resolved"
    ESCALATED = "escalated"
    INCONCLUSIVE = "inconclusive"
    FALSE_ALARM = "false_alarm"
    HELD = "held"

    @property
    def is_open(self) -> bool:
        return self in {
            IncidentStatus.INVESTIGATING,
            IncidentStatus.AWAITING_APPROVAL,
            IncidentStatus.ACTING,
            IncidentStatus.VERIFYING,
            IncidentStatus.HELD,
        }


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One thing that happened to an incident, in words. `kind` is a closed set: alert, investigation,
    decision, policy, approval, action, verification, undo, annotation, notification, status, error."""

    at: datetime
    kind: str
    text: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Incident:
    """The unit of the watcher's work. Replaced, never mutated: each change is a new value that is stored."""

    id: IncidentId
    status: IncidentStatus
    severity: str
    alerts: tuple[Alert, ...]
    opened_at: datetime
    cause: CauseClass | None = None
    target: Target | None = None
    hypotheses: tuple[Hypothesis, ...] = ()
    action: ActionCall | None = None
    outcome: ActionOutcome | None = None
    change_before: Mapping[str, Any] = field(default_factory=dict)  # captured inverse
    decided_by: str = ""  # rules | llm | the approver's name
    ruled_out: tuple[str, ...] = ()
    not_looked_at: tuple[str, ...] = ()
    is_blind: bool = False  # see Investigation
    advice: Advice = field(default_factory=Advice)
    approval_id: ApprovalId | None = None
    follows: IncidentId | None = None  # an incident of the same cause that is handled: this one waits for it
    resolved_at: datetime | None = None
    timeline: tuple[TimelineEntry, ...] = ()

    @property
    def began_at(self) -> datetime:
        """Return when the first alert says that it began, if that can be believed, else when this was opened."""
        began = min((alert.starts_at for alert in self.alerts), default=self.opened_at)
        return began if timedelta() <= self.opened_at - began <= _BELIEVED else self.opened_at

    def with_entry(self, entry: TimelineEntry, **changes: Any) -> Incident:
        """Return a copy with one more timeline entry and the given fields changed."""
        return replace(self, timeline=(*self.timeline, entry), **changes)


class ApprovalStatus(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Approval:
    """A question to people, bound to one action and the hash of its exact arguments. It is approved once `quorum`
    people have said yes; the first no rejects it."""

    id: ApprovalId
    incident_id: IncidentId
    status: ApprovalStatus
    action: ActionCall
    summary: str
    why_asked: str
    required_role: str
    created_at: datetime
    expires_at: datetime
    is_reversible: bool = False
    blast_radius: str = ""
    alternatives: tuple[str, ...] = ()  # other candidates, each with why it was not chosen
    quorum: int = 1
    approved_by: tuple[str, ...] = ()  # so far
    decided_at: datetime | None = None
    decided_by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One link of the hash chain: `hash` covers everything in it and `previous_hash`."""

    seq: int
    at: datetime
    actor: str
    event: str
    subject: str
    detail: Json
    previous_hash: str
    hash: str
