"""An agent cuts its answers short, and the steps after it fail: another agent in its place helps, not in theirs."""

from __future__ import annotations

from awf.core.incidents import Target
from awf.evaluation.kind import Kind
from awf.evaluation.plant import Plant
from awf.evaluation.truth import Truth, stand_ins


def targets(plant: Plant) -> list[str]:
    """Agents whose every answer is read by another step."""
    return [agent for agent in plant.replaceable if not any(place.is_last for place in plant.of(agent))]


def truth(plant: Plant, target: str) -> Truth:
    steps = tuple(Target(workflow_id=place.workflow_id, step_id=place.step_id) for place in plant.of(target))
    return Truth(frozenset({"agent_error"}), (Target(agent_id=target), *steps), stand_ins(plant, [target]))


SPEC = Kind(
    "malformed_output",
    targets=targets,
    truth=truth,
    fault="malformed_output",
)
