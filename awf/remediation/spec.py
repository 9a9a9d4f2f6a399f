"""What a file in `actions/` exposes as `SPEC`, and what an action is given to work with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from awf.core.actions import ActionInfo, Applied, Plan, Verification, WorkOrder
from awf.core.clock import Clock
from awf.core.incidents import ActionCall, Hypothesis, Target, Verdict
from awf.core.ports import AuditLog, ControlStore, People, Telemetry
from awf.core.types import EngineInfo


@dataclass(frozen=True, slots=True)
class RemediationConfig:
    """Limits and waits. Seconds, unless a name says otherwise."""

    settle_s: float = 15.0
    verify_timeout_s: float = 120.0
    poll_s: float = 3.0
    min_steps: int = 5  # fewer finished steps after an action say nothing
    cooldown_s: float = 300.0
    decision_ttl_s: float = 900.0  # an older decision that nothing came of is not acted on
    max_actions_per_hour: int = 20
    block_after: int = 3  # actions in vain on a place; 0: never
    block_window_s: float = 21_600.0
    max_workers: int = 32
    timeout_factor: float = 1.5
    max_timeout_factor: float = 4.0  # repeated raises end there
    max_steps_per_action: int = 8


@dataclass(frozen=True, slots=True)
class Tools:
    """The hands and eyes of an action."""

    controls: ControlStore
    telemetry: Telemetry
    people: People
    clock: Clock
    config: RemediationConfig
    audit: AuditLog | None = None  # scripts need it, to be run once


@dataclass(frozen=True, slots=True)
class Situation:
    """What an action is planned for."""

    hypothesis: Hypothesis
    engines: Sequence[EngineInfo]
    config: RemediationConfig


PlanAction = Callable[[Situation], Plan]
ApplyAction = Callable[[WorkOrder, Tools], Awaitable[Applied]]
VerifyAction = Callable[[WorkOrder, Applied, Tools], Awaitable[Verification]]
UndoAction = Callable[[WorkOrder, Applied, Tools], Awaitable[Applied]]


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One remediation. `plan` builds exact arguments from what was observed, or says why it cannot;
    `places` names what a call touches, for policy and limits; `verify` reads what `apply` did not write.
    A reversible action leaves in `Applied.before` the orders that undo it, or has an `undo` of its own that reads it.
    `is_custom`: it came from the operator's directory, and only the playbook can name it."""

    name: str
    description: str
    is_reversible: bool
    blast_radius: str
    default: Verdict
    plan: PlanAction
    places: Callable[[ActionCall], tuple[Target, ...]]
    apply: ApplyAction
    verify: VerifyAction
    undo: UndoAction | None = None
    is_custom: bool = False

    @property
    def info(self) -> ActionInfo:
        return ActionInfo(
            self.name, self.description, self.is_reversible, self.blast_radius, is_custom=self.is_custom
        )
