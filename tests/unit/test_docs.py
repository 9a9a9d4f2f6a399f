"""What the docs claim is tried: the example policy, the tables of actions and alerts, what is refused, the links."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from awf.agents.advising import NEAR
from awf.agents.investigation import Budget
from awf.core import semconv
from awf.core.incidents import CauseClass, Hypothesis, Target, Verdict
from awf.core.registry import discover
from awf.core.types import ExecutionId, ExecutionStatus, WorkflowId
from awf.embedded import promql, traceql
from awf.embedded.logql import parser as logql_parser
from awf.embedded.promql.catalog import FUNCTIONS
from awf.embedded.promql.engine import MAX_POINTS
from awf.embedded.promql.guard import MAX_DEPTH, MAX_LENGTH
from awf.embedded.promql.signatures import SIGNATURES
from awf.embedded.server import EmbeddedConfig
from awf.embedded.store.spans import MAX_SPANS
from awf.errors import UnsupportedQuery
from awf.generate.output import render_dashboards, rule_groups
from awf.generate.slo import load_slos
from awf.generate.slo_rules import BURNS
from awf.orchestration import Controls, Engine, EventEmitter, EventType, WorkflowEvent
from awf.orchestration.memory_spool import MAX_BYTES as MEMORY_BYTES
from awf.orchestration.otel_exporter import SpoolOptions
from awf.orchestration.spool import MAX_BYTES
from awf.orchestration.telemetry.aggregate import MAX_SERIES
from awf.orchestration.telemetry.pipeline import MAX_AGE_S
from awf.remediation.playbook import PlaybookRules, load_playbook
from awf.remediation.policy import load_policy
from awf.remediation.spec import ActionSpec, RemediationConfig
from awf.settings import Settings
from awf.wiring.channels import channels_of

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
WATCHER = (DOCS / "watcher-agent-configuration.md").read_text()
EMBEDDED = (DOCS / "embedded.md").read_text()
DASHBOARDS = (DOCS / "grafana-dashboards.md").read_text()
ALERTS = (DOCS / "alerts.md").read_text()
SLOS = (DOCS / "slos.md").read_text()
SPECS = discover("awf.remediation.actions", ActionSpec)
BOARDS = {name.removesuffix(".json"): json.loads(text) for name, text in render_dashboards().items()}
PAGES = sorted([*DOCS.rglob("*.md"), *REPOSITORY.glob("*.md")])


def rows(text: str, first: str) -> list[list[str]]:
    """Return the cells of the table rows whose first cell matches."""
    found = re.findall(r"^\| (.+) \|$", text, re.MULTILINE)
    return [cells for row in found if re.fullmatch(first, (cells := row.split(" | "))[0])]


def test_the_example_policy_loads_and_says_what_the_page_says(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(re.search(r"```yaml\n(.*?)```", WATCHER, re.DOTALL)[1])  # type: ignore[index]
    policy = load_policy(path, SPECS)

    def says(action: str, workflow_id: str = "", *, severity: str = "critical") -> Verdict:
        place = Target(workflow_id=workflow_id)
        return policy.decide(action, place, reversible=SPECS[action].is_reversible, severity=severity).verdict

    assert says("switch_fallback", "billing-eu") is Verdict.DENY
    assert says("scale_workers") is Verdict.ASK
    assert says("switch_fallback", "report") is Verdict.ALLOW
    assert says("switch_fallback", "report", severity="warning") is Verdict.ASK
    assert says("notify_oncall") is Verdict.ALLOW


def test_the_example_playbook_loads_and_says_what_the_page_says(tmp_path: Path) -> None:
    path = tmp_path / "playbook.yaml"
    path.write_text(re.findall(r"```yaml\n(plays:.*?)```", WATCHER, re.DOTALL)[0])
    playbook = load_playbook(path, SPECS)

    def tried(cause: CauseClass, place: Target) -> tuple[str, ...]:
        return playbook.candidates(Hypothesis(cause, place, 0.9, "")).actions

    assert tried(CauseClass.RATE_LIMIT, Target(workflow_id="billing-eu")) == ()
    assert tried(CauseClass.AGENT_LATENCY, Target(agent_id="writer-large"))[0] == "increase_timeout"
    assert tried(CauseClass.AGENT_LATENCY, Target(agent_id="reader"))[0] == "switch_fallback"
    assert tried(CauseClass.RATE_LIMIT, Target(agent_id="reader")) == ("switch_fallback", "disable_agent")


def test_the_example_channels_open(tmp_path: Path) -> None:
    text = re.findall(r"```yaml\n(channels:.*?)```", WATCHER, re.DOTALL)[0]
    (tmp_path / "awf-signing-secret").write_text("whsec_c2VjcmV0c2VjcmV0c2VjcmV0")
    for name in re.findall(r"/run/secrets/([a-z-]+)", text):
        (tmp_path / name).touch()
        (tmp_path / name).write_text((tmp_path / name).read_text() or "secret")
    path = tmp_path / "channels.yaml"
    path.write_text(text.replace("/run/secrets", str(tmp_path)))
    channels = channels_of(Settings(channels_file=path))
    assert list(channels) == ["log", "slack", "night shift", "email", "our bus"]


def test_the_table_of_actions_is_that_of_the_code() -> None:
    table = {cells[0].strip("`"): cells for cells in rows(WATCHER, "`[a-z_]+`") if len(cells) == 4}
    assert set(table) == set(SPECS)
    for name, (_, _, verdict, undo) in table.items():
        assert verdict == {"allow": "allowed", "ask": "asks"}[SPECS[name].default.value]
        assert SPECS[name].is_reversible is (undo == "yes")
    verified = re.findall(r"`([a-z_]+)`", " ".join(cells[0] for cells in rows(WATCHER, "`[a-z_]+`.*") if len(cells) == 2))  # fmt: skip
    assert sorted(verified) == sorted(SPECS)


def test_the_table_of_causes_is_that_of_the_code_and_of_the_built_in_playbook() -> None:
    table = {cells[0].strip("`"): cells[2] for cells in rows(WATCHER, "`[a-z_]+`") if len(cells) == 3}
    assert set(table) == {cause.value for cause in CauseClass}
    for name, tried in table.items():
        actions = PlaybookRules().candidates(Hypothesis(CauseClass(name), Target(), 0.9, "")).actions
        assert tuple(re.findall(r"`([a-z_]+)`", tried)) == actions
    assert (
        f"{Budget().calls} queries, {Budget().seconds:g} s and {Budget().size_bytes // 1_000_000} MB"
        in WATCHER
    )
    assert f"({NEAR} of the score)" in WATCHER
    assert f"`AWF_LLM_TIMEOUT_S` ({Settings.model_fields['llm_timeout_s'].default:g} s)" in WATCHER


def test_the_limits_are_those_of_the_code() -> None:
    config = RemediationConfig()
    assert f"| `AWF_COOLDOWN_S` | after {Settings.model_fields['cooldown_s'].default:.0f} s |" in WATCHER
    assert f"| {Settings.model_fields['max_actions_per_hour'].default} |" in WATCHER
    assert f"steps that one action may touch | | {config.max_steps_per_action} |" in WATCHER
    assert f"{config.max_workers} at most" in WATCHER
    assert f"{config.timeout_factor} times their timeout" in WATCHER
    assert f"up to {config.max_timeout_factor:g} times the usual" in WATCHER
    assert f"{EmbeddedConfig(Path(), Path()).retention_days} days" in EMBEDDED
    for number in (MAX_LENGTH, MAX_POINTS, MAX_SPANS):
        assert f"{number:,}" in EMBEDDED
    assert f"{MAX_DEPTH} levels" in EMBEDDED


@pytest.mark.parametrize(
    ("parse", "query"),
    [
        (promql.parse, "histogram_avg(a)"),
        (promql.parse, "start_timestamp(a)"),
        (promql.parse, "a </ 5"),
        (logql_parser.parse, '{a="b"} | line_format `{{ define "x" }}{{ end }}`'),
        (logql_parser.parse, '{a="b"} |~ "(a+)+b"'),
        (traceql.parse, "{ parent.span.x = 1 }"),
        (traceql.parse, "{} | count() + sum(duration) > 1"),
        (traceql.parse, "{} | rate() by (.a, .b, .c, .d, .e, .f)"),
    ],
)
def test_what_the_page_says_is_refused_is_refused(parse, query: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UnsupportedQuery):
        parse(query)


def test_functions_listed_as_not_answered_are_not() -> None:
    section = EMBEDDED.split("## PromQL")[1].split("## LogQL")[0]
    listed = section.split("Not answered:\n\n")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", listed)) == SIGNATURES.keys() - FUNCTIONS


def test_the_table_of_alerts_is_that_of_the_rules() -> None:
    table = {cells[0].strip("`"): cells for cells in rows(ALERTS, "`AWF[A-Za-z]+`")}
    alerts = {rule.alert: rule for group in rule_groups().values() for rule in group.alerts}
    assert set(table) == set(alerts)
    for name, (_, condition, severity) in table.items():
        assert severity == alerts[name].severity
        hold = alerts[name].hold
        wait = f"for {hold[:-1]} {'min' if hold[-1] == 'm' else hold[-1]}" if hold != "0s" else "at once"
        assert condition.endswith(wait)


def test_the_page_of_objectives_says_what_is_packaged_and_what_is_made_of_it(tmp_path: Path) -> None:
    table = {cells[0].strip("`"): cells[3] for cells in rows(SLOS, "`[a-z]+-[a-z]+`")}
    assert table == {slo.name: f"{slo.objective:.0%}" for slo in load_slos()}
    burns = {cells[0].strip("`"): cells[1:] for cells in rows(SLOS, "`AWFErrorBudget[A-Za-z]+`")}
    assert list(burns) == [burn.alert for burn in BURNS]
    for burn in BURNS:
        spent, long, short, severity = burns[burn.alert]
        assert (long.replace(" ", ""), short.replace(" ", "").removesuffix("in")) == (burn.long, burn.short)
        assert severity == burn.severity
        assert burn.factor == 1 or spent.startswith(f"{burn.factor:g} times")
    assert ", ".join(f"{bound:.0f}" for bound in semconv.STEP_DURATION_BUCKETS_MS[:-1]) in " ".join(
        SLOS.split()
    )
    recorded = {
        rule.record for group in rule_groups().values() for rule in group.recording if "awf:" in rule.record
    }
    assert {name for name in recorded if name.startswith("awf:")} <= {
        f"{semconv.SLO_ERRORS}{window}" for window in ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d")
    } | set(re.findall(r"`(awf:[a-z0-9_:]+)`", SLOS))
    example = tmp_path / "slos.yaml"
    example.write_text(re.search(r"```yaml\n(.*?)```", SLOS, re.DOTALL)[1])  # type: ignore[index]
    assert [slo.name for slo in load_slos(example)] == ["report-latency"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_commands_of_a_page_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        assert link.startswith("https://") or (page.parent / link).exists(), link
    known = {f"AWF_{name.upper()}" for name in Settings.model_fields}
    named = re.findall(r"\bAWF_[A-Z_]+[A-Z]\b", text)
    assert {name for name in named if not name.startswith("AWF_TEST")} <= known
    commands = set(re.findall(r"`awf (\w+)", text)) | set(re.findall(r"^\$ awf (\w+)", text, re.MULTILINE))
    assert commands <= {path.stem for path in (REPOSITORY / "awf/cli").glob("[a-z]*.py")}


async def test_the_workflow_of_the_readme_runs() -> None:
    block = re.search(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(block[1], names)  # type: ignore[index]
    emitter = EventEmitter()
    engine = Engine(names["registry"], emitter, Controls(names["registry"]))
    execution = await engine.wait(await engine.submit("report", {}))
    await engine.aclose()
    await emitter.aclose()
    assert execution.status is ExecutionStatus.COMPLETED


async def test_the_five_lines_of_the_telemetry_page_have_an_event_on_disk(tmp_path: Path) -> None:
    block = re.search(r"```python\n(.*?)```", (DOCS / "telemetry.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(block[1].replace("/var/lib/my-app/spool", str(tmp_path)), names)  # type: ignore[index]
    event = WorkflowEvent(EventType.WORKFLOW_STARTED, WorkflowId("w"), ExecutionId("x1"))
    assert await names["emitter"].emit(event)
    assert b'"x1"' in b"".join(path.read_bytes() for path in tmp_path.rglob("*.segment"))
    await names["exporter"].shutdown(0.1)


def test_the_numbers_of_the_telemetry_page_are_those_of_the_code() -> None:
    page = (DOCS / "telemetry.md").read_text()
    assert f"{MAX_AGE_S / 86_400:.0f} days" in page
    assert f"`fsync_s` ({SpoolOptions(Path()).fsync_s:g} s)" in page
    assert f"`max_bytes` ({MAX_BYTES >> 30} GiB)" in page
    assert f"({MEMORY_BYTES >> 20} MB at most)" in page
    assert f"max_series={MAX_SERIES}" in page
    for name in (
        semconv.WORKFLOWS, semconv.STEP_DURATION, semconv.AGENT_INVOCATIONS, semconv.TOKENS, semconv.COST,
        semconv.RETRIES, semconv.FALLBACKS, semconv.GENAI_TOKEN_USAGE, semconv.GENAI_OPERATION_DURATION,
    ):  # fmt: skip
        assert f"`{name}`" in page


def test_the_table_of_metrics_is_that_of_the_code() -> None:
    section = (DOCS / "telemetry.md").read_text().split("## Every metric")[1].split("\n## ")[0]
    table = re.findall(r"^\| `(\w+)` \| (\w+) \|(.*?)\| [^|]+ \|$", section, re.MULTILINE)
    labels = {
        name: tuple(filter(None, (label.strip() for label in cell.split(",")))) for name, _, cell in table
    }
    assert labels == semconv.METRIC_LABELS
    for name, kind, _ in table:
        counter = "counter" if name.endswith("_total") else "gauge"
        assert kind == ("histogram" if name in semconv.HISTOGRAM_BUCKETS else counter), name


@pytest.mark.parametrize("uid", sorted(BOARDS))
def test_the_walk_through_a_dashboard_names_its_panels_and_no_other(uid: str) -> None:
    title = BOARDS[uid]["title"]
    section = DASHBOARDS.split(f"\n## {title}\n")[1].split("\n## ")[0]
    named = {name for cells in rows(section, r"\*.*") for name in re.findall(r"\*([^*]+)\*", cells[0])}
    assert named == {panel["title"] for panel in BOARDS[uid]["panels"] if panel["type"] != "row"}


def test_the_dashboard_of_ones_own_builds() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", DASHBOARDS, re.DOTALL)
    names: dict[str, Any] = {}
    exec(block, names)
    board = names["SPEC"].build()
    assert [panel["title"] for panel in board["panels"]] == ["Now", "Cost per hour by agent"]
    assert board["panels"][1]["targets"][0]["expr"].count("$agent") == 1


def test_yaml_and_json_blocks_are_what_they_claim() -> None:
    for page in PAGES:
        for block in re.findall(r"```(?:yaml|json)\n(.*?)```", page.read_text(), re.DOTALL):
            assert yaml.safe_load(block), page
