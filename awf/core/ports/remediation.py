"""What may be tried against a cause, what is allowed, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from awf.core.actions import ActionInfo, Applied, Plan, Verification, WorkOrder
from awf.core.incidents import ActionCall, Candidates, Hypothesis, PolicyDecision, Target


class Playbook(Protocol):
    def candidates(self, hypothesis: Hypothesis) -> Candidates:
        """Return what to try against a cause. Only names: whether one can and may be taken is asked later."""
        ...


class Policy(Protocol):
    def decide(self, action: str, target: Target, *, reversible: bool, severity: str) -> PolicyDecision: ...


class Remediation(Protocol):
    """The registered actions, behind policy and limits: the watcher's only way to act."""

    def actions(self) -> Mapping[str, ActionInfo]: ...

    async def plan(self, name: str, hypothesis: Hypothesis) -> Plan:
        """Say what an action would do about a cause. Raises NotFound for an action that is not registered."""
        ...

    def judge(self, call: ActionCall, *, severity: str) -> PolicyDecision:
        """Ask the policy about every place the action touches; the strictest answer counts."""
        ...

    async def apply(self, order: WorkOrder) -> Applied:
        """Check policy and limits again, write the intent down, act. Done twice it acts once."""
        ...

    async def verify(self, order: WorkOrder, applied: Applied) -> Verification:
        """Let it settle, then look at what the action did not write, up to a time limit."""
        ...

    async def undo(self, order: WorkOrder, applied: Applied) -> Applied:
        """Restore what stood before. Done twice it acts once."""
        ...
