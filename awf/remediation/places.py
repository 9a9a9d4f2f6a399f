"""Steps that an action may touch: observed in telemetry, and known to a live engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from awf.core.incidents import ActionCall, Target
from awf.core.types import Json, StepId, StepInfo, TurnedStep, WorkflowId
from awf.remediation.spec import Situation

SEEN_AT = "seen_at"


def affected(situation: Situation) -> tuple[Target, ...]:
    """Return the places where the cause was observed, worst first."""
    hypothesis = situation.hypothesis
    return hypothesis.affected or (hypothesis.target,)


def observed_steps(
    situation: Situation, suits: Callable[[StepInfo], bool]
) -> Iterator[tuple[Target, StepInfo]]:
    """Yield the affected steps that engines run and that suit, worst first, each once, up to the limit.

    An agent that was observed without a step stands for every step it is the first choice of.
    """
    seen: set[tuple[str, str]] = set()
    for place in affected(situation):
        for workflow_id, step in _steps(situation):
            is_here = (
                (workflow_id, step.id) == (place.workflow_id, place.step_id)
                if place.step_id
                else bool(place.agent_id) and step.agent_id == place.agent_id
            )
            if is_here and suits(step) and (workflow_id, step.id) not in seen:
                if len(seen) == situation.config.max_steps_per_action:
                    return
                seen.add((workflow_id, step.id))
                yield Target(workflow_id=workflow_id, step_id=step.id, agent_id=step.agent_id), step


def standing(situation: Situation, place: Target) -> list[TurnedStep]:
    """Return how the switches of a step stand, in each engine that runs it."""
    workflow_id, step_id = WorkflowId(place.workflow_id), StepId(place.step_id)
    normal = TurnedStep(workflow_id, step_id)
    return [
        next(
            (
                each
                for each in engine.turned_steps
                if (each.workflow_id, each.step_id) == (workflow_id, step_id)
            ),
            normal,
        )
        for engine in situation.engines
        if any(workflow.id == workflow_id for workflow in engine.workflows)
    ]


def is_in_service(situation: Situation, agent_id: str) -> bool:
    """Whether an engine has this agent and may invoke it."""
    return any(
        agent.id == agent_id and agent_id not in engine.disabled_agents
        for engine in situation.engines
        for agent in engine.agents
    )


def failing_agents(situation: Situation) -> frozenset[str]:
    """Return the agents in which the cause was observed; empty when only steps were."""
    found = {place.agent_id for place in affected(situation)} | {situation.hypothesis.target.agent_id}
    return frozenset(found - {""})


def step_arguments(place: Target) -> Json:
    """Return a place as an argument of an action."""
    return {"workflow_id": place.workflow_id, "step_id": place.step_id, "agent_id": place.agent_id}


def places_of(call: ActionCall) -> tuple[Target, ...]:
    """Return the steps that a call's `steps` argument names."""
    return tuple(_place(each) for each in call.arguments["steps"])


def seen_at(call: ActionCall) -> tuple[Target, ...]:
    """Return the steps where the trouble that a call is against is seen, when those are others than it changes."""
    return tuple(_place(each) for each in call.arguments.get(SEEN_AT, ()))


def seen_elsewhere(situation: Situation) -> Json:
    """Return the argument of an action that says by which other steps it is judged; none when it is by its own."""
    found = {(each.workflow_id, each.step_id): each for each in situation.hypothesis.shows_at if each.step_id}
    most = situation.config.max_steps_per_action
    return {SEEN_AT: [step_arguments(place) for place in list(found.values())[:most]]} if found else {}


def _place(step: Mapping[str, Any]) -> Target:
    return Target(workflow_id=step["workflow_id"], step_id=step["step_id"], agent_id=step["agent_id"])


def _steps(situation: Situation) -> Iterator[tuple[str, StepInfo]]:
    for engine in situation.engines:
        for workflow in engine.workflows:
            for step in workflow.steps:
                yield workflow.id, step
