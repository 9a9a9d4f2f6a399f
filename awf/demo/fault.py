"""Faults: what can go wrong in the demo's world, aimed at a place and as bad as wanted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from awf.core.registry import discover
from awf.demo.agents import PROFILES
from awf.demo.workflows import registry
from awf.demo.world import AGENT, DEPENDENCY, PROVIDER, STEP, WORKFLOW, DemoWorld, Failure
from awf.errors import ConfigError

logger = logging.getLogger(__name__)

Start = Callable[[DemoWorld, str, float], None]
Stop = Callable[[DemoWorld, str], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that can go wrong. `start(world, target, level)` and `stop(world, target)` change the world, and
    nothing but the world.

    `aims_at` is what a target is a name of: AGENT, PROVIDER, DEPENDENCY, WORKFLOW, STEP (`workflow/step`), or nothing.
    An intensity from 0 to 1 is a level between `levels`: a share, a factor, seconds. `description` may hold
    `{target}` and `{level}`.
    """

    name: str
    description: str
    start: Start
    stop: Stop
    aims_at: str = ""
    target: str = ""  # unless another is named
    levels: tuple[float, float] = (1.0, 1.0)
    intensity: float = 1.0  # unless another is named

    def level(self, intensity: float) -> float:
        low, high = self.levels
        return low + (high - low) * intensity


def failing(what: str, error_type: str, message: str, *, retryable: bool = True) -> tuple[Start, Stop]:
    """Return the start and the stop of a fault by which a share (the level) of calls at a place fails; at a step, of
    executions."""

    def start(world: DemoWorld, target: str, level: float) -> None:
        said = message.format(target=target)
        world.failures[what, target] = Failure(level, error_type, said, retryable, what == STEP)

    def stop(world: DemoWorld, target: str) -> None:
        world.failures.pop((what, target), None)

    return start, stop


def targets(aims_at: str) -> tuple[str, ...]:
    """Return every name that a fault which aims at this may be given."""
    workflows = registry(DemoWorld()).describe()
    names: dict[str, Sequence[str]] = {
        AGENT: [profile.manifest.id for profile in PROFILES],
        PROVIDER: [profile.provider for profile in PROFILES],
        DEPENDENCY: [profile.dependency for profile in PROFILES],
        WORKFLOW: [workflow.id for workflow in workflows],
        STEP: [f"{workflow.id}/{step.id}" for workflow in workflows for step in workflow.steps],
    }
    return tuple(sorted({str(name) for name in names.get(aims_at, ()) if name}))


class FaultBoard:
    """Which faults are on, each at one target. Turning one to where it stands already changes nothing.

    `tell` is called with a sentence for people whenever one starts or ends.
    """

    def __init__(self, world: DemoWorld, tell: Callable[[str], None] = lambda _: None) -> None:
        self._world = world
        self._tell = tell
        self._faults = discover("awf.demo.faults", Fault)
        self._targets: dict[str, str] = {}  # of those that are on

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._faults)

    @property
    def active(self) -> set[str]:
        return set(self._targets)

    def check(self, name: str, target: str = "", intensity: float | None = None) -> Fault:
        """Return a fault. Raises ConfigError for one that is unknown, and for a wrong target or intensity."""
        fault = self._faults.get(name)
        if fault is None:
            raise ConfigError(f"there is no fault {name!r}", hint=f"Faults are {', '.join(self._faults)}.")
        known = targets(fault.aims_at)
        if target and target not in known:
            hint = f"It aims at one of {', '.join(known)}." if known else "Leave the target out."
            raise ConfigError(f"the fault {name} has no target {target!r:.80}", hint=hint)
        if intensity is not None and not 0 <= intensity <= 1:
            raise ConfigError(f"the intensity of {name} is {intensity:g}", hint="It goes from 0 to 1.")
        return fault

    def turn(self, name: str, *, on: bool, target: str = "", intensity: float | None = None) -> None:
        """Start or stop a fault. Raises ConfigError as `check` does."""
        fault = self.check(name, target, intensity)
        if on == (name in self._targets):
            return
        if on:
            level = fault.level(fault.intensity if intensity is None else intensity)
            target = self._targets[name] = target or fault.target
            fault.start(self._world, target, level)
            words = f"{name} starts: {fault.description.format(target=target, level=level)}"
        else:
            target = self._targets.pop(name)
            fault.stop(self._world, target)
            words = f"{name} ends"
        logger.info("demo fault", extra={"fault": name, "on": on, "target": target})
        self._tell(words)
