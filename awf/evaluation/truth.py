"""What is true of a scenario: the cause, the place, and what helps its users. Known from what a fault does to the
demo's world, never from the watcher's playbook or detectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from awf.core.incidents import Target
from awf.evaluation.plant import Plant

EVERYWHERE = "everywhere"
UNATTENDED = frozenset({"switch_fallback", "increase_timeout", "restart_workflow", "retry_step"})
"""What a team lets the watcher do by itself (the product's requirements); all else is asked for first."""
HARMLESS = frozenset({"restart_workflow", "retry_step"})
"""They run one failed execution again: where that does not help, it changes nothing for anybody."""
TELLING = "notify_oncall"


class Judgement(StrEnum):
    RIGHT = "right"
    TOLD = "told"  # people, and nothing else
    USELESS = "useless"  # it helps nobody and harms nobody
    WRONG = "wrong"  # it changes what is healthy


@dataclass(frozen=True, slots=True)
class Help:
    """An action that makes it better for users, and the places where it does: `workflow/step`, an agent."""

    action: str
    places: frozenset[str]


@dataclass(frozen=True, slots=True)
class Truth:
    """What is wrong, where, and what helps. Without `targets` nothing is wrong."""

    causes: frozenset[str]
    targets: tuple[Target, ...]
    helps: tuple[Help, ...] = ()
    harmless: frozenset[str] = HARMLESS

    @property
    def is_false_alarm(self) -> bool:
        return not self.targets

    @property
    def can_be_unattended(self) -> bool:
        """Whether an action helps that a team lets the watcher take by itself."""
        return any(each.action in UNATTENDED for each in self.helps)

    def is_cause(self, name: str) -> bool:
        return name in self.causes

    def is_target(self, found: Mapping[str, str]) -> bool:
        """Whether what was found is one of the places where it is wrong, whatever else it names."""
        return any(_is_at(wanted, found) for wanted in self.targets)

    def judge(self, action: str, arguments: Mapping[str, Any]) -> Judgement:
        """Return what an action is here. One that touches a single healthy place too many is wrong."""
        if action == TELLING:
            return Judgement.TOLD
        touched = touches(arguments)
        for each in self.helps:
            if each.action == action and touched and touched <= each.places:
                return Judgement.RIGHT
        return Judgement.USELESS if action in self.harmless else Judgement.WRONG


def both(one: Truth, other: Truth) -> Truth:
    """Return what is true when two things are wrong at once."""
    places: dict[str, frozenset[str]] = {}
    for each in (*one.helps, *other.helps):
        places[each.action] = places.get(each.action, frozenset()) | each.places
    return Truth(
        one.causes | other.causes,
        (*one.targets, *other.targets),
        tuple(Help(action, found) for action, found in places.items()),
        one.harmless | other.harmless,
    )


def touches(arguments: Mapping[str, Any]) -> frozenset[str]:
    """Return the places that an action's arguments name."""
    found = {f"{step['workflow_id']}/{step['step_id']}" for step in arguments.get("steps", ())}
    if "agent_id" in arguments:
        found.add(str(arguments["agent_id"]))
    if "engines" in arguments:
        found.add(EVERYWHERE)
    return frozenset(found)


def stand_ins(plant: Plant, agents: Iterable[str]) -> tuple[Help, ...]:
    """Return what helps when these agents, and only they, do badly: others in their place."""
    ill = set(agents)
    steps, removable = set(), set()
    for agent in ill:
        places = plant.of(agent)
        found = {place.name for place in places if place.fallback and place.fallback not in ill}
        steps |= found
        if len(found) == len(places):
            removable.add(agent)
    helps = [Help("switch_fallback", frozenset(steps))] if steps else []
    return (*helps, Help("disable_agent", frozenset(removable))) if removable else tuple(helps)


def _is_at(wanted: Target, found: Mapping[str, str]) -> bool:
    parts = {name: getattr(wanted, name) for name in Target.__slots__ if getattr(wanted, name)}
    if not parts:  # the whole system: to name one part of it is to miss it
        return not any(found.values())
    return all(found.get(name) == value for name, value in parts.items())
