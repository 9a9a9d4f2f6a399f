"""Takes actions: policy and limits first, the intent written down before anything is done, then verified."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from awf.core.actions import (
    ActionInfo,
    Applied,
    ApplyStatus,
    Attempt,
    Plan,
    Verification,
    WorkOrder,
)
from awf.core.codec import to_json
from awf.core.incidents import (
    ActionCall,
    ApprovalStatus,
    Hypothesis,
    PolicyDecision,
    Target,
    Verdict,
)
from awf.core.ports import AttemptLog, AuditLog, Policy
from awf.core.types import Json
from awf.errors import AwfError, LeaseLost, NotFound, StateUnavailable
from awf.remediation.limits import Limits, place_keys
from awf.remediation.orders import REQUESTED_BY, take_back
from awf.remediation.spec import ActionSpec, Situation, Tools

logger = logging.getLogger(__name__)

_STRICTEST = (Verdict.DENY, Verdict.ASK, Verdict.ALLOW)


class ActionRunner:
    """Implements `Remediation` over the registered actions."""

    def __init__(
        self,
        specs: Mapping[str, ActionSpec],
        *,
        policy: Policy,
        audit: AuditLog,
        attempts: AttemptLog,
        tools: Tools,
    ) -> None:
        self._specs = dict(specs)
        self._policy = policy
        self._audit = audit
        self._attempts = attempts
        self._tools = tools
        self._limits = Limits(tools.config)

    def actions(self) -> Mapping[str, ActionInfo]:
        return {name: spec.info for name, spec in self._specs.items()}

    async def plan(self, name: str, hypothesis: Hypothesis) -> Plan:
        spec = self._spec(name)
        await self._tools.controls.await_engines()
        engines = await self._tools.controls.engines()
        return spec.plan(Situation(hypothesis, engines, self._tools.config))

    def judge(self, call: ActionCall, *, severity: str) -> PolicyDecision:
        spec = self._spec(call.name)
        decisions = [
            self._policy.decide(call.name, place, reversible=spec.is_reversible, severity=severity)
            for place in spec.places(call) or (Target(),)
        ]
        return min(decisions, key=lambda each: (_STRICTEST.index(each.verdict), -each.approvals))

    async def apply(self, order: WorkOrder) -> Applied:
        spec = self._spec(order.call.name)
        await self._tools.controls.await_engines()
        attempt = self._attempt(order)
        if why := await self._begin(order, attempt):
            await self._note("action.refused", order, {"why": why})
            return Applied(ApplyStatus.REFUSED, why, self._tools.clock.now())
        try:
            applied = await spec.apply(order, self._tools)
        except (StateUnavailable, LeaseLost):
            raise  # as after a crash: the order, given or not, is given again under the same key
        except AwfError as error:  # it may have been done or not: nobody knows
            applied = Applied(ApplyStatus.UNCONFIRMED, error.message, self._tools.clock.now())
        if applied.status is ApplyStatus.APPLIED:
            await self._note("action.applied", order, {"detail": applied.detail})
        else:
            await self._end(order, applied.status.value, applied.detail)
        return applied

    async def verify(self, order: WorkOrder, applied: Applied) -> Verification:
        found = await self._spec(order.call.name).verify(order, applied, self._tools)
        await self._end(order, found.effect.value, found.statement)
        return found

    async def undo(self, order: WorkOrder, applied: Applied) -> Applied:
        spec = self._spec(order.call.name)
        if not spec.is_reversible or not applied.before:
            why = "it cannot be undone" if not spec.is_reversible else "nothing is known to restore"
            return Applied(ApplyStatus.REFUSED, why, self._tools.clock.now())
        await self._tools.controls.await_engines()
        undone = await (spec.undo or take_back)(order, applied, self._tools)
        await self._note("action.undone", order, {"detail": undone.detail, "status": undone.status.value})
        return undone

    async def _begin(self, order: WorkOrder, attempt: Attempt) -> str:
        """Write the intent down, or say why the action may not be taken. After a restart in the middle it goes on:
        the engines' orders are idempotent."""
        intent = {
            "arguments": to_json(order.call.arguments), "places": attempt.places,
            "approved_by": attempt.approved_by,
            "policy": to_json(self.judge(order.call, severity=order.severity)),
        }  # fmt: skip
        return await self._attempts.begin(
            attempt,
            lambda earlier: self._not_allowed(order) or self._limits.refusal(attempt, earlier),
            since=self._limits.since(attempt.at),
            intent=intent,
            lease=order.lease,
        )

    async def _end(self, order: WorkOrder, outcome: str, detail: str) -> None:
        await self._attempts.end(self._attempt(order), outcome, detail={"detail": detail}, lease=order.lease)

    def _attempt(self, order: WorkOrder) -> Attempt:
        return Attempt(
            incident_id=order.incident_id,
            action=order.call.name,
            digest=order.call.digest,
            places=place_keys(self._spec(order.call.name).places(order.call)),
            at=self._tools.clock.now(),
            approved_by=order.approval.decided_by if order.approval else "",
        )

    def _not_allowed(self, order: WorkOrder) -> str:
        decision = self.judge(order.call, severity=order.severity)
        changes_something = bool(self._spec(order.call.name).places(order.call))
        if decision.verdict is Verdict.DENY:
            return f"policy: {decision.reason}"
        approval = order.approval
        if approval is None:
            if changes_something and (why := self._too_old(order)):
                return why
            must_ask = decision.verdict is Verdict.ASK or (changes_something and not order.is_trusted)
            return "it needs an approval" if must_ask else ""
        if approval.status is not ApprovalStatus.APPROVED:
            return f"approval {approval.id} is {approval.status.value}"
        if approval.expires_at <= self._tools.clock.now():
            # Given in time, but a pause or an outage came between: what was approved is no longer what is.
            return f"approval {approval.id} was given, but has expired since"
        if 1 < decision.approvals > len(approval.approved_by):
            return f"the policy now wants {decision.approvals} people to approve"
        is_bound = approval.action.digest == order.call.digest and approval.incident_id == order.incident_id
        return "" if is_bound else f"approval {approval.id} is for another action"

    def _too_old(self, order: WorkOrder) -> str:
        """A pause or an outage may come between a decision and its action: the world has moved on."""
        age_s = (self._tools.clock.now() - order.decided_at).total_seconds() if order.decided_at else 0.0
        limit_s = self._tools.config.decision_ttl_s
        return (
            f"it was decided {age_s:.0f} s ago; after {limit_s:.0f} s it is void" if age_s > limit_s else ""
        )

    def _spec(self, name: str) -> ActionSpec:
        if name not in self._specs:
            raise NotFound(f"no action {name!r}", hint=f"There are {', '.join(self._specs)}.")
        return self._specs[name]

    async def _note(self, event: str, order: WorkOrder, detail: Json) -> None:
        about = {"action": order.call.name, "digest": order.call.digest}
        logger.info(event, extra={"incident_id": order.incident_id, "action": order.call.name})
        await self._audit.append(
            actor=REQUESTED_BY, event=event, subject=order.incident_id, detail=about | detail
        )
