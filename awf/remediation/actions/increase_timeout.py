"""Give the agent of a slow step half as much time again."""

from __future__ import annotations

from datetime import datetime

from awf.core import semconv as sc
from awf.core.actions import Applied, Effect, Plan, Verification, WorkOrder
from awf.core.escape import promql_any_of
from awf.core.incidents import ActionCall, Target, Verdict
from awf.core.increase import rises, total
from awf.core.types import ControlKind, StepInfo
from awf.remediation.checking import NotYet, metric, observe
from awf.remediation.orders import Order, give
from awf.remediation.places import (
    failing_agents,
    observed_steps,
    places_of,
    standing,
    step_arguments,
)
from awf.remediation.spec import ActionSpec, Situation, Tools
from awf.remediation.step_health import BEFORE, STEP_S

NAME = "increase_timeout"


def plan(situation: Situation) -> Plan:
    failing = failing_agents(situation)

    def suits(step: StepInfo) -> bool:
        return not failing or step.agent_id in failing

    factors = {place: _raised(situation, place) for place, _ in observed_steps(situation, suits)}
    if not factors:
        return Plan(None, "no affected step is known to a live engine")
    most = situation.config.max_timeout_factor
    steps = [
        {**step_arguments(place), "factor": factor} for place, factor in factors.items() if factor <= most
    ]
    if not steps:
        return Plan(None, f"every affected step's timeout would be more than {most:g} times its usual value")
    words = ", ".join(f"{step['factor']:g} times its usual value for {step['step_id']}" for step in steps)
    return Plan(ActionCall(NAME, {"steps": steps}), f"the timeout can be {words}")


def _raised(situation: Situation, place: Target) -> float:
    """Return the factor that raises the timeout of a step from where it stands, in the slowest engine."""
    now = max(each.timeout_factor for each in standing(situation, place))
    return round(now * situation.config.timeout_factor, 3)


async def apply(work: WorkOrder, tools: Tools) -> Applied:
    orders = [
        Order(
            ControlKind.SET_TIMEOUT_FACTOR,
            {key: step[key] for key in ("workflow_id", "step_id", "factor")},
        )
        for step in work.call.arguments["steps"]
    ]
    return await give(work, orders, tools)


async def verify(work: WorkOrder, applied: Applied, tools: Tools) -> Verification:
    """Invocations of the agents must end in failure (a timeout is one) less than half as often."""
    agents = promql_any_of({place.agent_id for place in places_of(work.call)})
    query = f"sum by ({sc.STATUS}) ({sc.AGENT_INVOCATIONS}{{{sc.AGENT_ID}=~{agents}}})"

    async def failed_share(start: datetime, end: datetime) -> tuple[float, float]:
        found = rises(await tools.telemetry.range(query, start=start - BEFORE, end=end, step_s=STEP_S))
        window = (start.timestamp(), end.timestamp())
        failed = total(found, *window, {sc.STATUS: sc.FAILED})
        count = failed + total(found, *window, {sc.STATUS: sc.COMPLETED})
        return failed / max(1.0, count), count

    async def look(start: datetime, end: datetime) -> Verification | NotYet:
        after, count = await failed_share(start, end)
        if count < tools.config.min_steps:
            return NotYet(f"{count:.0f} of at least {tools.config.min_steps} invocations to judge by")
        before, _ = await failed_share(applied.at - BEFORE, applied.at)
        text = f"{after:.0%} of {count:.0f} invocations failed or timed out, {before:.0%} before"
        effect = Effect.EFFECTIVE if after <= 0.5 * before and after < 0.2 else Effect.INEFFECTIVE
        return Verification(effect, text, (metric(text, query, start, end, after),))

    return await observe(look, applied, tools)


SPEC = ActionSpec(
    name=NAME,
    description="Multiply the timeout of the affected steps by 1.5.",
    is_reversible=True,
    blast_radius="the named steps",
    default=Verdict.ALLOW,
    plan=plan,
    places=places_of,
    apply=apply,
    verify=verify,
)
