"""What a workflow is: steps that form a directed acyclic graph, each with its agent, limits and fallback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from awf.core.types import AgentId, StepId, StepInfo, WorkflowId, WorkflowInfo
from awf.errors import WorkflowError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often one agent is tried again, and how long to wait before each retry.

    The wait is `backoff_s * multiplier ** (retry - 1)`, at most `max_backoff_s`, moved by up to
    `jitter` (a share of it, 0..1) in either direction.
    """

    max_retries: int = 0
    backoff_s: float = 0.5
    multiplier: float = 2.0
    max_backoff_s: float = 30.0
    jitter: float = 0.1

    def __post_init__(self) -> None:
        if self.max_retries < 0 or self.backoff_s < 0 or self.max_backoff_s < 0 or self.multiplier < 1:
            raise WorkflowError(f"{self} cannot be followed", hint="Times and counts are 0 or more.")
        if not 0 <= self.jitter <= 1:
            raise WorkflowError(f"jitter is {self.jitter}, expected 0 to 1")

    def delay_s(self, retry: int, uniform: Callable[[float, float], float]) -> float:
        """Return the wait before retry number `retry` (from 1); `uniform(a, b)` draws the jitter."""
        # The exponent is bounded because a float overflows long before anyone waits that often.
        wait = min(self.backoff_s * self.multiplier ** min(retry - 1, 64), self.max_backoff_s)
        return wait * (1 + uniform(-self.jitter, self.jitter))


@dataclass(frozen=True, slots=True)
class Step:
    """One piece of work. `timeout_s` limits each attempt; the fallback agent runs when the agent's
    retries are used up, or at once when the controls say so."""

    id: StepId
    agent_id: AgentId
    depends_on: tuple[StepId, ...] = ()
    timeout_s: float = 60.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    fallback_agent_id: AgentId | None = None

    def __post_init__(self) -> None:
        if not self.id:
            raise WorkflowError("a step needs an id")
        if self.timeout_s <= 0:
            raise WorkflowError(f"step {self.id!r}: timeout_s is {self.timeout_s}, expected more than 0")
        if self.fallback_agent_id == self.agent_id:
            raise WorkflowError(
                f"step {self.id!r}: agent {self.agent_id!r} cannot be its own fallback",
                hint="Name another agent, or leave fallback_agent_id out.",
            )


@dataclass(frozen=True)
class Workflow:
    """A named graph of steps. Raises WorkflowError when the graph cannot run."""

    id: WorkflowId
    steps: tuple[Step, ...]
    description: str = ""

    def __post_init__(self) -> None:
        if not self.id:
            raise WorkflowError("a workflow needs an id")
        if not self.steps:
            raise WorkflowError(f"workflow {self.id!r} has no steps")
        self._check_names()
        self._check_order()

    def step(self, step_id: str) -> Step | None:
        """Return a step by its id."""
        return next((step for step in self.steps if step.id == step_id), None)

    @property
    def last_steps(self) -> tuple[Step, ...]:
        """The steps that no other step waits for: their outputs are the workflow's."""
        needed = {name for step in self.steps for name in step.depends_on}
        return tuple(step for step in self.steps if step.id not in needed)

    def info(self) -> WorkflowInfo:
        """Return what other processes may know."""
        steps = tuple(
            StepInfo(
                step.id, step.agent_id, step.depends_on, step.timeout_s, step.retry.max_retries,
                step.fallback_agent_id,
            )
            for step in self.steps
        )  # fmt: skip
        return WorkflowInfo(self.id, self.description, steps)

    def _check_names(self) -> None:
        seen: set[StepId] = set()
        for step in self.steps:
            if step.id in seen:
                raise WorkflowError(f"workflow {self.id!r} has two steps named {step.id!r}")
            seen.add(step.id)
        for step in self.steps:
            for name in step.depends_on:
                if name not in seen:
                    raise WorkflowError(
                        f"workflow {self.id!r}: step {step.id!r} depends on {name!r}, which does not exist",
                        hint=f"Its steps are {', '.join(sorted(seen))}.",
                    )

    def _check_order(self) -> None:
        try:
            TopologicalSorter({step.id: step.depends_on for step in self.steps}).prepare()
        except CycleError as error:
            # graphlib lists a step before the one that needs it; people read "a needs b needs a".
            path = " -> ".join(reversed(error.args[1]))
            raise WorkflowError(
                f"workflow {self.id!r} has a cycle: {path}", hint="Remove one of these dependencies."
            ) from error
