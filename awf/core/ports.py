"""The seams: what each part asks of the others. Docstrings are the contract; every implementation and
every in-memory twin obeys them, and `tests/contract` holds each to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from awf.core.actions import ActionInfo, Applied, Attempt, Plan, Verification, WorkOrder
from awf.core.incidents import (
    ActionCall,
    Alert,
    Approval,
    AuditEntry,
    Candidates,
    Hypothesis,
    Incident,
    PolicyDecision,
    Target,
)
from awf.core.leases import Lease, Replica
from awf.core.notices import Letter, Notice, Told
from awf.core.types import (
    ApprovalId,
    ControlAck,
    ControlChange,
    ControlKind,
    ControlOutcome,
    EngineId,
    EngineInfo,
    ExecutionId,
    ExecutionRecord,
    IncidentId,
    Json,
    WorkflowId,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list; `next_cursor` is None on the last."""

    items: tuple[T, ...]
    next_cursor: str | None = None


# -- telemetry, as the watcher sees it (always through Grafana's MCP server)


@dataclass(frozen=True, slots=True)
class Sample:
    """One series' value at one instant."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """One series over a range: (unix seconds, value) pairs in time order."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class LogLine:
    """One log record."""

    at: datetime
    line: str
    labels: Mapping[str, str]


class Telemetry(Protocol):
    """Read access to metrics, logs and traces.

    Every method raises `Unavailable` when the backend does not answer in time and `QueryError` when
    it refuses the query. Nothing found is an empty result, never an error.
    """

    async def instant(self, expr: str, *, at: datetime) -> list[Sample]: ...

    async def range(self, expr: str, *, start: datetime, end: datetime, step_s: int) -> list[Series]: ...

    async def logs(
        self, logql: str, *, start: datetime, end: datetime, limit: int = 100
    ) -> list[LogLine]: ...

    async def traces(self, traceql: str, *, start: datetime, end: datetime) -> list[Json]:
        """Return Tempo's trace summaries (`traceID`, `rootServiceName`, `durationMs`, `spanSets`...)."""
        ...

    async def trace(self, trace_id: str) -> Json:
        """Return one trace as Tempo's v2 JSON."""
        ...

    async def annotations(
        self, *, start: datetime, end: datetime, tags: Sequence[str] = ()
    ) -> list[Json]: ...

    async def annotate(
        self, text: str, *, tags: Sequence[str], at: datetime, end: datetime | None = None
    ) -> str:
        """Write an annotation and return its id."""
        ...

    def link(self, signal: str, query: str, *, start: datetime, end: datetime) -> str:
        """Return the address at which Grafana shows a query of metrics, logs or traces; empty where it cannot."""
        ...


# -- Grafana, as the dashboard pages see it: reading only, with the server's own token


@dataclass(frozen=True, slots=True)
class Datasource:
    """A datasource that Grafana has; `interval` is the scrape interval it was told, empty when none."""

    uid: str
    name: str
    type: str
    is_default: bool = False
    interval: str = ""


class DashboardSource(Protocol):
    """Dashboards, and the way to their datasources.

    Every method raises `Unavailable` when Grafana does not answer in time or refuses the server's token,
    and `TooLarge` when an answer is larger than a page should carry.
    """

    async def dashboards(self) -> list[Json]:
        """Return what there is: `uid`, `title`, `tags` and `folderTitle` of each."""
        ...

    async def dashboard(self, uid: str) -> Json:
        """Return a dashboard's JSON. Raises NotFound."""
        ...

    async def datasources(self) -> list[Datasource]: ...

    async def query(self, datasource: str, path: str, parameters: Mapping[str, str]) -> Json:
        """Ask a datasource's own HTTP API. Raises QueryError with its words when it refuses the query."""
        ...

    async def annotations(self, parameters: Sequence[tuple[str, str]]) -> list[Json]:
        """Return annotations by the parameters of Grafana's `/api/annotations`."""
        ...


# -- engines, wherever they run


class ControlStore(Protocol):
    """The only way to change a running engine."""

    async def submit(
        self,
        kind: ControlKind,
        arguments: Mapping[str, Any],
        *,
        requested_by: str,
        idempotency_key: str,
        lease: Lease | None = None,
    ) -> ControlOutcome:
        """Order a change and wait for the engines it concerns to acknowledge it, up to a limit.

        The same `idempotency_key` never orders twice: the first outcome is returned again. A missing
        acknowledgement shows in `ControlOutcome.waiting_for`. Raises LeaseLost, and then orders nothing.
        """
        ...

    async def engines(self) -> list[EngineInfo]:
        """Return the engines heard of lately."""
        ...


class ChangeHistory(Protocol):
    """What engines were ordered."""

    async def changes_since(self, since: datetime) -> list[ControlChange]:
        """Return the newest hundred orders since then, oldest first, whoever gave them and whatever came of them."""
        ...


class EngineDirectory(Protocol):
    """The server's side of engines in other processes."""

    async def register(self, engine: EngineInfo) -> None: ...

    async def heartbeat(self, engine_id: EngineId) -> None: ...

    def changes(self, engine_id: EngineId, *, after_token: int) -> AsyncIterator[ControlChange]:
        """Yield changes that this engine has not acknowledged, oldest first, then new ones as they come."""
        ...

    async def acknowledge(self, ack: ControlAck) -> None:
        """Record an acknowledgement. Raises NotFound for an unknown change, Conflict for a second,
        different answer of one engine."""
        ...


class ExecutionStore(Protocol):
    """Executions of all engines, and their events."""

    async def save(self, record: ExecutionRecord) -> None: ...

    async def get(self, execution_id: ExecutionId) -> ExecutionRecord:
        """Raises NotFound."""
        ...

    async def list(
        self,
        *,
        workflow_id: WorkflowId | None = None,
        status: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[ExecutionRecord]: ...

    async def append_events(self, engine_id: EngineId, events: Sequence[Json]) -> None:
        """Store events in order (a repeat of an event id changes nothing) and update the executions they
        belong to. An event is the JSON form of `WorkflowEvent`."""
        ...

    def events(
        self, execution_id: ExecutionId, *, after: int = 0, follow: bool = True
    ) -> AsyncIterator[tuple[int, Json]]:
        """Yield (position, event) after a position, then new ones as they come; ends with the execution,
        or without `follow` with what is stored. Raises NotFound."""
        ...


# -- the watcher's own state


@dataclass(frozen=True, slots=True)
class Saved:
    """An incident as it was saved; every save of any incident has a higher `revision` than all before."""

    revision: int
    incident: Incident


@dataclass(frozen=True, slots=True)
class Opened:
    """The incident that an alert belongs to, and all that was saved up to `revision`, this one included."""

    incident: Incident
    news: tuple[Saved, ...]
    revision: int


@dataclass(frozen=True, slots=True)
class Changed:
    """An incident before and after a change; with a `rival` nothing was changed."""

    before: Incident
    after: Incident
    rival: Incident | None = None


class Leases(Protocol):
    """Which of the services that share the state carries which incident on. Only the database's clock counts, and
    only for how long a silent service keeps its incidents: what a lease allows, its token decides."""

    async def beat(self) -> None:
        """Say that this service lives."""
        ...

    async def leave(self) -> None:
        """Give up all leases of this service."""
        ...

    async def take(self, incident_id: IncidentId) -> Lease | None:
        """Take an incident; None while another living service has it. A second lease of one's own ends the first."""
        ...

    async def release(self, lease: Lease) -> None: ...

    async def taken(self) -> frozenset[IncidentId]:
        """Return the incidents that other living services have."""
        ...

    async def replicas(self) -> list[Replica]:
        """Return the services heard of in the last hour, oldest first."""
        ...


class AttemptLog(Protocol):
    """What was tried where, and what came of it: of all services together, so that limits hold for all."""

    async def begin(
        self,
        attempt: Attempt,
        objection: Callable[[Sequence[Attempt]], str],
        *,
        since: datetime,
        intent: Json,
        lease: Lease | None,
    ) -> str:
        """Ask for an objection, given the attempts since then, newest first; without one write the attempt down,
        and the intent into the audit log, in the same unit of work. Return the objection, empty when the attempt may
        go on; one that was begun before goes on. Raises LeaseLost."""
        ...

    async def end(self, attempt: Attempt, outcome: str, *, detail: Json, lease: Lease | None) -> None:
        """Note what came of an attempt, there and in the audit log. Raises LeaseLost."""
        ...


class IncidentStore(Protocol):
    async def receive(self, alerts: Sequence[Alert], body: bytes) -> list[Alert]:
        """Store a delivery durably and return the alerts whose `dedupe_key` had not been seen."""
        ...

    def hand_back(self, alerts: Sequence[Alert]) -> None:
        """Say that alerts which were received could not be taken: they are new when they come again."""
        ...

    async def add(self, incident: Incident, *, seen: int, joins: Callable[[Incident], bool]) -> Opened:
        """Store a new incident, unless its alert belongs to another: to an open one that holds it, or to one
        saved after revision `seen` that `joins` accepts. In one unit of work, so that no other service's comes between.
        """
        ...

    async def change(
        self,
        incident_id: IncidentId,
        make: Callable[[Incident], Incident],
        *,
        lease: Lease | None = None,
        unless: Callable[[Incident], bool] | None = None,
    ) -> Changed:
        """Store what `make` makes of the incident as it is now; in one unit of work, so `make` only computes.

        With `unless`, nothing is stored when another open incident that has chosen its action satisfies it.
        Raises NotFound, LeaseLost.
        """
        ...

    async def rival(self, incident_id: IncidentId, is_rival: Callable[[Incident], bool]) -> Incident | None:
        """Return another open incident that has chosen its action and satisfies this, if there is one."""
        ...

    async def last_revision(self) -> int: ...

    async def saved_since(self, revision: int) -> list[Saved]:
        """Return every incident that was saved after a revision, as it is now, in the order of their revisions."""
        ...

    async def get(self, incident_id: IncidentId) -> Incident:
        """Raises NotFound."""
        ...

    async def open_for(self, fingerprint: str) -> Incident | None:
        """Return the open incident that holds an alert of this fingerprint, if there is one."""
        ...

    async def last_for(self, fingerprint: str) -> Incident | None:
        """Return the newest incident, open or closed, that holds an alert of this fingerprint."""
        ...

    async def list(
        self, *, status: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[Incident]:
        """Newest first."""
        ...

    def changed(self) -> AsyncIterator[Incident]:
        """Yield every incident from now on, each time it is saved; saves of one incident in quick
        succession may show as the last of them only."""
        ...


class ApprovalStore(Protocol):
    async def create(self, approval: Approval, *, lease: Lease | None = None) -> None:
        """Raises LeaseLost."""
        ...

    async def get(self, approval_id: ApprovalId) -> Approval:
        """Raises NotFound. One whose time has passed is returned as expired."""
        ...

    async def pending(self) -> list[Approval]:
        """Return what waits for a person, oldest first."""
        ...

    async def decide(self, approval_id: ApprovalId, *, approve: bool, by: str, reason: str) -> Approval:
        """Take an answer: one claim wins. An approval that needs more people stays pending.

        Raises NotFound, Expired, or Conflict when already decided, or approved by the same person before.
        """
        ...


class AuditLog(Protocol):
    async def append(self, *, actor: str, event: str, subject: str, detail: Json) -> AuditEntry: ...

    async def list(self, *, limit: int = 50, cursor: str | None = None) -> Page[AuditEntry]:
        """Newest first."""
        ...

    async def verify(self) -> int:
        """Walk the whole chain and return how many entries it has. Raises Conflict naming the first
        entry whose hash does not fit."""
        ...


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking, as the token says."""

    name: str
    role: str


ROLES = ("viewer", "worker", "operator", "approver", "admin")
"""`admin` may do everything; `worker` only what an engine needs; the rest each include `viewer`."""


class TokenStore(Protocol):
    async def create(self, name: str, role: str) -> str:
        """Make a token, store its hash and return the token itself, once."""
        ...

    async def ensure(self, name: str, role: str, token: str) -> None:
        """Make a given token valid, replacing the earlier one of that name."""
        ...

    async def authenticate(self, token: str) -> Principal | None: ...

    async def list(self) -> list[Principal]: ...

    async def revoke(self, name: str) -> None:
        """Raises NotFound."""
        ...


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that logged in. `csrf_token` must come back with every form."""

    id: str
    principal: Principal
    csrf_token: str


class SessionStore(Protocol):
    """Browser sessions and single-use login codes. Both belong to a named token: when that is revoked,
    they end; its role is read each time."""

    async def create_code(self, name: str) -> str:
        """Make a code that logs in as the token `name`, once, for 10 minutes. Raises NotFound."""
        ...

    async def redeem_code(self, code: str) -> Session | None: ...

    async def start(self, name: str) -> Session:
        """Start a session of the token `name`. Raises NotFound."""
        ...

    async def find(self, session_id: str) -> Session | None: ...

    async def end(self, session_id: str) -> None: ...


class WatcherSwitch(Protocol):
    """The kill switch: persisted, shared by everyone who reads the same state."""

    async def is_paused(self) -> bool: ...

    async def set_paused(self, paused: bool, *, by: str) -> None: ...


class Playbook(Protocol):
    def candidates(self, hypothesis: Hypothesis) -> Candidates:
        """Return what to try against a cause. Only names: whether one can and may be taken is asked later."""
        ...


class Policy(Protocol):
    def decide(self, action: str, target: Target, *, reversible: bool, severity: str) -> PolicyDecision: ...


class Remediation(Protocol):
    """The registered actions, behind policy and limits: the watcher's only way to act."""

    def actions(self) -> Mapping[str, ActionInfo]: ...

    async def plan(self, name: str, hypothesis: Hypothesis) -> Plan:
        """Say what an action would do about a cause. Raises NotFound for an action that is not registered."""
        ...

    def judge(self, call: ActionCall, *, severity: str) -> PolicyDecision:
        """Ask the policy about every place the action touches; the strictest answer counts."""
        ...

    async def apply(self, order: WorkOrder) -> Applied:
        """Check policy and limits again, write the intent down, act. Done twice it acts once."""
        ...

    async def verify(self, order: WorkOrder, applied: Applied) -> Verification:
        """Let it settle, then look at what the action did not write, up to a time limit."""
        ...

    async def undo(self, order: WorkOrder, applied: Applied) -> Applied:
        """Restore what stood before. Done twice it acts once."""
        ...


class Notifier(Protocol):
    """A way to reach people."""

    async def send(self, notice: Notice, *, thread: str) -> str:
        """Hand a notice over; return what later ones of its incident join it by, empty when nothing does.
        Raises Unavailable, or another AwfError, when it was not taken."""
        ...


@dataclass(frozen=True, slots=True)
class Press:
    """A button that someone pressed on a question in a chat: `user` as the chat knows them, `person` as we do, which is
    empty for a stranger."""

    user: str
    person: str
    approval_id: ApprovalId
    approve: bool
    reason: str
    reply_to: str


class Buttons(Protocol):
    """Questions that are answered in a chat."""

    def read(self, body: bytes, headers: Mapping[str, str], *, now: float) -> Press | None:
        """Return what was pressed, None when nothing is asked of us. Raises Unauthorized for what the chat did not sign,
        signed minutes ago or sent before, and InvalidInput."""
        ...

    async def reply(self, press: Press, text: str, *, is_final: bool) -> None:
        """Say what became of it: in place of the question when that is decided, else to who pressed. Never raises."""
        ...


class People(Protocol):
    """Those who are told about incidents, by all channels at once."""

    async def tell(self, notice: Notice) -> Told:
        """Store a notice and send it; what does not take it is tried again later. A repeat of its id sends
        nothing. Raises StateUnavailable."""
        ...


class Outbox(Protocol):
    """Notices until they are sent."""

    async def put(self, notice: Notice, channels: Sequence[str]) -> None:
        """Store a notice for channels; one that is there already stays as it is."""
        ...

    async def take(self, *, notice_id: str = "", limit: int = 50, hold_s: float = 60.0) -> list[Letter]:
        """Return letters that are due, of one notice or of all, oldest first; nobody else gets them for a while."""
        ...

    async def sent(self, letter: Letter, thread: str) -> None: ...

    async def failed(self, letter: Letter, error: str, *, again_in_s: float | None) -> None:
        """Note an attempt that failed; without a time it is given up."""
        ...

    async def channels_of(self, incident_id: IncidentId) -> set[str]:
        """Return the channels that have letters of an incident."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """What a model is asked about an investigation: text that is masked already, and what it may choose among.

    `candidates` has, for each hypothesis by its place in the list, the names of the actions that the playbook gives.
    """

    text: str
    candidates: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said; nobody has checked it."""

    hypothesis: int
    action: str
    summary: str
    reason: str


class Advisor(Protocol):
    """A language model that may re-rank hypotheses and choose among candidates. It decides nothing about safety."""

    async def advise(self, question: Question) -> Answer:
        """Ask once, within a time limit. Raises Unavailable when no usable answer came."""
        ...


class AlertIntake(Protocol):
    """What the webhook endpoint and the pages need of the watcher."""

    async def handle_alert(self, alerts: Sequence[Alert], body: bytes) -> Json:
        """Store, deduplicate and start work; returns `{"status", "incidents": [...], "duplicates": n}`.
        Returns only after everything is durable."""
        ...

    async def approve_action(self, approval_id: ApprovalId, *, by: str, reason: str = "") -> Approval: ...

    async def reject_action(self, approval_id: ApprovalId, *, by: str, reason: str) -> Approval: ...
