"""One agent runs on a dearer model of its provider: the same tokens cost several times as much."""

from __future__ import annotations

from awf.core.types import AgentId
from awf.demo.agents import PROFILES
from awf.demo.fault import Fault
from awf.demo.world import AGENT, DemoWorld

DEARER = {
    "gpt-5-mini": "gpt-5",
    "claude-sonnet-4-5": "claude-opus-4-1",
    "gemini-2.5-flash": "gemini-2.5-pro",
    "mistral-medium-3": "mistral-large-2",
}
MODELS = {profile.manifest.id: profile.model for profile in PROFILES}


def start(world: DemoWorld, target: str, _: float) -> None:
    usual = MODELS[AgentId(target)]
    world.models[AgentId(target)] = DEARER.get(usual, usual)


def stop(world: DemoWorld, target: str) -> None:
    world.models.pop(AgentId(target), None)


SPEC = Fault(
    "cost_surge",
    "Agent {target} runs on a model that costs several times as much.",
    start,
    stop,
    aims_at=AGENT,
    target="writer-llm",
)
