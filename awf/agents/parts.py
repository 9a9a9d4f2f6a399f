"""What the watcher is built of."""

from __future__ import annotations

from dataclasses import dataclass, field

from awf.agents.investigation import Investigator
from awf.core.clock import Clock, SystemClock
from awf.core.counters import Counters
from awf.core.incidents import WATCHER_NAME
from awf.core.ports import (
    ApprovalStore,
    AuditLog,
    IncidentStore,
    Leases,
    People,
    Playbook,
    Remediation,
    Telemetry,
    WatcherSwitch,
)

ACTOR = WATCHER_NAME


@dataclass(frozen=True, slots=True)
class WatcherConfig:
    """How the watcher may behave. Without `may_act` (no webhook secret) it asks before everything.

    Telemetry arrives seconds after the alert it raised: an unknown cause is looked for `looks` times in
    all, `look_again_s` apart, before a person is told. An alert about the same place that starts within
    `echo_s` of a verified fix tells of what the fix ended: its window still holds it. One that still fires
    `recheck_s` after its incident was resolved gets a new one. At most `max_investigations` look at once: each
    has its full time. In a `dry_run` it decides, and holds the incident instead of acting. It says every `beat_s`
    that it lives.
    """

    may_act: bool = True
    dry_run: bool = False
    approval_ttl_s: float = 3600.0
    approver_role: str = "approver"
    public_url: str = ""
    sweep_s: float = 1.0
    beat_s: float = 5.0
    looks: int = 3
    look_again_s: float = 10.0
    echo_s: float = 60.0
    recheck_s: float = 600.0
    max_investigations: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class WatcherParts:
    """The ports that the watcher works through."""

    incidents: IncidentStore
    leases: Leases
    approvals: ApprovalStore
    audit: AuditLog
    switch: WatcherSwitch
    remediation: Remediation
    playbook: Playbook
    people: People
    telemetry: Telemetry
    investigator: Investigator
    config: WatcherConfig = field(default_factory=WatcherConfig)
    clock: Clock = field(default_factory=SystemClock)
    counters: Counters = field(default_factory=Counters)
