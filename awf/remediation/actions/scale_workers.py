"""Let the engines run twice as many executions at once."""

from __future__ import annotations

from datetime import datetime

from awf.core import semconv as sc
from awf.core.actions import Applied, Effect, Plan, Verification, WorkOrder
from awf.core.incidents import ActionCall, Target, Verdict
from awf.core.increase import rises, total
from awf.core.types import ControlKind
from awf.remediation.checking import NotYet, metric, observe
from awf.remediation.orders import Order, give
from awf.remediation.spec import ActionSpec, Situation, Tools
from awf.remediation.step_health import BEFORE, STEP_S

NAME = "scale_workers"
QUEUE = f"sum({sc.EXECUTIONS_PENDING})"
FINISHED = f"sum({sc.WORKFLOWS})"
# A queue that shrinks gets more time: how long it takes depends on how long it has grown.
PATIENCE = 3.0
ALERT_LEVEL = 2  # executions waiting for each worker, as in the alert AWFWorkersSaturated


def plan(situation: Situation) -> Plan:
    most = situation.config.max_workers
    wanted = [
        {"engine_id": engine.id, "workers": min(2 * engine.workers, most), "workers_before": engine.workers}
        for engine in situation.engines
        if engine.workers < most
    ]
    if not wanted:
        return Plan(None, f"no live engine has fewer than {most} workers")
    words = ", ".join(
        f"{each['workers_before']} to {each['workers']} on {each['engine_id']}" for each in wanted
    )
    return Plan(ActionCall(NAME, {"engines": wanted}), f"workers can go from {words}")


def places(_: ActionCall) -> tuple[Target, ...]:
    return (Target(),)


async def apply(work: WorkOrder, tools: Tools) -> Applied:
    orders = [
        Order(ControlKind.SET_WORKER_LIMIT, {"engine_id": each["engine_id"], "workers": each["workers"]})
        for each in work.call.arguments["engines"]
    ]
    return await give(work, orders, tools)


async def verify(work: WorkOrder, applied: Applied, tools: Tools) -> Verification:
    """The queue must fall below what would have raised the alert with the workers there were before."""
    level = ALERT_LEVEL * sum(each["workers_before"] for each in work.call.arguments["engines"])

    async def look(start: datetime, end: datetime) -> Verification | NotYet:
        finished = rises(await tools.telemetry.range(FINISHED, start=start - BEFORE, end=end, step_s=STEP_S))
        if not total(finished, start.timestamp(), end.timestamp(), {}):
            # A backend repeats an engine's last reading for minutes after the engine fell silent.
            return NotYet("no execution was seen to finish since, so the queue's reading may be old")
        now = await tools.telemetry.instant(QUEUE, at=end)
        then = await tools.telemetry.instant(QUEUE, at=applied.at)
        if not now or not then:
            return NotYet("no reading of the executions that wait")
        pending, before = now[0].value, then[0].value
        text = f"{pending:.0f} executions wait for a worker, {before:.0f} when it was done"
        if pending <= level:
            evidence = metric(text, QUEUE, start, end, pending)
            return Verification(Effect.EFFECTIVE, f"{text}; the alert's level was {level}", (evidence,))
        effect = Effect.INEFFECTIVE if pending >= before else Effect.INCONCLUSIVE
        return NotYet(f"{text}; not yet below {level}", effect)

    timeout_s = PATIENCE * tools.config.verify_timeout_s
    return await observe(look, applied, tools, timeout_s=timeout_s)


SPEC = ActionSpec(
    name=NAME,
    description="Double the workers of every engine, up to a limit.",
    is_reversible=True,
    blast_radius="every engine",
    default=Verdict.ASK,
    plan=plan,
    places=places,
    apply=apply,
    verify=verify,
)
