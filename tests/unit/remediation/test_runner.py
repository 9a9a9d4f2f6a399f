"""Policy, approvals and limits at the moment of acting."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from awf.core.actions import ApplyStatus
from awf.core.incidents import ActionCall, ApprovalStatus, Verdict
from awf.core.types import IncidentId
from awf.errors import NotFound, Unavailable
from awf.remediation.policy import Rule, RulePolicy
from awf.testing import FakeControls
from tests.unit.remediation._scene import Scene, approval, cause, engine, order


def switch(step: str = "draft") -> ActionCall:
    place = {"workflow_id": "report", "step_id": step, "agent_id": "writer"}
    return ActionCall("switch_fallback", {"steps": [place]})


DISABLE = ActionCall("disable_agent", {"agent_id": "writer", "steps": []})


async def test_an_action_that_is_not_registered_is_not_found(scene: Scene) -> None:
    with pytest.raises(NotFound, match="rm_rf"):
        await scene.runner().plan("rm_rf", cause())
    with pytest.raises(NotFound, match="rm_rf"):
        await scene.runner().apply(order(ActionCall("rm_rf", {})))


async def test_an_action_that_needs_a_person_is_refused_without_one(scene: Scene) -> None:
    applied = await scene.runner().apply(order(DISABLE))
    assert (applied.status, applied.detail) == (ApplyStatus.REFUSED, "it needs an approval")
    assert scene.controls.changes == []


async def test_an_approval_opens_exactly_its_own_action(scene: Scene) -> None:
    runner = scene.runner()
    other = replace(DISABLE, arguments={"agent_id": "reviewer", "steps": []})
    refused = await runner.apply(order(other, approval=approval(DISABLE)))
    assert "another action" in refused.detail
    foreign = replace(approval(DISABLE), incident_id=IncidentId("inc_9"))
    assert "another action" in (await runner.apply(order(DISABLE, approval=foreign))).detail
    pending = approval(DISABLE, status=ApprovalStatus.EXPIRED)
    assert "is expired" in (await runner.apply(order(DISABLE, approval=pending))).detail
    assert (await runner.apply(order(DISABLE, approval=approval(DISABLE)))).status is ApplyStatus.APPLIED


async def test_the_policy_is_asked_again_at_execution(scene: Scene) -> None:
    deny = RulePolicy([Rule(name="frozen", decision=Verdict.DENY, reason="change freeze")])
    applied = await scene.runner(policy=deny).apply(order(switch(), approval=approval(switch())))
    assert (applied.status, applied.detail) == (ApplyStatus.REFUSED, "policy: change freeze")


async def test_the_strictest_place_decides(scene: Scene) -> None:
    policy = RulePolicy(
        [
            Rule.model_validate({"name": "title", "target": {"step_id": "title"}, "decision": "deny"}),
            Rule(name="rest", decision=Verdict.ALLOW),
        ]
    )
    steps = [*switch("draft").arguments["steps"], *switch("title").arguments["steps"]]
    decision = scene.runner(policy=policy).judge(
        ActionCall("switch_fallback", {"steps": steps}), severity="critical"
    )
    assert decision.verdict is Verdict.DENY


async def test_an_untrusted_alert_never_acts_without_an_approval(scene: Scene) -> None:
    runner = scene.runner()
    assert (await runner.apply(order(switch(), is_trusted=False))).status is ApplyStatus.REFUSED
    approved = order(switch(), is_trusted=False, approval=approval(switch()))
    assert (await runner.apply(approved)).status is ApplyStatus.APPLIED
    tell = ActionCall("notify_oncall", {"cause": "unknown", "text": "x"})
    assert (await runner.apply(order(tell, is_trusted=False))).status is ApplyStatus.APPLIED


async def test_the_same_order_twice_acts_once(scene: Scene) -> None:
    assert (await scene.runner().apply(order(switch()))).status is ApplyStatus.APPLIED
    assert (await scene.runner().apply(order(switch()))).status is ApplyStatus.APPLIED
    assert len(scene.controls.changes) == 1
    events = [entry.event for entry in (await scene.state.audit.list()).items]
    assert events.count("action.intent") == 1


async def test_the_cooldown_holds_over_a_restart_and_then_ends(scene: Scene) -> None:
    await scene.runner().apply(order(switch()))
    await scene.finish(order(switch()))
    scene.clock.advance(299)
    refused = await scene.runner().apply(order(switch(), incident="inc_2"))
    assert "the cooldown is 300 s" in refused.detail
    elsewhere = await scene.runner().apply(order(switch("title"), incident="inc_3"))
    assert elsewhere.status is ApplyStatus.APPLIED
    scene.clock.advance(2)
    assert (await scene.runner().apply(order(switch(), incident="inc_4"))).status is ApplyStatus.APPLIED


async def test_only_one_incident_acts_on_a_step_at_a_time(scene: Scene) -> None:
    runner = scene.runner(cooldown_s=0)
    await runner.apply(order(switch()))
    refused = await runner.apply(order(switch(), incident="inc_2"))
    assert "incident inc_1 acts on" in refused.detail


async def test_actions_per_hour_are_limited_and_a_person_may_exceed_them(scene: Scene) -> None:
    runner = scene.runner(max_actions_per_hour=1)
    await runner.apply(order(switch("draft")))
    title = order(switch("title"), incident="inc_2")
    refused = await runner.apply(title)
    assert "1 automatic actions in the last hour" in refused.detail
    bound = replace(approval(switch("title")), incident_id=IncidentId("inc_2"))
    assert (await runner.apply(replace(title, approval=bound))).status is ApplyStatus.APPLIED
    tell = ActionCall("notify_oncall", {"cause": "unknown", "text": "x"})
    assert (await runner.apply(order(tell, incident="inc_3"))).status is ApplyStatus.APPLIED


async def test_parallel_orders_share_the_last_slot_fairly(scene: Scene) -> None:
    runner = scene.runner(max_actions_per_hour=1)
    answers = await asyncio.gather(
        *(runner.apply(order(switch(step), incident=f"inc_{step}")) for step in ("draft", "title"))
    )
    assert sorted(answer.status for answer in answers) == [ApplyStatus.APPLIED, ApplyStatus.REFUSED]


async def test_a_refused_order_takes_no_slot(scene: Scene) -> None:
    runner = scene.runner(max_actions_per_hour=1)
    await runner.apply(order(DISABLE))
    assert (await runner.apply(order(switch(), incident="inc_2"))).status is ApplyStatus.APPLIED


async def test_a_store_that_fails_under_the_order_is_unconfirmed(scene: Scene) -> None:
    class Failing(FakeControls):
        async def submit(self, *args: Any, **options: Any) -> Any:
            raise Unavailable("the database is gone")

    scene.controls = Failing(engine())
    applied = await scene.runner().apply(order(switch()))
    assert (applied.status, applied.detail) == (ApplyStatus.UNCONFIRMED, "the database is gone")


async def test_no_engine_at_all_is_unconfirmed(scene: Scene) -> None:
    scene.controls = FakeControls()
    applied = await scene.runner().apply(order(switch()))
    assert applied.status is ApplyStatus.UNCONFIRMED
    assert "no live engine" in applied.detail


async def test_what_cannot_be_undone_says_so(scene: Scene) -> None:
    call = ActionCall("retry_step", {"workflow_id": "report", "execution_id": "e", "step_id": "draft"})
    runner = scene.runner()
    applied = await runner.apply(order(call))
    undone = await runner.undo(order(call), applied)
    assert (undone.status, undone.detail) == (ApplyStatus.REFUSED, "it cannot be undone")


async def test_an_order_that_lay_too_long_is_void_unless_it_was_begun(scene: Scene) -> None:
    late = order(switch(), decided_at=scene.clock.now())
    begun = replace(late, incident_id=IncidentId("inc_2"), call=switch("title"))
    assert (await scene.runner().apply(begun)).status is ApplyStatus.APPLIED
    scene.clock.advance(901)
    refused = await scene.runner().apply(late)
    assert refused.status is ApplyStatus.REFUSED
    assert "decided 901 s ago" in refused.detail
    assert (await scene.runner().apply(begun)).status is ApplyStatus.APPLIED
    tell = ActionCall("notify_oncall", {"cause": "unknown", "text": "x"})
    assert (await scene.runner().apply(replace(late, call=tell))).status is ApplyStatus.APPLIED
    assert len(scene.controls.changes) == 1


async def test_an_approval_that_expired_before_the_action_began_is_void(scene: Scene) -> None:
    approved = order(switch(), approval=approval(switch()))
    scene.clock.advance(3601)
    refused = await scene.runner().apply(approved)
    assert refused.status is ApplyStatus.REFUSED
    assert "has expired since" in refused.detail
    assert scene.controls.changes == []
