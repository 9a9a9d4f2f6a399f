"""Scripts as actions: planned from what was seen, run once, judged by telemetry, undone by their own undo."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from awf.core.actions import ApplyStatus, Effect
from awf.core.incidents import ActionCall, Target, Verdict
from awf.errors import ConfigError
from awf.remediation.manifest import SCRIPT
from awf.testing import EPOCH, gauge
from tests.security._strings import HOSTILE
from tests.unit.remediation._scene import BEGIN, DRAFT, Scene, approval, cause, order
from tests.unit.remediation._scripts import load, program, runner_with, write

NAME = "restart_pods"


async def planned(scene: Scene, folder: Path, place: Target = DRAFT) -> ActionCall:
    plan = await runner_with(scene, load(folder)).plan(NAME, cause(place))
    assert plan.call is not None, plan.why
    return plan.call


async def test_it_is_planned_from_the_place_of_the_cause_and_from_defaults(
    scene: Scene, tmp_path: Path
) -> None:
    spec = load(write(tmp_path, "true"))[NAME]
    call = await planned(scene, tmp_path)
    assert {key: call.arguments[key] for key in call.arguments if key != SCRIPT} == {
        "agent_id": "writer", "namespace": "prod",
    }  # fmt: skip
    assert len(call.arguments[SCRIPT]) == 64
    assert spec.places(call) == (Target(agent_id="writer"),)
    assert (spec.is_reversible, spec.default, spec.info.is_custom) == (False, Verdict.ASK, True)


@pytest.mark.parametrize("text", HOSTILE)
async def test_a_name_that_its_schema_does_not_have_plans_nothing(
    scene: Scene, tmp_path: Path, text: str
) -> None:
    runner = runner_with(scene, load(write(tmp_path, "true")))
    plan = await runner.plan(NAME, cause(Target(agent_id=text)))
    assert plan.call is None
    assert plan.why.isprintable()


async def test_arguments_arrive_as_json_and_no_shell_sees_them(scene: Scene, tmp_path: Path) -> None:
    open_schema = {"properties": {"agent_id": {"type": "string"}}}
    folder = write(tmp_path, 'test $# = 0 && cat > "$OUT"', parameters=open_schema, environment=["OUT"])
    runner = runner_with(scene, load(folder, {"OUT": str(tmp_path / "given")}), cooldown_s=0)
    for number, text in enumerate(HOSTILE[20:30]):
        plan = await runner.plan(NAME, cause(Target(agent_id=text)))
        assert plan.call is not None
        work = order(plan.call, incident=f"inc_{number}")
        assert (await runner.apply(work)).status is ApplyStatus.APPLIED
        given = json.loads((tmp_path / "given").read_text())
        assert given["arguments"] == {"agent_id": text}
        assert (given["action"], given["phase"], given["incident_id"]) == (NAME, "apply", f"inc_{number}")


async def test_it_asks_by_default_and_runs_with_an_approval(scene: Scene, tmp_path: Path) -> None:
    folder = write(tmp_path, 'echo "2 pods restarted"')
    runner = runner_with(scene, load(folder), policy=None)
    call = await planned(scene, folder)
    assert runner.judge(call, severity="critical").verdict is Verdict.ASK
    assert (await runner.apply(order(call))).detail == "it needs an approval"
    done = await runner.apply(order(call, approval=approval(call)))
    assert (done.status, done.detail) == (ApplyStatus.APPLIED, "the script ended: 2 pods restarted")


@pytest.mark.parametrize(
    ("script", "status", "said"),
    [
        ("echo no such pod >&2; exit 3", ApplyStatus.FAILED, "changed nothing: no such pod"),
        ("echo half done >&2; exit 1", ApplyStatus.UNCONFIRMED, "ended with code 1: half done"),
        ("kill -9 $$", ApplyStatus.UNCONFIRMED, "ended with code 137"),
        ("#!/no/such/shell\n", ApplyStatus.FAILED, "cannot be started"),
        (
            'printf "\\033[31m\\342\\200\\256red\\n" >&2; exit 3',
            ApplyStatus.FAILED,
            "changed nothing: [31m red",
        ),
    ],
)
async def test_what_its_end_means(
    scene: Scene, tmp_path: Path, script: str, status: ApplyStatus, said: str
) -> None:
    folder = write(tmp_path, script)
    applied = await runner_with(scene, load(folder)).apply(order(await planned(scene, folder)))
    assert applied.status is status
    assert said in applied.detail


async def test_a_script_that_was_changed_after_it_was_decided_on_is_not_run(
    scene: Scene, tmp_path: Path
) -> None:
    folder = write(tmp_path, "true")
    call = await planned(scene, folder)
    program(folder / "restart_pods.sh", f"touch {tmp_path}/ran")
    for runner in (runner_with(scene, load(folder)),):
        applied = await runner.apply(order(call, approval=approval(call)))
        assert applied.status is ApplyStatus.REFUSED
        assert "changed since" in applied.detail
    assert not (tmp_path / "ran").exists()


async def test_it_is_begun_once_whatever_happens_in_between(scene: Scene, tmp_path: Path) -> None:
    """A crash between the intent and the outcome: the next one finds the intent, and does not run it again."""
    folder = write(tmp_path, f"echo ran >> {tmp_path}/runs")
    call = await planned(scene, folder)
    found = [await runner_with(scene, load(folder)).apply(order(call, decided_at=EPOCH)) for _ in range(3)]
    assert [each.status for each in found] == [ApplyStatus.APPLIED, *[ApplyStatus.UNCONFIRMED] * 2]
    assert (tmp_path / "runs").read_text() == "ran\n"
    other = await runner_with(scene, load(folder), cooldown_s=0).apply(order(call, incident="inc_2"))
    assert other.status is ApplyStatus.APPLIED


async def test_of_two_replicas_that_begin_at_once_one_runs_it(scene: Scene, tmp_path: Path) -> None:
    folder = write(tmp_path, f"echo ran >> {tmp_path}/runs")
    call = await planned(scene, folder)
    runners = [runner_with(scene, load(folder)) for _ in range(6)]
    found = await asyncio.gather(*(runner.apply(order(call)) for runner in runners))
    assert (tmp_path / "runs").read_text() == "ran\n"
    assert sorted(each.status.value for each in found) == ["applied", *["unconfirmed"] * 5]


async def test_its_undo_gets_what_it_said_and_runs_once(scene: Scene, tmp_path: Path) -> None:
    folder = write(tmp_path, 'echo \'{"before": {"replicas": 2}}\'', undo="back.sh")
    program(folder / "back.sh", f"cat >> {tmp_path}/undone")
    own = load(folder)
    assert own[NAME].is_reversible
    runner = runner_with(scene, own)
    work = order(await planned(scene, folder))
    applied = await runner.apply(work)
    found = [await runner.undo(work, applied) for _ in range(2)]
    assert [each.status for each in found] == [ApplyStatus.APPLIED, ApplyStatus.UNCONFIRMED]
    given = json.loads((tmp_path / "undone").read_text())
    assert (given["phase"], given["before"]) == ("undo", {"replicas": 2})


@pytest.mark.parametrize(
    ("now", "effect"),
    [(0.1, Effect.EFFECTIVE), (9.0, Effect.INEFFECTIVE), (None, Effect.INCONCLUSIVE)],
)
async def test_it_is_judged_by_a_signal_of_its_manifest(
    scene: Scene, tmp_path: Path, now: float | None, effect: Effect
) -> None:
    folder = write(tmp_path, "true", verify={"promql": "sum(queue_depth)", "below": 5})
    if now is not None:
        scene.telemetry.add("queue_depth", gauge((BEGIN, 20.0), (EPOCH + timedelta(seconds=5), now)))
    runner = runner_with(scene, load(folder))
    work = order(await planned(scene, folder))
    found = await runner.verify(work, await runner.apply(work))
    assert found.effect is effect


async def test_a_signal_that_was_good_before_proves_nothing(scene: Scene, tmp_path: Path) -> None:
    folder = write(tmp_path, "true", verify={"promql": "sum(queue_depth)", "below": 5})
    scene.telemetry.add("queue_depth", gauge((BEGIN, 1.0)))
    runner = runner_with(scene, load(folder))
    work = order(await planned(scene, folder))
    found = await runner.verify(work, await runner.apply(work))
    assert found.effect is Effect.INCONCLUSIVE
    assert "good before" in found.statement


async def test_without_a_signal_it_is_inconclusive(scene: Scene, tmp_path: Path) -> None:
    folder = write(tmp_path, "true")
    runner = runner_with(scene, load(folder))
    work = order(await planned(scene, folder))
    assert (await runner.verify(work, await runner.apply(work))).effect is Effect.INCONCLUSIVE


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "switch_fallback"}, "'switch_fallback' is taken"),
        ({"command": "../outside.sh"}, "is not in its folder"),
        ({"command": "/bin/sh"}, "is not in its folder"),
        ({"command": "missing.sh"}, "is no program"),
        ({"blast_radius": ...}, "blast_radius: Field required"),
        ({"retries": 3}, "retries: Extra inputs"),
        ({"timeout_s": 0}, "timeout_s:"),
        ({"environment": ["AWF_TOKEN"]}, "AWF_TOKEN is not handed on"),
        ({"environment": ["NOT_SET_HERE"]}, "NOT_SET_HERE is not set"),
        ({"environment": ["A-B"]}, "environment"),
        ({"parameters": {"type": 7}}, "no JSON Schema"),
        ({"verify": "steps"}, "needs the parameters workflow_id and step_id"),
        ({"verify": {"promql": "x"}}, "give either"),
        ({"verify": "hope"}, "verify"),
    ],
)
def test_a_manifest_that_is_wrong_stops_the_start_with_its_name(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, "true", **changes))
    assert said in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_what_anyone_may_write_or_what_is_no_program_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "own", "true")
    (folder / "restart_pods.sh").chmod(0o644)
    with pytest.raises(ConfigError, match="is no program"):
        load(folder)
    for path, mode in (
        (folder / "restart_pods.sh", 0o757),
        (folder / "restart_pods.yaml", 0o646),
        (folder, 0o777),
    ):
        write(folder, "true")
        path.chmod(mode)
        with pytest.raises(ConfigError, match="can be written by anyone"):
            load(folder)
        path.chmod(0o755)
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "nowhere")
