"""The values of an engine's runtime switches, and the file that keeps them over a restart."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from awf.core.codec import from_json, to_json
from awf.core.types import AgentId, ControlAck, StepId, TurnedStep, WorkflowId
from awf.errors import ConfigError, InvalidInput


@dataclass(frozen=True, slots=True)
class Switches:
    """Where every switch stands. Replaced, never mutated. `workers` None is the engine's own number."""

    disabled_agents: frozenset[AgentId] = frozenset()
    forced_fallbacks: frozenset[tuple[WorkflowId, StepId]] = frozenset()
    timeout_factors: Mapping[tuple[WorkflowId, StepId], float] = field(default_factory=dict)
    workers: int | None = None

    def turned_steps(self) -> tuple[TurnedStep, ...]:
        """Return the steps that are not run as their workflow says."""
        return tuple(
            TurnedStep(*place, place in self.forced_fallbacks, self.timeout_factors.get(place, 1.0))
            for place in sorted(self.forced_fallbacks | self.timeout_factors.keys())
        )

    def with_agent(self, agent_id: AgentId, *, enabled: bool) -> Switches:
        rest = self.disabled_agents - {agent_id}
        return replace(self, disabled_agents=rest if enabled else rest | {agent_id})

    def with_fallback(self, workflow_id: WorkflowId, step_id: StepId, *, forced: bool) -> Switches:
        rest = self.forced_fallbacks - {(workflow_id, step_id)}
        return replace(self, forced_fallbacks=rest | {(workflow_id, step_id)} if forced else rest)

    def with_timeout_factor(self, workflow_id: WorkflowId, step_id: StepId, factor: float) -> Switches:
        place = (workflow_id, step_id)
        rest = {key: value for key, value in self.timeout_factors.items() if key != place}
        return replace(self, timeout_factors=rest if factor == 1.0 else {**rest, place: factor})


@dataclass(frozen=True, slots=True)
class ControlState:
    """What must survive a restart: the switches, the fence, and the answers already given."""

    switches: Switches = field(default_factory=Switches)
    last_token: int = 0
    acks: Mapping[str, ControlAck] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _StepFactor:
    workflow_id: WorkflowId
    step_id: StepId
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class _File:
    """The file's shape: what JSON can say of a ControlState."""

    last_token: int = 0
    disabled_agents: tuple[AgentId, ...] = ()
    forced_fallbacks: tuple[_StepFactor, ...] = ()
    timeout_factors: tuple[_StepFactor, ...] = ()
    workers: int | None = None
    acks: tuple[ControlAck, ...] = ()


def read(path: Path) -> ControlState:
    """Read the file; a missing one is the initial state. Raises ConfigError for one that cannot be read:
    starting without it would silently enable what an operator disabled."""
    try:
        file = from_json(_File, json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return ControlState()
    except (OSError, ValueError, InvalidInput) as error:
        raise ConfigError(
            f"control file {path} cannot be read: {error}",
            hint="Repair it, or delete it to start with every switch in its normal position.",
        ) from error
    return ControlState(
        switches=Switches(
            disabled_agents=frozenset(file.disabled_agents),
            forced_fallbacks=frozenset((f.workflow_id, f.step_id) for f in file.forced_fallbacks),
            timeout_factors={(f.workflow_id, f.step_id): f.factor for f in file.timeout_factors},
            workers=file.workers,
        ),
        last_token=file.last_token,
        acks={ack.change_id: ack for ack in file.acks},
    )


def write(path: Path, state: ControlState) -> None:
    """Replace the file as one durable step. Raises OSError."""
    switches = state.switches
    file = _File(
        last_token=state.last_token,
        disabled_agents=tuple(sorted(switches.disabled_agents)),
        forced_fallbacks=tuple(_StepFactor(w, s) for w, s in sorted(switches.forced_fallbacks)),
        timeout_factors=tuple(_StepFactor(w, s, f) for (w, s), f in switches.timeout_factors.items()),
        workers=switches.workers,
        acks=tuple(state.acks.values()),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    with draft.open("w", encoding="utf-8") as handle:
        json.dump(to_json(file), handle, indent=1)
        handle.flush()
        os.fsync(handle.fileno())
    draft.replace(path)
