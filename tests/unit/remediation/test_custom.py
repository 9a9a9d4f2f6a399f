"""Python files of the operator's own: found, named when they are wrong, asked about, never named by an alert."""

from __future__ import annotations

from pathlib import Path

import pytest

from awf.core.incidents import Verdict
from awf.errors import ConfigError
from tests.unit.remediation._scene import DRAFT, Scene, cause
from tests.unit.remediation._scripts import load, runner_with

FILE = """
from awf.core.actions import Applied, ApplyStatus, Effect, Plan, Verification
from awf.core.incidents import ActionCall, Target, Verdict
from awf.remediation.spec import ActionSpec


def plan(situation):
    return Plan(ActionCall("purge_cache", {"agent_id": situation.hypothesis.target.agent_id}), "it can be purged")


async def apply(work, tools):
    return Applied(ApplyStatus.APPLIED, "purged", tools.clock.now())


async def verify(work, applied, tools):
    return Verification(Effect.INCONCLUSIVE, "nobody looks")


SPEC = ActionSpec(
    name="purge_cache", description="Purge an agent's cache.", is_reversible=False, blast_radius="one cache",
    default=Verdict.ALLOW, plan=plan, places=lambda call: (Target(agent_id=call.arguments["agent_id"]),),
    apply=apply, verify=verify,
)
"""


async def test_a_file_with_a_spec_is_an_action_that_asks(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "purge_cache.py").write_text(FILE)
    (tmp_path / "_shared.py").write_text("raise RuntimeError")
    (tmp_path / "notes.txt").write_text("not an action")
    own = load(tmp_path)
    assert list(own) == ["purge_cache"]
    assert (own["purge_cache"].default, own["purge_cache"].is_custom) == (Verdict.ASK, True)
    runner = runner_with(scene, own, policy=None)
    plan = await runner.plan("purge_cache", cause(DRAFT))
    assert plan.call is not None
    assert runner.judge(plan.call, severity="critical").verdict is Verdict.ASK
    assert runner.actions()["purge_cache"].is_custom


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("broken.py", "def", "SyntaxError"),
        ("crash.py", "1 / 0", "ZeroDivisionError"),
        ("empty.py", "", "has no SPEC of type ActionSpec"),
        ("other.py", FILE, "SPEC is named 'purge_cache', the file 'other'"),
        ("disable_agent.py", FILE, "'disable_agent' is taken"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert said in str(caught.value)
    assert name in str(caught.value)
