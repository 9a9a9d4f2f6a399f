"""What runs where in the demo: which agent does a step, who could stand in, on whom they depend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from awf.core.types import WorkflowInfo
from awf.demo.agents import PROFILES
from awf.demo.workflows import registry
from awf.demo.world import DemoWorld


@dataclass(frozen=True, slots=True)
class Place:
    """A step of a workflow, the agent that usually does it, and the one that could instead."""

    workflow_id: str
    step_id: str
    agent_id: str
    fallback: str
    is_last: bool

    @property
    def name(self) -> str:
        return f"{self.workflow_id}/{self.step_id}"


@dataclass(frozen=True, slots=True)
class Plant:
    """The demo as its makers know it."""

    places: tuple[Place, ...]
    providers: Mapping[str, str]  # of each agent that has one
    dependencies: Mapping[str, str]
    models: Mapping[str, str]

    @classmethod
    def of_demo(cls) -> Plant:
        workflows = registry(DemoWorld()).describe()
        return cls(
            tuple(place for workflow in workflows for place in _places(workflow)),
            {str(p.manifest.id): p.provider for p in PROFILES if p.provider},
            {str(p.manifest.id): p.dependency for p in PROFILES if p.dependency},
            {str(p.manifest.id): p.model for p in PROFILES if p.model},
        )

    @property
    def workflows(self) -> list[str]:
        return sorted({place.workflow_id for place in self.places})

    @property
    def agents(self) -> list[str]:
        """Every agent that is the first choice of some step."""
        return sorted({place.agent_id for place in self.places})

    @property
    def replaceable(self) -> list[str]:
        """Those of which every step has a fallback agent."""
        return [agent for agent in self.agents if all(place.fallback for place in self.of(agent))]

    def of(self, agent_id: str) -> list[Place]:
        """Return the steps that an agent is the first choice of."""
        return [place for place in self.places if place.agent_id == agent_id]

    def at_provider(self, provider: str) -> list[str]:
        return [agent for agent in self.agents if self.providers.get(agent) == provider]

    def on(self, dependency: str) -> list[str]:
        return [agent for agent in self.agents if self.dependencies.get(agent) == dependency]


def _places(workflow: WorkflowInfo) -> list[Place]:
    needed = {name for step in workflow.steps for name in step.depends_on}
    return [
        Place(workflow.id, step.id, step.agent_id, step.fallback_agent_id or "", step.id not in needed)
        for step in workflow.steps
    ]
