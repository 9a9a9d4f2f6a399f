"""Take an agent out of service: its steps use their fallback, or fail at once."""

from __future__ import annotations

from awf.core.actions import Applied, Plan, Verification, WorkOrder
from awf.core.incidents import ActionCall, Target, Verdict
from awf.core.types import ControlKind
from awf.remediation.orders import Order, give
from awf.remediation.places import (
    is_in_service,
    observed_steps,
    places_of,
    seen_at,
    seen_elsewhere,
    step_arguments,
)
from awf.remediation.spec import ActionSpec, Situation, Tools
from awf.remediation.step_health import verify_steps

NAME = "disable_agent"


def plan(situation: Situation) -> Plan:
    agent_id = situation.hypothesis.target.agent_id
    if not agent_id:
        return Plan(None, "the cause names no agent")
    if not any(agent.id == agent_id for engine in situation.engines for agent in engine.agents):
        return Plan(None, f"no live engine has agent {agent_id}")
    if not is_in_service(situation, agent_id):
        return Plan(None, f"agent {agent_id} is out of service already")
    found = list(observed_steps(situation, lambda step: step.agent_id == agent_id))
    if found and not any(is_in_service(situation, step.fallback_agent_id or "") for _, step in found):
        return Plan(None, f"without agent {agent_id} its steps would only fail sooner: they have no fallback")
    steps = [step_arguments(place) for place, _ in found]
    call = ActionCall(NAME, {"agent_id": agent_id, "steps": steps, **seen_elsewhere(situation)})
    return Plan(call, f"agent {agent_id} can be taken out of service")


def places(call: ActionCall) -> tuple[Target, ...]:
    return (Target(agent_id=call.arguments["agent_id"]),)


async def apply(work: WorkOrder, tools: Tools) -> Applied:
    arguments = {"agent_id": work.call.arguments["agent_id"], "enabled": False}
    return await give(work, [Order(ControlKind.SET_AGENT_ENABLED, arguments)], tools)


async def verify(work: WorkOrder, applied: Applied, tools: Tools) -> Verification:
    return await verify_steps(places_of(work.call), applied, tools, seen_at=seen_at(work.call))


SPEC = ActionSpec(
    name=NAME,
    description="Invoke this agent no more; steps without a fallback agent fail.",
    is_reversible=True,
    blast_radius="every step that uses the agent",
    default=Verdict.ASK,
    plan=plan,
    places=places,
    apply=apply,
    verify=verify,
)
