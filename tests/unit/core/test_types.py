"""What the core's types claim about themselves."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError

import pytest

from awf.core.types import (
    AckStatus,
    AgentId,
    AgentManifest,
    ChangeId,
    ControlAck,
    ControlChange,
    ControlKind,
    ControlOutcome,
    EngineId,
    ExecutionStatus,
    TokenUsage,
    new_id,
)
from awf.testing import EPOCH

CHANGE = ControlChange(ChangeId("c"), ControlKind.SET_WORKER_LIMIT, {"workers": 2}, 1, "test", EPOCH)


def _ack(status: AckStatus, engine: str = "e1") -> ControlAck:
    return ControlAck(CHANGE.id, EngineId(engine), status)


def test_ids_say_what_they_are_of_and_do_not_repeat() -> None:
    ids = {new_id("inc") for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch(r"inc_[0-9a-f]{16}", each) for each in ids)


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_trust_score_outside_zero_to_one_is_refused_by_name(score: float) -> None:
    with pytest.raises(ValueError, match=f"agent 'a': trust_score is {score}, expected 0 to 1"):
        AgentManifest(AgentId("a"), "A", "1", trust_score=score)


def test_an_agent_needs_an_id() -> None:
    with pytest.raises(ValueError, match="needs an id"):
        AgentManifest(AgentId(""), "A", "1")


def test_values_cannot_be_changed_in_place() -> None:
    with pytest.raises(FrozenInstanceError):
        TokenUsage().input_tokens = 5  # type: ignore[misc]


def test_tokens_add_up() -> None:
    assert TokenUsage(3, 4).total == 7


def test_three_ends_of_an_execution_are_final() -> None:
    assert {status.value for status in ExecutionStatus if status.is_final} == {
        "completed", "failed", "cancelled",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "is_applied", "is_refused"),
    [
        (ControlOutcome(CHANGE, ()), False, False),
        (ControlOutcome(CHANGE, (), (EngineId("e1"),)), False, False),
        (ControlOutcome(CHANGE, (_ack(AckStatus.APPLIED),)), True, False),
        (ControlOutcome(CHANGE, (_ack(AckStatus.APPLIED),), (EngineId("e2"),)), False, False),
        (ControlOutcome(CHANGE, (_ack(AckStatus.APPLIED), _ack(AckStatus.FAILED, "e2"))), False, True),
        (ControlOutcome(CHANGE, (_ack(AckStatus.REFUSED),)), False, True),
    ],
    ids=["no engine", "no answer", "applied", "one answer missing", "one failed", "refused"],
)
def test_a_change_is_applied_only_when_every_engine_said_so(
    outcome: ControlOutcome, is_applied: bool, is_refused: bool
) -> None:
    assert (outcome.is_applied, outcome.is_refused) == (is_applied, is_refused)
