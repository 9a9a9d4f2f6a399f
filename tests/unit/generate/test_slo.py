"""SLO files: what is read, and that every mistake is named with its file, its line and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awf.core import semconv as sc
from awf.embedded.promql import label_names, metric_names, parse
from awf.errors import ConfigError
from awf.generate.selectors import Selector, parse_selector
from awf.generate.slo import DEFAULT_FILE, load_slos
from awf.generate.slo_rules import BURNS, slo_groups

DEFAULT = DEFAULT_FILE.read_text()
ONE = "---\n" + DEFAULT.split("---\n")[1]


def load(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "slos.yaml"
    file.write_text(text)
    return [slo.name for slo in load_slos(file)]


def refused(tmp_path: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    return caught.value


def test_the_packaged_objectives_are_what_they_say() -> None:
    workflow, step, agent = load_slos()
    assert (workflow.objective, workflow.window, workflow.group_by) == (0.99, "30d", (sc.WORKFLOW_ID,))
    assert (step.objective, step.group_by) == (0.95, (sc.WORKFLOW_ID, sc.STEP_ID))
    assert step.good == Selector(
        f"{sc.STEP_DURATION}_bucket", (("status", "=", "completed"), ("le", "=~", "30000([.]0)?"))
    )
    assert (agent.objective, agent.group_by) == (0.95, (sc.AGENT_ID,))


def test_what_is_written_otherwise_means_the_same(tmp_path: Path) -> None:
    file = tmp_path / "slos.yaml"
    file.write_text(ONE.replace("target: 0.99", "targetPercent: 99").replace("30d", "4w"))
    (slo,) = load_slos(file)
    assert (slo.objective, slo.window) == (0.99, "28d")


def test_an_empty_file_has_no_objectives_and_makes_no_rules(tmp_path: Path) -> None:
    assert load(tmp_path, "# nothing yet\n---\n") == []
    assert slo_groups(()) == ()


WRONG = {
    "apiVersion": ("openslo/v1", "openslo/v2", "apiVersion: is 'openslo/v2'", "Only openslo/v1"),
    "kind": ("kind: SLO", "kind: SLI", "kind: is 'SLI'", "Only SLO"),
    "a name": ("name: workflow-success", "name: Workflow Success", "metadata.name: is 'Workflow Success'", "lower-case"),
    "an unknown field": ("budgetingMethod:", "budgetMethod:", "spec.budgetMethod: is not a known field", "budgetingMethod"),
    "a field of OpenSLO": ("  service: awf", "  alertPolicies: []", "alertPolicies: is part of OpenSLO, but not", "itself"),
    "a field twice": ("  service: awf", "  service: awf\n  service: awf", "spec.service: is there twice", "Keep one"),
    "a method": ("Occurrences", "Timeslices", "budgetingMethod: is 'Timeslices'", "Occurrences"),
    "a window": ("duration: 30d", "duration: 7d", "timeWindow[0].duration: is '7d'", "about a month"),
    "no window": ("    - duration: 30d\n      isRolling: true", "    []", "timeWindow: has 0 entries", "duration"),
    "a calendar": ("isRolling: true", "isRolling: false", "isRolling: is false", "rolling"),
    "a target of everything": ("target: 0.99", "target: 1.0", "objectives[0].target: is 1", "error budget"),
    "a target in percent": ("target: 0.99", "target: 99", "objectives[0].target: is 99", "error budget"),
    "a target in words": ("target: 0.99", "target: much", "target: is 'much', expected a number", ""),
    "no target": ("target: 0.99", "displayName: x", "objectives[0]: needs one of target", "0.99"),
    "a comparison": ("target: 0.99", "target: 0.99\n      op: lte", "objectives[0].op: is part of OpenSLO", "ratio"),
    "gauges": ("counter: true", "counter: false", "counter: is false", "only ever rise"),
    "no counter": ("counter: true", "counter: maybe", "counter: is 'maybe', expected true or false", ""),
    "good and bad": ("        bad:", "        good: {}\n        bad:", "ratioMetric: needs one of good and bad", ""),
    "another backend": ("type: Prometheus", "type: Datadog", "metricSource.type: is 'Datadog'", "Prometheus"),
    "a rate": ('query: awf_workflow_total{status="failed"}', "query: rate(awf_workflow_total[5m])", "is not a plain counter", "docs/slos.md"),
    "an unknown metric": ("query: awf_workflow_total{", "query: awf_workflows_total{", "exports no metric awf_workflows_total: did you mean awf_workflow_total", ""),
    "a gauge's name": ("query: awf_workflow_total{", "query: awf_executions_active{", "awf_executions_active is not a counter", ""),
    "a label": ("{status=", "{statu=", "has no label 'statu': did you mean 'status'", ""),
    "a pattern": ('"completed|failed"', '"completed|(failed"', "is not a regular expression", ""),
    "a group": ("awf/group-by: workflow_id", "awf/group-by: workflow", "has no label 'workflow': did you mean 'workflow_id'", ""),
    "a group twice": ("awf/group-by: workflow_id", "awf/group-by: workflow_id, workflow_id", "cannot be grouped by", "commas"),
    "an annotation of ours": ("awf/group-by:", "awf/groupby:", "is not an annotation that AWF knows", "awf/group-by"),
    "not YAML": ("kind: SLO", "kind: [SLO", "is not YAML", "quotes"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_is_named_with_its_line(mistake: str, tmp_path: Path) -> None:
    right, wrong, message, hint = WRONG[mistake]
    assert right in ONE
    text = ONE.replace(right, wrong, 1)
    error = refused(tmp_path, text)
    assert message in error.message
    assert hint in error.hint
    file, line, *_ = error.message.split(":")
    assert file == str(tmp_path / "slos.yaml")
    changed = [
        n for n, (a, b) in enumerate(zip(text.split("\n"), ONE.split("\n"), strict=False), 1) if a != b
    ]
    assert abs(int(line) - changed[0]) <= 4


def test_two_objectives_of_one_name_are_refused(tmp_path: Path) -> None:
    assert "is the name of two SLOs" in refused(tmp_path, ONE + ONE).message


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.yaml cannot be read"):
        load_slos(tmp_path / "missing.yaml")
    (tmp_path / "raw.yaml").write_bytes(b"kind: SLO\n\xff")
    with pytest.raises(ConfigError, match=r"raw\.yaml:2: is not UTF-8"):
        load_slos(tmp_path / "raw.yaml")


@pytest.mark.parametrize(
    "text", ["SLO", "- SLO", "kind: &a [*a]", "? [a, b]\n: c", "!!python/object:os.system {}", "a: *b"]
)
def test_rubbish_is_refused_and_nothing_worse(text: str, tmp_path: Path) -> None:
    assert str(tmp_path) in refused(tmp_path, text).message


@given(text=st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    said = str(file)
    try:
        load_slos(file)
    except ConfigError as error:
        said = error.message
    assert said.startswith(str(file))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("awf_step_duration_ms_bucket", "needs a bound"),
        ('awf_step_duration_ms_bucket{le="20000"}', "has no bucket with that bound"),
        ('awf_workflow_total{status="a" status="b"}', "is not a matcher"),
        ('awf_workflow_total{status="a}', "is not a matcher"),
        ("sum(awf_workflow_total)", "is not a plain counter"),
        ("awf_workflow_total offset 5m", "is not a plain counter"),
    ],
)
def test_a_selector_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_selector(text)


@pytest.mark.parametrize(
    "text",
    [
        'http_requests_total{code!~"5..", job="shop", }',
        "orders_total",
        'awf_cost_usd_total{cluster="eu", agent_id="a\\"b"}',
    ],
)
def test_other_metrics_and_labels_of_collectors_may_be_asked_for(text: str) -> None:
    parse(str(parse_selector(text)))


def test_every_rule_of_the_objectives_is_parsed_by_our_own_engine(tmp_path: Path) -> None:
    file = tmp_path / "slos.yaml"
    file.write_text(DEFAULT.replace("30d", "28d", 1))
    groups = slo_groups(load_slos(file))
    budgets = [r.expr for g in groups for r in g.recording if r.record == sc.ERROR_BUDGET_REMAINING]
    assert [("[28d]" in expr, f"{sc.SLO_ERRORS}30d" in expr) for expr in budgets] == [
        (True, False),
        (False, True),
    ]
    for group in groups:
        for rule in (*group.recording, *group.alerts):
            parse(rule.expr)
            assert metric_names(rule.expr) or rule.expr.startswith("vector")
            assert "" not in label_names(rule.expr)


def test_every_window_that_an_alert_needs_is_recorded() -> None:
    recorded = {rule.record for group in slo_groups(load_slos()) for rule in group.recording}
    for burn in BURNS:
        assert {f"{sc.SLO_ERRORS}{burn.long}", f"{sc.SLO_ERRORS}{burn.short}"} <= recorded
