"""Agent Fleet Health: which agent errs, which is slow, what each costs and how far it is trusted."""

from __future__ import annotations

from typing import Any

from awf.core import semconv as sc
from awf.generate import links, thresholds
from awf.generate import panels as p
from awf.generate.board import dashboard, variable
from awf.generate.expr import by, failed_share, quantile, rate, selector
from awf.generate.spec import DashboardSpec

A = {sc.AGENT_ID: "=~$agent"}
S = {sc.WORKFLOW_ID: "=~$workflow", **A}  # step durations have both labels
AGENT = (sc.AGENT_ID,)
WINDOW = "$__rate_interval"
HERE = "${__field.labels.agent_id}"


def build() -> dict[str, Any]:
    """Return the dashboard's JSON."""
    return dashboard(
        "awf-agent-fleet",
        "Agent Fleet Health",
        "Every agent's errors, latency, cost and trust. Sort the table by failures to find the one to look at.",
        [
            ("Agents", 9, [_table()]),
            ("Errors", 8, _errors()),
            ("Latency", 9, _latency()),
            ("Fleet", 9, _fleet()),
            ("What failed", 9, _failures()),
        ],
        [
            variable("workflow", "Workflow", f"label_values({sc.WORKFLOWS}, {sc.WORKFLOW_ID})"),
            variable("agent", "Agent", f"label_values({sc.AGENT_INVOCATIONS}, {sc.AGENT_ID})"),
        ],
    )


def _table() -> Any:
    return p.table(
        "Agents",
        [
            ("Invocations/min", f"{by('sum', AGENT, rate(sc.AGENT_INVOCATIONS, '5m', **A))} * 60", "short"),
            ("Failed", failed_share(sc.AGENT_INVOCATIONS, AGENT, "5m", **A), "percentunit"),
            ("p95 duration", quantile(0.95, AGENT, "5m", **S), "ms"),
            ("Retries/min", f"{by('sum', AGENT, rate(sc.RETRIES, '5m', **A))} * 60", "short"),
            ("Tokens/min", f"{by('sum', AGENT, rate(sc.TOKENS, '5m', **A))} * 60", "short"),
            ("Cost/h", f"{by('sum', AGENT, rate(sc.COST, '5m', **A))} * 3600", "currencyUSD"),
            ("Trust", by("max", AGENT, selector(sc.AGENT_TRUST_SCORE, **A)), "percentunit"),
        ],
        sc.AGENT_ID,
        "Figures of the last five minutes. An agent that fails more than 30% for a minute fires AWFAgentErrors: click "
        "its name to see it alone, then read what failed below.",
        red_above=thresholds.AGENT_FAILED_SHARE,
        links=[
            links.to_dashboard("This agent alone", "awf-agent-fleet", agent="${__value.text}"),
            links.to_dashboard("Its workflows", "awf-overview", agent="${__value.text}"),
        ],
    )


def _errors() -> list[Any]:
    failed = f'{{ span.agent_id = "{HERE}" && status = error }}'
    said = f'{{service_name=~".+"}} | {sc.EVENT_TYPE}="agent.failed" | {sc.AGENT_ID}="{HERE}"'
    ways = [links.to_traces("Traces of the failed", failed), links.to_logs("What they said", said)]
    return [
        p.timeseries("Failed share by agent", [(failed_share(sc.AGENT_INVOCATIONS, AGENT, WINDOW, **A), "{{agent_id}}")],
                     "percentunit", "Above the line for a minute the alert AWFAgentErrors fires. Click a point for the "
                     "failed traces or what they said.", steps=p.above(thresholds.AGENT_FAILED_SHARE), links=ways),
        p.timeseries("Retries per second by agent", [(by("sum", AGENT, rate(sc.RETRIES, WINDOW, **A)), "{{agent_id}}")],
                     "ops", "Attempts that had to be repeated, per second; AWFRetryStorm fires when it is over 40% of them. "
                     "Steady without failures: its timeout is too short, or its provider throttles.", links=ways),
    ]  # fmt: skip


def _latency() -> list[Any]:
    buckets = rate(f"{sc.STEP_DURATION}_bucket", WINDOW, **S)
    slow = f'{{ name = "{sc.SPAN_STEP}" && span.agent_id = "{HERE}" && duration > {thresholds.STEP_SLOW_MS / 1000:.0f}s }}'
    return [
        p.heatmap("Step duration", by("sum", ("le",), buckets),
                  "Where the durations lie. A second band appearing above the first is a stall or retries: click an "
                  "exemplar in it for the trace."),
        p.timeseries("Step duration, p95 by agent", [(quantile(0.95, AGENT, WINDOW, **S), "{{agent_id}}")],
                     "ms", "Duration of the steps that each agent served, retries included. Above the line AWFStepSlow may "
                     "fire. The points are exemplars and lead to their traces.",
                     steps=p.above(thresholds.STEP_SLOW_MS), links=[links.to_traces("Its slow runs", slow)]),
    ]  # fmt: skip


def _fleet() -> list[Any]:
    trust = ((p.RED, None), (p.YELLOW, 0.6), (p.GREEN, 0.8))
    return [
        p.graph("Who works for whom", _edges(),
                "Which workflow uses which agent now, in steps a minute. An edge that disappears: a fallback took over, or "
                "the workflow no longer gets that far."),
        p.pie("Invocations by framework",
              by("sum", (sc.FRAMEWORK,), f"increase({selector(sc.AGENT_INVOCATIONS, **A)}[$__range])"),
              "{{framework}}", "short", "Share of invocations over the time range shown. One that should not be there: an "
              "agent that was forgotten in a migration."),
        p.bars("Trust scores", by("max", AGENT, selector(sc.AGENT_TRUST_SCORE, **A)), "{{agent_id}}", "percentunit",
               "From the agents' manifests, 0 to 1. A low one in an important place: ask before it acts, or exchange it.",
               steps=trust),
        p.timeseries("Invocations per second by agent", [(by("sum", AGENT, rate(sc.AGENT_INVOCATIONS, WINDOW, **A)), "{{agent_id}}")],
                     "ops", "Who does the work. One agent taking over from another is a fallback; one that stops is idle, or "
                     "disabled by the watcher (purple mark).", stacked=True),
    ]  # fmt: skip


def _edges() -> str:
    steps = rate(f"{sc.STEP_DURATION}_count", "5m", **S)
    pairs = f"{by('sum', (sc.WORKFLOW_ID, sc.AGENT_ID), steps)} * 60"
    # " (workflow)" is the separator before a label that is not there: a workflow and an agent may share a name.
    source = f'label_join({pairs}, "source", " (workflow)", "{sc.WORKFLOW_ID}", "none")'
    target = f'label_join({source}, "target", "", "{sc.AGENT_ID}")'
    return f'label_join({target}, "id", " > ", "{sc.WORKFLOW_ID}", "{sc.AGENT_ID}")'


def _failures() -> list[Any]:
    said = f'{{service_name=~".+"}} | {sc.EVENT_TYPE}="agent.failed" | {sc.AGENT_ID}=~"$agent" | {sc.WORKFLOW_ID}=~"$workflow"'
    slowest = (
        f'{{ name = "{sc.SPAN_AGENT_INVOKE}" && span.{sc.AGENT_ID} =~ "$agent" && status = error }} '
        f"| select(span.{sc.AGENT_ID}, span.{sc.ERROR_TYPE})"
    )
    return [
        p.logs("What the agents said", said,
               "The newest failed invocations in words. The same words from one provider: its outage; from one agent: its "
               "prompt or its settings. trace_id leads to the trace."),
        p.traces("Failed invocations", slowest,
                 "The newest invocations that failed. Open a trace to see the attempt among its retries."),
    ]  # fmt: skip


SPEC = DashboardSpec(name="awf_agent_fleet", title="Agent Fleet Health", build=build)
