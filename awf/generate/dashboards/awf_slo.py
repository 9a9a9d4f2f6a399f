"""SLO: which objectives hold, how much of each error budget is left, and how fast it is spent."""

from __future__ import annotations

from typing import Any

from awf.core import semconv as sc
from awf.generate import links, thresholds
from awf.generate import panels as p
from awf.generate.board import dashboard, variable
from awf.generate.expr import by, selector
from awf.generate.spec import DashboardSpec

# An objective may be about agents or steps: then it has no workflow.
ABOUT = {sc.SLO: "=~$slo", sc.WORKFLOW_ID: "=~$workflow"}
LEGEND = "{{slo}}: {{subject}}"
OBJECTIVE = selector(sc.SLO_OBJECTIVE, **{sc.SLO: "=~$slo"})
BUDGET_STEPS = ((p.RED, None), (p.YELLOW, 0.0), (p.GREEN, 0.25))


def build() -> dict[str, Any]:
    """Return the dashboard's JSON."""
    return dashboard(
        "awf-slo",
        "SLO",
        "Objectives, error budgets and burn rates, each as often as there is something that has a budget of its own: "
        "a workflow, a step, an agent. The objectives are in slos.yaml.",
        [
            ("Now", 4, _now()),
            ("Objectives", 9, [_table()]),
            ("Error budget", 9, _budget()),
            ("Burn rates", 8, _burns()),
            ("Indicators", 8, _indicators()),
        ],
        [
            variable("slo", "Objective", f"label_values({sc.SLO_OBJECTIVE}, {sc.SLO})"),
            variable("workflow", "Workflow", f"label_values({sc.ERROR_BUDGET_REMAINING}, {sc.WORKFLOW_ID})", all_value=".*"),
        ],
        since="now-6h",
    )  # fmt: skip


def _errors(window: str) -> str:
    return selector(f"{sc.SLO_ERRORS}{window}", **ABOUT)


def _burn(window: str) -> str:
    """How many times as fast as allowed the budget is spent; at 1 it lasts exactly as long as it should."""
    return f"{_errors(window)} / on ({sc.SLO}) group_left () (1 - {OBJECTIVE})"


def _burns_now(burn: thresholds.Burn) -> str:
    """1 where both windows burn, 0 where not."""
    both = [f"({_burn(window)} > bool {burn.factor:g})" for window in (burn.long, burn.short)]
    return " * ".join(both)


def _now() -> list[Any]:
    budget = selector(sc.ERROR_BUDGET_REMAINING, **ABOUT)
    return [
        p.stat("Budgets", f"count({budget})", "short",
               "How many budgets are watched. Fewer than expected: nothing happened that counts, or the rules are not loaded "
               "(awf doctor)."),
        p.stat("Missed", f"count({budget} < 0) or count({budget}) * 0", "short",
               "Objectives whose budget is spent. Not zero: find them in the table, and put mending before new things.",
               steps=((p.GREEN, None), (p.RED, 1.0))),
        p.stat("Least budget left", f"min({budget})", "percentunit",
               "The error budget of the objective that has least. Below a quarter: no risky changes to it.",
               steps=BUDGET_STEPS),
        p.stat("Fastest burn, 1 h", f"max({_burn('1h')})", "short",
               f"How many times as fast as allowed the worst budget was spent over an hour. From {thresholds.BURNS[0].factor:g} "
               "on it pages; below 1 all is well.",
               steps=((p.GREEN, None), (p.YELLOW, 1.0), (p.RED, thresholds.BURNS[0].factor))),
        p.stat("Fastest burn, 3 d", f"max({_burn('3d')})", "short",
               "The same over three days: above 1, the month will not end well unless something changes.",
               steps=((p.GREEN, None), (p.YELLOW, 1.0), (p.RED, thresholds.BURNS[2].factor))),
    ]  # fmt: skip


def _table() -> Any:
    def each(expr: str) -> str:
        named = f'label_join({expr}, "objective_id", ": ", "{sc.SLO}", "{sc.SUBJECT}")'
        return by("min", ("objective_id",), named)

    return p.table(
        "Objectives",
        [
            (
                "Objective",
                each(f"{_errors('30d')} * 0 + on ({sc.SLO}) group_left () {OBJECTIVE}"),
                "percentunit",
            ),
            ("Spent", each(f"1 - {selector(sc.ERROR_BUDGET_REMAINING, **ABOUT)}"), "percentunit"),
            ("Good, 30 d", each(f"1 - {_errors('30d')}"), "percentunit"),
            ("Good, 1 h", each(f"1 - {_errors('1h')}"), "percentunit"),
            *((f"Burn, {window}", each(_burn(window)), "short") for window in ("1h", "6h", "1d", "3d")),
        ],
        "objective_id",
        "Every budget, the most spent first; red when it is gone. Spent much but burning below 1: it was an incident, and is "
        "over. Burning above 1: it goes on, look at the workflow.",
        red_above=1.0,
        heading="What",
    )


def _budget() -> list[Any]:
    budget = selector(sc.ERROR_BUDGET_REMAINING, **ABOUT)
    return [
        p.timeseries("Error budget remaining", [(budget, LEGEND)],
                     "percentunit", "Share of the window's budget that is left. A step down is an incident: the marks say what "
                     "was deployed or done then. Falling steadily: a fault that nobody fixes. Below the line it is missed.",
                     steps=p.below(0.0), low=None, links=[_to_workflow()]),
        p.bars("Budget left now", f"sort({budget})", LEGEND, "percentunit",
               "Least first. Red: the objective is missed; yellow: little is left. Spend the green ones on changes.",
               steps=BUDGET_STEPS, low=-0.25),
    ]  # fmt: skip


def _to_workflow() -> links.Link:
    return links.to_dashboard("This workflow", "awf-overview", workflow="${__field.labels.workflow_id}")


def _burns() -> list[Any]:
    return [
        p.timeseries(f"Burn rate, {burn.long} and {burn.short}",
                     [(_burn(burn.long), f"{burn.long} {LEGEND}"), (_burn(burn.short), f"{burn.short} {LEGEND}")],
                     "short", f"Both windows above the line fire {burn.alert} ({burn.severity}). Only the short one: a blip; "
                     "only the long one: it is over.", steps=p.above(burn.factor), links=[_to_workflow()])
        for burn in thresholds.BURNS
    ]  # fmt: skip


def _indicators() -> list[Any]:
    lanes = [
        (by("max", (sc.SLO,), _burns_now(burn)), f"{{{{slo}}}}, x{burn.factor:g}")
        for burn in thresholds.BURNS
    ]
    workflow = selector(sc.WORKFLOW_SUCCESS_RATE, **{sc.WORKFLOW_ID: "=~$workflow"})
    p99 = selector(sc.STEP_LATENCY_P99, **{sc.WORKFLOW_ID: "=~$workflow"})
    return [
        p.states("Burning", lanes, {0: ("holds", p.GREEN), 1: ("burns", p.RED)},
                 "When both windows of an alert burned for any budget of an objective, whatever the traffic. Red for long "
                 "without an alert: too few failures to wake anyone, but not none."),
        p.timeseries("Good events, 5 min", [(f"1 - {_errors('5m')}", LEGEND), (OBJECTIVE, "objective {{slo}}")],
                     "percentunit", "The indicators themselves, beside their objectives. A line below its objective spends "
                     "budget.", low=None, links=[_to_workflow()]),
        p.timeseries("Success rate by workflow", [(workflow, "{{workflow_id}}")],
                     "percentunit", "Share of the executions of five minutes that completed, cancelled ones left out. Falling: "
                     "AWF Overview shows what failed.", low=None, links=[_to_workflow()]),
        p.timeseries("Step latency, p99", [(p99, "{{workflow_id}} / {{step_id}}")],
                     "ms", "99th percentile of each step over five minutes. Rising while p95 does not: a few inputs are much "
                     "larger, or one retry too many.", links=[_to_workflow()]),
    ]  # fmt: skip


SPEC = DashboardSpec(name="awf_slo", title="SLO", build=build)
