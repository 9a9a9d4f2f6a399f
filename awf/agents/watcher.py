"""The watcher agent: takes alerts, finds the cause, acts within policy or asks, and verifies."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from awf.agents.decision import Decision
from awf.agents.intake import Intake
from awf.agents.journal import Journal
from awf.agents.parts import WatcherConfig, WatcherParts
from awf.agents.stages import Stages
from awf.core import semconv as sc
from awf.core.escape import plain_text
from awf.core.incidents import (
    Alert,
    Approval,
    ApprovalStatus,
    Incident,
    IncidentStatus,
    Investigation,
)
from awf.core.ports import Delivery
from awf.core.types import (
    AgentId,
    AgentManifest,
    ApprovalId,
    Capability,
    CapabilityType,
    IncidentId,
    Json,
)
from awf.errors import AwfError, Conflict, LeaseLost, StateUnavailable

__all__ = ["WATCHER_MANIFEST", "WatcherAgent", "WatcherConfig", "WatcherParts"]

logger = logging.getLogger(__name__)

WATCHER_MANIFEST = AgentManifest(
    id=AgentId("awf-watcher"),
    name="AWF watcher",
    version="0.1.0",
    description="Investigates alerts through Grafana, remediates within policy, and verifies.",
    framework="awf",
    capabilities=(
        Capability("grafana_query", CapabilityType.OBSERVATION, "Queries metrics, logs and traces."),
        Capability("alert_investigation", CapabilityType.REASONING, "Ranks causes, with evidence."),
        Capability("remediation_execution", CapabilityType.REMEDIATION, "Acts on engines within policy."),
    ),
    permissions=("grafana:read", "grafana:query", "awf:workflow:restart", "awf:agent:reconfigure"),
)

STOP_TIMEOUT_S = 5.0
_ASKABLE = frozenset({IncidentStatus.INVESTIGATING, IncidentStatus.HELD})


class WatcherAgent:
    """Implements `AlertIntake`. An incident that can go on has a task, in one of the services that share the state.

    Everything durable is in the stores: another agent goes on where one stopped, after a restart or in its place.
    """

    manifest = WATCHER_MANIFEST

    def __init__(self, parts: WatcherParts) -> None:
        self._parts = parts
        self._journal = Journal(parts)
        self._intake = Intake(parts, self._journal)
        self._stages = Stages(parts, self._journal)
        self._tasks: dict[IncidentId, asyncio.Task[None]] = {}
        self._look_again: set[IncidentId] = set()
        self._background: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Carry open incidents on, then look after waiting ones (approvals, pauses) until `aclose`."""
        self._prepare_counters()
        try:
            await self._parts.leases.beat()
            await self.sweep()
        except StateUnavailable as error:  # alerts are refused meanwhile, and a later sweep does this
            logger.warning("the state database is away", extra={"error": error.message})
        config = self._parts.config
        for what, every_s, work in (
            ("sweep", config.sweep_s, self.sweep), ("beat", config.beat_s, self._parts.leases.beat),
        ):  # fmt: skip
            task = asyncio.create_task(self._again_and_again(every_s, work), name=f"watcher {what}")
            self._background.append(task)

    async def aclose(self) -> None:
        """Stop, and leave the incidents to others. They stay as they were last stored."""
        running = [*self._tasks.values(), *self._background]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=STOP_TIMEOUT_S)
        with suppress(StateUnavailable, TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._parts.leases.leave()

    async def handle_alert(self, alerts: Sequence[Alert], body: bytes) -> Json:
        try:
            taken = await self._intake.take(Delivery(alerts, body))
        except Exception:  # boundary: counted, then the sender hears of it and delivers again
            self._count_failure("receiving")
            raise
        for incident_id in taken.incidents:
            self._launch(incident_id)
        return {
            "status": "received",
            "incidents": list(taken.incidents),
            "duplicates": len(alerts) - len(taken.fresh),
        }

    async def investigate_alert(self, alert: Alert) -> Investigation:
        """Look for the cause of an alert, without opening an incident."""
        return await self._parts.investigator.investigate([alert])

    async def determine_action(self, found: Investigation, alerts: Sequence[Alert]) -> Decision | None:
        """Return the action that would be taken against the likeliest cause, and what the policy says."""
        if found.best is None:
            return None
        return await self._stages.choose(
            found.best, alerts, first=found.advice.action, is_blind=found.is_blind
        )

    async def execute_remediation(self, incident_id: IncidentId) -> Incident:
        """Carry an incident on, as far as policy and people let it, and return it. Raises NotFound."""
        await self._parts.incidents.get(incident_id)
        self._launch(incident_id)
        while (task := self._tasks.get(incident_id)) is not None:
            await asyncio.wait({task})
        return await self._parts.incidents.get(incident_id)

    async def request_hitl_approval(self, incident_id: IncidentId, why: str) -> Approval:
        """Ask a person about the action of an incident that nothing was done about yet, instead of taking it.

        Raises NotFound, Conflict.
        """
        incident = await self._parts.incidents.get(incident_id)
        if incident.action is None or incident.status not in _ASKABLE:
            raise Conflict(
                f"incident {incident_id} is {incident.status.value}: there is nothing to ask about"
            )
        if incident_id not in self._tasks:
            async with self._holding(incident_id) as is_ours:
                if is_ours:
                    return await self._stages.ask(incident, why)
        raise Conflict(f"incident {incident_id} is being worked on", hint="Look at it again in a moment.")

    async def get_pending_approvals(self) -> list[Approval]:
        """Return what waits for a person, oldest first."""
        return await self._parts.approvals.pending()

    async def approve_action(self, approval_id: ApprovalId, *, by: str, reason: str = "") -> Approval:
        return await self._answer(approval_id, approve=True, by=by, reason=reason)

    async def reject_action(self, approval_id: ApprovalId, *, by: str, reason: str) -> Approval:
        return await self._answer(approval_id, approve=False, by=by, reason=reason)

    async def sweep(self) -> None:
        """Carry on every open incident that nobody works on and that need not wait. Safe to repeat."""
        await self._intake.reopen_ignored()
        await self._stages.approvals.count()  # the time until one expires goes on
        taken = await self._parts.leases.taken()
        for incident in await self._intake.open_incidents():
            is_in_hand = incident.id in self._tasks or incident.id in taken
            if not is_in_hand and await self._stages.is_due(incident):
                self._launch(incident.id)

    async def settled(self) -> None:
        """Wait until no incident can go on without something from outside."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    async def _answer(self, approval_id: ApprovalId, *, approve: bool, by: str, reason: str) -> Approval:
        approval = await self._stages.approvals.decide(approval_id, approve=approve, by=by, reason=reason)
        if approval.status is ApprovalStatus.PENDING:
            text = f"approved by {by}: {len(approval.approved_by)} of {approval.quorum}"
            await self._journal.note(approval.incident_id, "approval", text)
        self._launch(approval.incident_id)
        return approval

    def _launch(self, incident_id: IncidentId) -> None:
        if incident_id in self._tasks:
            self._look_again.add(incident_id)
        else:
            self._tasks[incident_id] = asyncio.create_task(
                self._drive(incident_id), name=f"incident {incident_id}"
            )

    async def _drive(self, incident_id: IncidentId) -> None:
        try:
            is_wanted = True
            while is_wanted:
                self._look_again.discard(incident_id)
                await self._advance(incident_id)
                is_wanted = incident_id in self._look_again  # something came while it was worked on
        finally:
            del self._tasks[incident_id]

    async def _advance(self, incident_id: IncidentId) -> None:
        try:
            async with self._holding(incident_id) as is_ours:
                if is_ours:  # else another service is at it; what is left to do then, a sweep finds
                    await self._carry_on(incident_id)
        except StateUnavailable as error:  # as after a crash: the sweep goes on from what is stored
            extra = {"incident_id": incident_id, "error": error.message}
            logger.warning("incident waits for the state database", extra=extra)
        except LeaseLost:
            logger.warning("another service has taken an incident over", extra={"incident_id": incident_id})

    @asynccontextmanager
    async def _holding(self, incident_id: IncidentId) -> AsyncIterator[bool]:
        """Hold the lease of an incident, if it can be had."""
        lease = await self._parts.leases.take(incident_id)
        if lease is None:
            yield False
            return
        try:
            with self._journal.holding(lease):
                yield True
        finally:
            with suppress(StateUnavailable):  # then it stays ours, until we take it again or fall silent
                await self._parts.leases.release(lease)

    async def _carry_on(self, incident_id: IncidentId) -> None:
        try:
            await self._stages.advance(incident_id)
        except (StateUnavailable, LeaseLost):
            raise
        except (
            Exception
        ) as error:  # boundary: one incident's failure must reach a person, and no other incident
            logger.exception("incident failed", extra={"incident_id": incident_id})
            await self._give_up(incident_id, error)

    async def _give_up(self, incident_id: IncidentId, error: Exception) -> None:
        said = error.message if isinstance(error, AwfError) else type(error).__name__
        try:
            incident = await self._journal.record(incident_id, "error", f"the watcher failed: {said}")
            stage = incident.status.value if incident.status.is_open else "escalating"
            self._count_failure(stage)
            await self._stages.report.escalate(incident, f"the watcher failed: {plain_text(said, 200)}")
        except Exception:  # boundary: even telling failed; the sweep will find the incident still open
            self._count_failure("escalating")
            logger.exception("incident could not be escalated", extra={"incident_id": incident_id})

    def _count_failure(self, stage: str) -> None:
        self._parts.counters.add(sc.WATCHER_FAILURES, stage=stage)

    def _prepare_counters(self) -> None:
        prepare = self._parts.counters.prepare
        for status in ("firing", "resolved"):
            prepare(sc.WATCHER_ALERTS, status=status)
        for each in IncidentStatus:
            prepare(sc.WATCHER_INCIDENTS, status=each.value)
        for stage in sc.WATCHER_STAGES:
            prepare(sc.WATCHER_FAILURES, stage=stage)
        prepare(sc.WATCHER_INVESTIGATION_MS)
        prepare(sc.WATCHER_DETECTION_MS)
        prepare(sc.WATCHER_RECOVERY_MS, status=IncidentStatus.RESOLVED.value)

    async def _again_and_again(self, every_s: float, work: Callable[[], Awaitable[None]]) -> None:
        is_away = False
        while True:
            await self._parts.clock.sleep(every_s)
            try:
                await work()
                if is_away:
                    logger.info("the state database is back")
                is_away = False
            except StateUnavailable as error:
                self._count_failure("sweeping")
                if not is_away:
                    logger.warning("the state database is away", extra={"error": error.message})
                is_away = True
            except Exception:  # boundary: a database that hiccups must not end the watcher
                self._count_failure("sweeping")
                logger.exception("sweep failed")
