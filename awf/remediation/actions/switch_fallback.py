"""Let the fallback agent do the steps whose first choice fails."""

from __future__ import annotations

from awf.core.actions import Applied, Plan, Verification, WorkOrder
from awf.core.incidents import ActionCall, Verdict
from awf.core.types import ControlKind, StepInfo
from awf.remediation.orders import Order, give
from awf.remediation.places import (
    failing_agents,
    is_in_service,
    observed_steps,
    places_of,
    seen_at,
    seen_elsewhere,
    standing,
    step_arguments,
)
from awf.remediation.spec import ActionSpec, Situation, Tools
from awf.remediation.step_health import verify_steps

NAME = "switch_fallback"


def plan(situation: Situation) -> Plan:
    failing = failing_agents(situation)

    def suits(step: StepInfo) -> bool:
        fallback = step.fallback_agent_id
        is_cause = not failing or step.agent_id in failing
        return (
            is_cause
            and fallback is not None
            and fallback not in failing
            and is_in_service(situation, fallback)
        )

    found = [place for place, _ in observed_steps(situation, suits)]
    if not found:
        return Plan(None, "no affected step has a healthy fallback agent in a live engine")
    places = [
        place for place in found if not all(each.is_fallback_forced for each in standing(situation, place))
    ]
    if not places:
        return Plan(None, f"a fallback agent does {', '.join(place.step_id for place in found)} already")
    steps = [step_arguments(place) for place in places]
    call = ActionCall(NAME, {"steps": steps, **seen_elsewhere(situation)})
    return Plan(call, f"a fallback agent can do {', '.join(place.step_id for place in places)}")


async def apply(work: WorkOrder, tools: Tools) -> Applied:
    orders = [
        Order(
            ControlKind.SET_FALLBACK_FORCED,
            {"workflow_id": place.workflow_id, "step_id": place.step_id, "forced": True},
        )
        for place in places_of(work.call)
    ]
    return await give(work, orders, tools)


async def verify(work: WorkOrder, applied: Applied, tools: Tools) -> Verification:
    return await verify_steps(places_of(work.call), applied, tools, seen_at=seen_at(work.call))


SPEC = ActionSpec(
    name=NAME,
    description="Use the fallback agent of the affected steps until it is switched back.",
    is_reversible=True,
    blast_radius="the named steps",
    default=Verdict.ALLOW,
    plan=plan,
    places=places_of,
    apply=apply,
    verify=verify,
)
