"""Orders to engines: given once each, with the inverse kept; all or nothing as far as engines allow it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from awf.core.actions import Applied, ApplyStatus, WorkOrder
from awf.core.incidents import WATCHER_NAME
from awf.core.types import AckStatus, ControlAck, ControlKind, ControlOutcome, Json
from awf.remediation.spec import Tools

REQUESTED_BY = WATCHER_NAME


@dataclass(frozen=True, slots=True)
class Order:
    """One change that engines are told to make."""

    kind: ControlKind
    arguments: Mapping[str, Any]


async def give(work: WorkOrder, orders: Sequence[Order], tools: Tools, *, phase: str = "apply") -> Applied:
    """Give orders one after another. A refusal puts back what was done; a missing answer stops there."""
    before: list[Json] = []
    for number, order in enumerate(orders):
        outcome = await tools.controls.submit(
            order.kind,
            order.arguments,
            requested_by=f"{REQUESTED_BY} for {work.incident_id}",
            # The same order of the same incident is carried out once, however often we come back to it.
            idempotency_key=f"{work.incident_id}/{work.call.digest}/{phase}/{number}",
            lease=work.lease,
        )
        before += [_inverse(order.kind, ack) for ack in outcome.acks if _restores(ack)]
        if outcome.is_applied:
            continue
        if outcome.is_refused:
            return await _put_back(work, before, outcome, tools, phase)
        return Applied(ApplyStatus.UNCONFIRMED, _unconfirmed(outcome), tools.clock.now(), tuple(before))
    done = f"{len(orders)} change{'s' if len(orders) > 1 else ''} acknowledged by the engines"
    return Applied(ApplyStatus.APPLIED, done, tools.clock.now(), tuple(before))


async def take_back(work: WorkOrder, applied: Applied, tools: Tools, *, phase: str = "undo") -> Applied:
    """Give the orders that restore what stood before, last one first."""
    orders = [Order(ControlKind(each["kind"]), each["arguments"]) for each in reversed(applied.before)]
    return await give(work, orders, tools, phase=phase)


def _restores(ack: ControlAck) -> bool:
    return ack.status is AckStatus.APPLIED and bool(ack.before)


def _inverse(kind: ControlKind, ack: ControlAck) -> Json:
    return {"kind": kind.value, "arguments": {**ack.before, "engine_id": ack.engine_id}}


async def _put_back(
    work: WorkOrder, before: list[Json], outcome: ControlOutcome, tools: Tools, phase: str
) -> Applied:
    refusals = [ack for ack in outcome.acks if ack.status is not AckStatus.APPLIED]
    why = "; ".join(f"engine {ack.engine_id} {ack.status.value}: {ack.detail}" for ack in refusals)
    failed = Applied(ApplyStatus.FAILED, why, tools.clock.now(), tuple(before))
    if phase != "apply" or not before:
        return failed
    back = await take_back(work, failed, tools, phase="put_back")
    state = (
        "what was done is put back" if back.status is ApplyStatus.APPLIED else f"putting back: {back.detail}"
    )
    return Applied(ApplyStatus.FAILED, f"{why}; {state}", tools.clock.now())


def _unconfirmed(outcome: ControlOutcome) -> str:
    if not outcome.acks and not outcome.waiting_for:
        return f"no live engine takes {outcome.change.kind.value}"
    return f"no answer from engine {', '.join(outcome.waiting_for)}"
