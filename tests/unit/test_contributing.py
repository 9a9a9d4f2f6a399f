"""CONTRIBUTING.md promises that adding a thing is adding one file. These tests add one of each and use it."""

from __future__ import annotations

import ast
import json
import re
import shutil
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from awf.core import semconv
from awf.core.actions import ApplyStatus, Effect, WorkOrder
from awf.core.incidents import CauseClass, Hypothesis, Target
from awf.core.registry import discover
from awf.core.types import AgentId, ControlKind, EngineId, EngineInfo, IncidentId
from awf.demo.fault import Fault
from awf.demo.world import DemoWorld
from awf.embedded.promql import parse
from awf.errors import ConfigError
from awf.generate.spec import DashboardSpec, RuleGroup
from awf.remediation.policy import default_policy
from awf.remediation.runner import ActionRunner
from awf.remediation.spec import ActionSpec, RemediationConfig, Tools
from awf.settings import load
from awf.state import State
from awf.testing import FakeClock, FakeControls, FakePeople, FakeTelemetry
from awf.wiring.doctor import AREAS, Check, Status
from awf.wiring.doctor.case import Case
from awf.wiring.doctor.grafana import Grafana
from tests.unit.cli._program import awf

REPOSITORY = Path(__file__).parents[2]
CONTRIBUTING = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
TYPES: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (ActionSpec, RuleGroup, DashboardSpec, Fault, Check)
}
NAME = "sample"

SAMPLES = {
    "RuleGroup": '''
"""Alerts about a sample."""

from awf.core import semconv as sc
from awf.generate.expr import rate
from awf.generate.spec import AlertRule, RuleGroup

SPEC = RuleGroup(
    name="sample",
    interval="5s",
    alerts=(
        AlertRule(
            alert="AWFSample",
            expr=f"sum({rate(sc.FALLBACKS, '1m')}) > 0.5",
            hold="10s",
            severity="info",
            summary="Fallbacks are taken",
            description="A fallback answers where another agent should.",
        ),
    ),
)
''',
    "DashboardSpec": '''
"""A sample dashboard."""

from typing import Any

from awf.core import semconv as sc
from awf.generate import panels as p
from awf.generate.board import dashboard
from awf.generate.expr import rate
from awf.generate.spec import DashboardSpec


def build() -> dict[str, Any]:
    panel = p.stat("Fallbacks", f"sum({rate(sc.FALLBACKS, '5m')})", "short", "Fallbacks taken per second.")
    return dashboard("sample", "Sample", "One panel.", [("Now", 4, [panel])], [])


SPEC = DashboardSpec(name="sample", title="Sample", build=build)
''',
    "Fault": '''
"""Everything arrives twice as fast."""

from awf.demo.fault import Fault
from awf.demo.world import DemoWorld


def start(world: DemoWorld, target: str, level: float) -> None:
    world.arrival_factor *= 2


def stop(world: DemoWorld, target: str) -> None:
    world.arrival_factor /= 2


SPEC = Fault("sample", "Twice as many executions arrive.", start, stop)
''',
    "ActionSpec": '''
"""Give every engine one worker more."""

from awf.core.actions import Applied, Effect, Plan, Verification, WorkOrder
from awf.core.incidents import ActionCall, Target, Verdict
from awf.core.types import ControlKind
from awf.remediation.orders import Order, give
from awf.remediation.spec import ActionSpec, Situation, Tools


def plan(situation: Situation) -> Plan:
    if not situation.engines:
        return Plan(None, "no engine is alive")
    return Plan(ActionCall("sample", {"workers": situation.engines[0].workers + 1}), "one worker more")


def places(call: ActionCall) -> tuple[Target, ...]:
    return (Target(),)


async def apply(work: WorkOrder, tools: Tools) -> Applied:
    return await give(work, [Order(ControlKind.SET_WORKER_LIMIT, dict(work.call.arguments))], tools)


async def verify(work: WorkOrder, applied: Applied, tools: Tools) -> Verification:
    return Verification(Effect.INCONCLUSIVE, "a sample cannot tell")


SPEC = ActionSpec(
    name="sample",
    description="Give every engine one worker more.",
    is_reversible=True,
    blast_radius="every engine",
    default=Verdict.ALLOW,
    plan=plan,
    places=places,
    apply=apply,
    verify=verify,
)
''',
    "Check": '''
"""The data directory has a name."""

from awf.wiring.doctor.case import Case
from awf.wiring.doctor.findings import Check, Finding, ok


async def _run(case: Case) -> list[Finding]:
    return [ok("name", case.settings.data_dir.name)]


SPEC = Check("sample", "settings", "name", _run)
''',
}


def _promises() -> dict[str, str]:
    """Return what CONTRIBUTING.md's table says: type of the SPEC -> path of the one file."""
    rows = re.findall(r"^\| .+ \| `(awf/\S+\.py)` \| `(\w+)` \|$", CONTRIBUTING, re.MULTILINE)
    return {kind: path for path, kind in rows}


PROMISES = _promises()
each_promise = pytest.mark.parametrize("kind", sorted(PROMISES))


def _package(kind: str, root: str) -> str:
    """Return the folder of a kind as a dotted name below another root than `awf`."""
    return ".".join([root, *Path(PROMISES[kind]).parent.parts[1:]])


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], str]]:
    """Write one file into an otherwise empty package with our folders; returns the folder's dotted name."""
    root = f"ours_{re.sub(r'[^a-z0-9]', '_', tmp_path.name.lower())}"

    def write(kind: str, text: str) -> str:
        package = _package(kind, root)
        folder = tmp_path
        for part in package.split("."):
            folder /= part
            folder.mkdir()
            (folder / "__init__.py").write_text("")
        (folder / f"{NAME}.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        return package

    yield write
    for name in [name for name in sys.modules if name.split(".")[0] == root]:
        del sys.modules[name]


def test_the_table_promises_what_these_tests_try() -> None:
    assert set(PROMISES) == set(SAMPLES) == set(TYPES)


@each_promise
def test_our_own_files_are_where_the_table_says(kind: str) -> None:
    found = discover(_package(kind, "awf"), TYPES[kind])
    assert len(found) >= 2
    for name in found:
        assert (REPOSITORY / PROMISES[kind].replace("NAME", name)).is_file()


# -- one file in a package of our layout is found and works


async def _use_rule_group(spec: RuleGroup) -> None:
    assert spec.folder == "alerts"
    parse(spec.alerts[0].expr)


async def _use_dashboard(spec: DashboardSpec) -> None:
    body = json.loads(json.dumps(spec.build()))
    assert body["uid"] == spec.uid == "sample"
    assert [panel["title"] for panel in body["panels"] if panel["type"] != "row"] == ["Fallbacks"]


async def _use_fault(spec: Fault) -> None:
    world = DemoWorld()
    spec.start(world, "", 1.0)
    assert world.arrival_factor == 2
    spec.stop(world, "")
    assert world.arrival_factor == 1


async def _use_action(spec: ActionSpec) -> None:
    clock = FakeClock()
    controls = FakeControls(EngineInfo(EngineId("e1"), (), (), workers=2))
    tools = Tools(controls, FakeTelemetry(clock), FakePeople(), clock, RemediationConfig())
    async with await State.open(clock=clock) as state:
        policy = default_policy([(spec.name, spec.default)])
        runner = ActionRunner(
            {spec.name: spec}, policy=policy, audit=state.audit, attempts=state.attempts, tools=tools
        )
        cause = Hypothesis(CauseClass.WORKER_SATURATION, Target(agent_id=AgentId("a")), 0.9, "too few")
        plan = await runner.plan(spec.name, cause)
        assert plan.call is not None
        work = WorkOrder(IncidentId("inc_1"), plan.call, "warning", "too few workers")
        applied = await runner.apply(work)
        assert applied.status is ApplyStatus.APPLIED
        assert (await runner.verify(work, applied)).effect is Effect.INCONCLUSIVE
    assert [(change.kind, change.arguments) for change in controls.changes] == [
        (ControlKind.SET_WORKER_LIMIT, {"workers": 3})
    ]


async def _use_check(spec: Check) -> None:
    assert spec.area in AREAS
    async with Grafana("http://127.0.0.1:1", "") as grafana:
        (finding,) = await spec.run(Case(load(data_dir="/some/where"), {}, grafana))
    assert (finding.status, finding.detail) == (Status.OK, "where")


USES: dict[str, Callable[[Any], Awaitable[None]]] = {
    "RuleGroup": _use_rule_group,
    "DashboardSpec": _use_dashboard,
    "Fault": _use_fault,
    "ActionSpec": _use_action,
    "Check": _use_check,
}


@each_promise
async def test_one_file_is_found_and_works(kind: str, layout: Callable[[str, str], str]) -> None:
    found = discover(layout(kind, SAMPLES[kind]), TYPES[kind])
    assert list(found) == [NAME]
    await USES[kind](found[NAME])


# -- a wrong file says which file it is and what was expected


@each_promise
@pytest.mark.parametrize(
    "text",
    ["", "SPEC = None\n", "SPEC = {'name': 'sample'}\n", "from awf.core.types import TokenUsage\nSPEC = TokenUsage()\n"],
    ids=["no SPEC", "None", "a dict", "another type"],
)  # fmt: skip
def test_a_file_without_a_proper_spec_is_named_with_the_expected_type(
    kind: str, text: str, layout: Callable[[str, str], str]
) -> None:
    package = layout(kind, text)
    with pytest.raises(ConfigError) as caught:
        discover(package, TYPES[kind])
    file = Path(*package.split("."), f"{NAME}.py")
    assert caught.value.message.endswith(f"{file} has no SPEC of type {kind}")
    assert f"SPEC = {kind}(...)" in caught.value.hint


@each_promise
def test_a_spec_of_another_folder_is_refused(kind: str, layout: Callable[[str, str], str]) -> None:
    other = next(name for name in sorted(PROMISES) if name != kind)
    package = layout(kind, SAMPLES[other])
    with pytest.raises(ConfigError, match=rf"{NAME}\.py has no SPEC of type {kind}$"):
        discover(package, TYPES[kind])


@each_promise
def test_a_spec_with_another_name_than_its_file_is_named(
    kind: str, layout: Callable[[str, str], str]
) -> None:
    renamed = re.sub(r'(SPEC = \w+\(\s*(?:name=)?)"sample"', r'\1"other"', SAMPLES[kind])
    package = layout(kind, renamed)
    with pytest.raises(ConfigError, match=rf"{NAME}\.py: SPEC is named 'other', the file 'sample'$"):
        discover(package, TYPES[kind])


# -- the same in a copy of the product, through the command line


def _copy_with(kind_to_text: dict[str, str], to: Path) -> Path:
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "awf", to / "awf", ignore=ignore)
    for kind, text in kind_to_text.items():
        (to / PROMISES[kind].replace("NAME", NAME)).write_text(text)
    return to


def test_the_files_dropped_into_the_product_appear_in_its_output(tmp_path: Path) -> None:
    copy = _copy_with(SAMPLES, tmp_path)
    done = awf(copy, "generate", "--output", "out")
    assert done.returncode == 0, done.stderr
    assert "alert: AWFSample" in (copy / "out/rules/alerts/sample.yaml").read_text()
    assert json.loads((copy / "out/dashboards/sample.json").read_text())["title"] == "Sample"
    faults = awf(copy, "demo", "fault", "no-such-fault")
    assert "sample" in faults.stderr.split("Faults: ")[1]


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        ("RuleGroup", ("generate", "--check")),
        ("DashboardSpec", ("generate", "--check")),
        ("Fault", ("demo", "fault", "agent_errors")),
    ],
)
def test_the_product_with_a_wrong_file_says_so_in_one_sentence(
    kind: str, command: tuple[str, ...], tmp_path: Path
) -> None:
    copy = _copy_with({kind: "SPEC = 1\n"}, tmp_path)
    done = awf(copy, *command)
    assert done.returncode == ConfigError.exit_code
    path = copy / PROMISES[kind].replace("NAME", NAME)
    assert done.stderr.splitlines()[0] == f"awf: {path} has no SPEC of type {kind}"
    assert "Traceback" not in done.stderr


# -- the rest of the page


def test_what_the_page_points_to_is_there() -> None:
    named = set(re.findall(r"`((?:awf|tests)/[\w/.]+)`", CONTRIBUTING)) - set(PROMISES.values())
    assert named
    assert [path for path in named if not (REPOSITORY / path).exists()] == []
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make (\w+)`", CONTRIBUTING)) <= targets


def test_a_metric_is_spelled_in_semconv_and_nowhere_else_in_the_code() -> None:
    # Between colons it is part of a recording rule's name, which is a name of its own.
    spelled = re.compile(rf"(?<![\w:])({'|'.join(semconv.METRIC_LABELS)})(?![\w:])")
    found = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno}: {name[1]}"
        for path in (REPOSITORY / "awf").rglob("*.py")
        if path.name != "semconv.py"
        for node in _strings(ast.parse(path.read_text(encoding="utf-8")))
        if (name := spelled.search(node.value))
    ]
    assert found == []


def _strings(tree: ast.Module) -> Iterator[ast.Constant]:
    """Yield the texts in the code, its documentation left out."""
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node
