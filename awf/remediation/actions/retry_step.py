"""Go on with a failed execution from the step that failed, keeping what the others made."""

from __future__ import annotations

from awf.core.actions import Applied, Plan, Verification, WorkOrder
from awf.core.incidents import ActionCall, Target, Verdict
from awf.core.types import ControlKind
from awf.remediation.execution_outcome import verify_execution
from awf.remediation.orders import Order, give
from awf.remediation.places import affected
from awf.remediation.spec import ActionSpec, Situation, Tools

NAME = "retry_step"
ARGUMENTS = ("workflow_id", "execution_id", "step_id")


def plan(situation: Situation) -> Plan:
    failed = next((each for each in affected(situation) if each.execution_id and each.step_id), None)
    if failed is None:
        return Plan(None, "no failed step of an execution was observed")
    call = ActionCall(NAME, {name: getattr(failed, name) for name in ARGUMENTS})
    return Plan(call, f"execution {failed.execution_id} can go on from step {failed.step_id}")


def places(call: ActionCall) -> tuple[Target, ...]:
    return (Target(**{name: call.arguments[name] for name in ARGUMENTS}),)


async def apply(work: WorkOrder, tools: Tools) -> Applied:
    arguments = {key: work.call.arguments[key] for key in ("execution_id", "step_id")}
    return await give(work, [Order(ControlKind.RETRY_STEP, arguments)], tools)


async def verify(work: WorkOrder, applied: Applied, tools: Tools) -> Verification:
    return await verify_execution(work.call.arguments["execution_id"], applied, tools)


SPEC = ActionSpec(
    name=NAME,
    description="Run the failed step of one execution again, and what depends on it.",
    is_reversible=False,
    blast_radius="one execution",
    default=Verdict.ALLOW,
    plan=plan,
    places=places,
    apply=apply,
    verify=verify,
)
