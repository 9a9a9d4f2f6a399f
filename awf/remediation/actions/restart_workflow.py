"""Run a failed execution again from its beginning, with the same input."""

from __future__ import annotations

from awf.core.actions import Applied, Plan, Verification, WorkOrder
from awf.core.incidents import ActionCall, Target, Verdict
from awf.core.types import ControlKind, new_id
from awf.remediation.execution_outcome import verify_execution
from awf.remediation.orders import Order, give
from awf.remediation.places import affected
from awf.remediation.spec import ActionSpec, Situation, Tools

NAME = "restart_workflow"


def plan(situation: Situation) -> Plan:
    failed = next((place for place in affected(situation) if place.execution_id), None)
    if failed is None:
        return Plan(None, "no failed execution was observed")
    arguments = {
        "workflow_id": failed.workflow_id,
        "execution_id": failed.execution_id,
        "new_execution_id": new_id("exec"),
    }
    return Plan(ActionCall(NAME, arguments), f"execution {failed.execution_id} can be run again")


def places(call: ActionCall) -> tuple[Target, ...]:
    arguments = call.arguments
    return (Target(workflow_id=arguments["workflow_id"], execution_id=arguments["execution_id"]),)


async def apply(work: WorkOrder, tools: Tools) -> Applied:
    arguments = {key: work.call.arguments[key] for key in ("execution_id", "new_execution_id")}
    return await give(work, [Order(ControlKind.RESTART_EXECUTION, arguments)], tools)


async def verify(work: WorkOrder, applied: Applied, tools: Tools) -> Verification:
    return await verify_execution(work.call.arguments["new_execution_id"], applied, tools)


SPEC = ActionSpec(
    name=NAME,
    description="Start a failed execution again with the same input, as a new execution.",
    is_reversible=False,
    blast_radius="one execution",
    default=Verdict.ALLOW,
    plan=plan,
    places=places,
    apply=apply,
    verify=verify,
)
