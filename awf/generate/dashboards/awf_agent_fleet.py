"""Agent Fleet Health: which agent errs, which is slow, what each costs and how far it is trusted."""

from __future__ import annotations

from typing import Any

from awf.core import semconv as sc
from awf.generate import panels as p
from awf.generate.expr import by, failed_share, quantile, rate, selector
from awf.generate.spec import DashboardSpec

A = {sc.AGENT_ID: "=~$agent"}
AGENT = (sc.AGENT_ID,)
WINDOW = "$__rate_interval"


def build() -> dict[str, Any]:
    """Return the dashboard's JSON."""
    return p.dashboard(
        "awf-agent-fleet",
        "Agent Fleet Health",
        "Every agent's errors, latency, cost and trust. Sort the table by failures to find the one to look at.",
        [
            ("Agents", 9, [_table()]),
            ("Latency", 9, _latency()),
            ("Errors", 8, _errors()),
            ("Fleet", 8, _fleet()),
        ],
        [p.variable("agent", "Agent", f"label_values({sc.AGENT_INVOCATIONS}, {sc.AGENT_ID})")],
    )


def _table() -> Any:
    return p.table(
        "Agents",
        [
            ("Invocations/min", f"{by('sum', AGENT, rate(sc.AGENT_INVOCATIONS, '5m', **A))} * 60", "short"),
            ("Failed", failed_share(sc.AGENT_INVOCATIONS, AGENT, "5m", **A), "percentunit"),
            ("p95 duration", quantile(0.95, AGENT, "5m", **A), "ms"),
            ("Tokens/min", f"{by('sum', AGENT, rate(sc.TOKENS, '5m', **A))} * 60", "short"),
            ("Cost/h", f"{by('sum', AGENT, rate(sc.COST, '5m', **A))} * 3600", "currencyUSD"),
            ("Trust", by("max", AGENT, selector(sc.AGENT_TRUST_SCORE, **A)), "percentunit"),
        ],
        sc.AGENT_ID,
        "Figures of the last five minutes. An agent that fails more than 30% for a minute fires AWFAgentErrors.",
        red_above=0.3,
    )


def _latency() -> list[Any]:
    buckets = rate(f"{sc.STEP_DURATION}_bucket", WINDOW, **A)
    return [
        p.heatmap("Step duration", by("sum", ("le",), buckets),
                  "Where the durations lie. A second band appearing above the first is a stall or retries."),
        p.timeseries("Step duration, p95 by agent", [(quantile(0.95, AGENT, WINDOW, **A), "{{agent_id}}")],
                     "ms", "Duration of the steps that each agent served, retries included."),
    ]  # fmt: skip


def _errors() -> list[Any]:
    return [
        p.timeseries("Failed share by agent", [(failed_share(sc.AGENT_INVOCATIONS, AGENT, WINDOW, **A), "{{agent_id}}")],
                     "percentunit", "Above 30% for a minute the alert AWFAgentErrors fires.",
                     steps=(("transparent", None), (p.RED, 0.3))),
        p.timeseries("Retries per second by agent", [(by("sum", AGENT, rate(sc.RETRIES, WINDOW, **A)), "{{agent_id}}")],
                     "ops", "Attempts that had to be repeated, per second."),
    ]  # fmt: skip


def _fleet() -> list[Any]:
    return [
        p.pie("Invocations by framework",
              by("sum", (sc.FRAMEWORK,), f"increase({selector(sc.AGENT_INVOCATIONS, **A)}[$__range])"),
              "{{framework}}", "short", "Share of invocations over the time range shown."),
        p.bars("Trust scores", by("max", AGENT, selector(sc.AGENT_TRUST_SCORE, **A)), "{{agent_id}}", "percentunit",
               "From the agents' manifests, 0 to 1."),
        p.timeseries("Invocations per second by agent", [(by("sum", AGENT, rate(sc.AGENT_INVOCATIONS, WINDOW, **A)), "{{agent_id}}")],
                     "ops", "Invocations per second.", stacked=True),
    ]  # fmt: skip


SPEC = DashboardSpec(name="awf_agent_fleet", title="Agent Fleet Health", build=build)
