"""The seams: what each part asks of the others. Docstrings are the contract; every implementation and
every in-memory twin obeys them, and `tests/contract` holds each to it."""

from awf.core.ports.access import ROLES, Principal, ReplayMemory, Session, SessionStore, TokenStore
from awf.core.ports.advice import Advisor, Answer, Question
from awf.core.ports.alerts import AlertIntake
from awf.core.ports.dashboards import DashboardSource, Datasource
from awf.core.ports.engines import ChangeHistory, ControlStore, EngineDirectory, ExecutionStore
from awf.core.ports.incidents import (
    ApprovalStore,
    AttemptLog,
    AuditLog,
    Changed,
    Delivery,
    Desk,
    IncidentStore,
    Leases,
    Saved,
    WatcherSwitch,
)
from awf.core.ports.page import Page
from awf.core.ports.people import Buttons, Notifier, Outbox, People, Press
from awf.core.ports.remediation import Playbook, Policy, Remediation
from awf.core.ports.telemetry import LogLine, Sample, Series, Telemetry

__all__ = [
    "ROLES",
    "Advisor",
    "AlertIntake",
    "Answer",
    "ApprovalStore",
    "AttemptLog",
    "AuditLog",
    "Buttons",
    "ChangeHistory",
    "Changed",
    "ControlStore",
    "DashboardSource",
    "Datasource",
    "Delivery",
    "Desk",
    "EngineDirectory",
    "ExecutionStore",
    "IncidentStore",
    "Leases",
    "LogLine",
    "Notifier",
    "Outbox",
    "Page",
    "People",
    "Playbook",
    "Policy",
    "Press",
    "Principal",
    "Question",
    "Remediation",
    "ReplayMemory",
    "Sample",
    "Saved",
    "Series",
    "Session",
    "SessionStore",
    "Telemetry",
    "TokenStore",
    "WatcherSwitch",
]
