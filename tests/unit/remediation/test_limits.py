"""What earlier attempts allow: cooldowns that grow, a block, and how both end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from awf.core.actions import Attempt
from awf.core.types import IncidentId
from awf.remediation.limits import IN_VAIN, Limits
from awf.remediation.spec import RemediationConfig
from awf.testing import EPOCH

HERE, THERE = "step draft", "step title"
WINDOW_S = 3600.0


def attempt(age_s: float = 0.0, outcome: str = "", *, place: str = HERE, **more: Any) -> Attempt:
    values: dict[str, Any] = {"is_over": bool(outcome), **more}
    return Attempt(
        incident_id=IncidentId(f"inc_{age_s:.0f}"), action=values.pop("action", "switch_fallback"),
        digest=str(age_s), places=(place,), at=EPOCH - timedelta(seconds=age_s), outcome=outcome, **values,
    )  # fmt: skip


def refusal(*earlier: Attempt, of: Attempt | None = None, **config: Any) -> str:
    limits = Limits(RemediationConfig(**{"block_window_s": WINDOW_S, **config}))
    return limits.refusal(of or attempt(), earlier)


@pytest.mark.parametrize("outcome", sorted(IN_VAIN))
def test_three_actions_in_vain_block_a_place_whatever_they_were(outcome: str) -> None:
    earlier = [attempt(age, outcome, action=f"action {age}") for age in (1000, 2000, 3000)]
    said = refusal(*earlier)
    assert "the last 3 actions on step draft did not help; until 2026-01-31 12:10 UTC" in said
    assert refusal(*earlier[:2]) == ""
    assert refusal(*earlier, of=attempt(place=THERE)) == ""
    assert refusal(*earlier, block_after=0) == ""


def test_a_block_ends_with_its_window_and_by_an_action_that_helped() -> None:
    old = [attempt(age, "ineffective", action="a") for age in (1000, 2000, WINDOW_S + 1)]
    assert refusal(*old) == ""
    healed = [
        attempt(500, "effective", action="b"),
        *[attempt(age, "ineffective") for age in (1500, 2500, 3500)],
    ]
    assert refusal(*healed) == ""


def test_a_person_may_act_where_the_watcher_is_blocked() -> None:
    earlier = [attempt(age, "inconclusive", action=f"action {age}") for age in (1000, 2000, 3000)]
    assert refusal(*earlier, of=attempt(approved_by="ana")) == ""


@pytest.mark.parametrize(("failures", "cooldown_s"), [(0, 300), (1, 600), (2, 1200)])
def test_the_cooldown_doubles_with_every_action_in_vain(failures: int, cooldown_s: int) -> None:
    def after(waited_s: float) -> str:
        last = attempt(waited_s, "ineffective" if failures else "effective")
        before = [attempt(waited_s + 1 + n, "failed", action="other") for n in range(failures - 1)]
        return refusal(last, *before, block_after=0)

    assert f"the cooldown is {cooldown_s} s" in after(cooldown_s - 1)
    assert after(cooldown_s) == ""


def test_the_cooldown_never_outgrows_what_is_remembered() -> None:
    earlier = [attempt(WINDOW_S - 100 + n, "failed") for n in range(30)]
    assert f"the cooldown is {WINDOW_S:.0f} s" in refusal(*earlier, block_after=0)
    assert Limits(RemediationConfig(block_window_s=WINDOW_S)).since(EPOCH) <= EPOCH - timedelta(hours=1)


def test_an_action_that_is_not_over_keeps_others_from_its_place_but_not_its_own_incident() -> None:
    running = attempt(400, is_over=False)
    assert "incident inc_400 acts on step draft at this moment" in refusal(running)
    assert refusal(attempt(400, is_over=True)) == ""
    again = attempt(action="increase_timeout")
    own = Attempt(running.incident_id, again.action, "d", (HERE,), EPOCH)
    assert refusal(running, of=own) == ""


def test_of_the_hour_only_automatic_actions_somewhere_count() -> None:
    earlier = [
        attempt(400, "effective", place=THERE), attempt(500, "effective", place="x", approved_by="ana"),
        Attempt(IncidentId("inc_9"), "notify_oncall", "d", (), EPOCH),
        attempt(3601, "effective", place="y"),
    ]  # fmt: skip
    assert refusal(*earlier, max_actions_per_hour=2) == ""
    assert "1 automatic actions in the last hour" in refusal(*earlier, max_actions_per_hour=1)
