"""AWF Overview: are the workflows healthy, how fast are they, what do they cost, what failed?"""

from __future__ import annotations

from typing import Any

from awf.core import semconv as sc
from awf.generate import links, thresholds
from awf.generate import panels as p
from awf.generate.board import dashboard, variable
from awf.generate.expr import any_of, by, failed_share, gained, quantile, rate, selector
from awf.generate.spec import DashboardSpec

W = {sc.WORKFLOW_ID: "=~$workflow"}
A = {sc.AGENT_ID: "=~$agent"}
S = {**W, **A}  # what has both labels
WORKFLOW = (sc.WORKFLOW_ID,)
STEP = (sc.WORKFLOW_ID, sc.STEP_ID)
WINDOW = "$__rate_interval"
FAILED_EVENTS = "workflow.failed|workflow.step.failed|agent.failed"
FAILED_SPANS = (
    f'{{ status = error && span.{sc.WORKFLOW_ID} =~ "$workflow" '
    f'&& span.{sc.AGENT_ID} =~ "$agent" }} '
    f"| select(span.{sc.WORKFLOW_ID}, span.{sc.STEP_ID}, span.{sc.AGENT_ID}, span.{sc.ERROR_TYPE})"
)


def build() -> dict[str, Any]:
    """Return the dashboard's JSON."""
    return dashboard(
        "awf-overview",
        "AWF Overview",
        "Workflow health, speed and cost. Start here when an alert fires.",
        [
            ("Now", 4, _now()),
            ("Executions", 8, _executions()),
            ("Steps", 8, _steps()),
            ("What failed", 9, _failures()),
            ("Tokens and cost", 8, _cost()),
            ("Pipeline", 4, _pipeline()),
        ],
        [
            variable("workflow", "Workflow", f"label_values({sc.WORKFLOWS}, {sc.WORKFLOW_ID})"),
            variable("agent", "Agent", f"label_values({sc.AGENT_INVOCATIONS}, {sc.AGENT_ID})"),
        ],
    )


def _now() -> list[Any]:
    done = rate(sc.WORKFLOWS, "5m", **W)
    ok = rate(sc.WORKFLOWS, "5m", **W, status=sc.COMPLETED)
    # When nothing ever completed there is no such series, and the share is 0, not unknown.
    success = f"(sum({ok}) or sum({done}) * 0) / sum({done})"
    good = ((p.RED, None), (p.YELLOW, 0.9), (p.GREEN, thresholds.SUCCESS_GOOD))
    budget = ((p.RED, None), (p.YELLOW, 0.0), (p.GREEN, 0.25))
    waiting = ((p.GREEN, None), (p.YELLOW, 4), (p.RED, 8))
    return [
        p.stat("Success rate", success, "percentunit",
               "Share of executions that completed over five minutes. Below 99%: look at failures by workflow.",
               steps=good),
        p.stat("Least budget left", f"min({selector(sc.ERROR_BUDGET_REMAINING, **W)})", "percentunit",
               "Of the objectives of the workflows shown, the error budget of the one that has least. Below 0 its "
               "objective is missed: open SLO, and spend no more on risky changes.",
               steps=budget, link=links.to_dashboard("SLO", "awf-slo")),
        p.stat("Executions/min", f"sum({done}) * 60", "short",
               "Executions finished per minute. None although some should run: is an engine up, and does work arrive?"),
        p.stat("Active", f"sum({selector(sc.EXECUTIONS_ACTIVE, **W)})", "short",
               "Executions running now. As many as there are workers for long: see Waiting."),
        p.stat("Waiting", f"sum({selector(sc.EXECUTIONS_PENDING, **W)})", "short",
               "Executions waiting for a worker. Growing: add workers, or find what slows the agents.", steps=waiting),
        p.stat("Longest running", f"max({selector(sc.EXECUTION_OLDEST_AGE, **W)})", "s",
               "How long the oldest running execution runs. Far above what its workflow takes: it hangs; find it by "
               "its age under Executions on AWF's pages, and cancel it."),
        p.stat("Tokens/min", f"sum({rate(sc.TOKENS, '5m', **A)}) * 60", "short",
               "Tokens read and written per minute by the agents shown. Doubled at the same traffic: see by model below."),
        p.stat("Cost/h", f"sum({rate(sc.COST, '5m', **A)}) * 3600", "currencyUSD",
               "Cost per hour at the present rate, of the agents shown. Too much: Agent Fleet Health says whose."),
    ]  # fmt: skip


def _executions() -> list[Any]:
    failed = (
        '{ name = "awf.workflow" && status = error && span.workflow_id = "${__field.labels.workflow_id}" }'
    )
    said = f'{{service_name=~".+"}} | {sc.EVENT_TYPE}=~"{FAILED_EVENTS}" | {sc.WORKFLOW_ID}="${{__field.labels.workflow_id}}"'
    ways = (links.to_traces("Traces of the failed", failed), links.to_logs("What they said", said))
    return [
        p.timeseries("Executions per second by outcome", [(by("sum", (sc.STATUS,), rate(sc.WORKFLOWS, WINDOW, **W)), "{{status}}")],
                     "ops", "Finished executions, by status. A band of failed appearing: see the panel beside.", stacked=True),
        p.timeseries("Failed share by workflow", [(failed_share(sc.WORKFLOWS, WORKFLOW, WINDOW, **W), "{{workflow_id}}")],
                     "percentunit", "Above the line for two minutes the alert AWFWorkflowFailures fires. Click a point for "
                     "the failed traces or what they said.", steps=p.above(thresholds.WORKFLOW_FAILED_SHARE), links=ways),
        p.timeseries("Active and waiting",
                     [(f"sum({selector(sc.EXECUTIONS_ACTIVE, **W)})", "active"),
                      (f"sum({selector(sc.EXECUTIONS_PENDING, **W)})", "waiting"),
                      (f"sum({sc.WORKERS})", "workers")],
                     "short", f"Waiting above {thresholds.PENDING_PER_WORKER} times the workers fires AWFWorkersSaturated: "
                     "add workers if the steps are as fast as usual, otherwise mend what is slow."),
        p.timeseries("Longest running by workflow", [(by("max", WORKFLOW, selector(sc.EXECUTION_OLDEST_AGE, **W)), "{{workflow_id}}")],
                     "s", "A saw is healthy; a line that climbs without end is an execution that hangs. Above an hour the "
                     "alert AWFExecutionStuck fires: cancel or restart it on AWF's pages.",
                     steps=p.above(thresholds.EXECUTION_STUCK_S)),
    ]  # fmt: skip


def _steps() -> list[Any]:
    slow = (
        f'{{ name = "{sc.SPAN_STEP}" && span.workflow_id = "${{__field.labels.workflow_id}}" '
        f'&& span.step_id = "${{__field.labels.step_id}}" && duration > {thresholds.STEP_SLOW_MS / 1000:.0f}s }}'
    )
    return [
        p.timeseries("Step duration, p95", [(quantile(0.95, STEP, WINDOW, **S), "{{workflow_id}} / {{step_id}}")],
                     "ms", "Above the line the alert AWFStepSlow fires. The points are exemplars: click one for its trace, "
                     "or the line for all slow runs of the step.", steps=p.above(thresholds.STEP_SLOW_MS),
                     links=[links.to_traces("Slow runs of this step", slow)]),
        p.timeseries("Step duration, all steps",
                     [(quantile(q, (), WINDOW, **S), f"p{round(q * 100)}") for q in (0.5, 0.95, 0.99)],
                     "ms", "Median, 95th and 99th percentile over all steps shown. All three rising: a provider or the "
                     "machine; p99 alone: one step or agent."),
        p.timeseries("Retries and fallbacks per second",
                     [(by("sum", (sc.STEP_ID,), rate(sc.RETRIES, WINDOW, **A)), "retry {{step_id}}"),
                      (by("sum", (sc.STEP_ID,), rate(sc.FALLBACKS, WINDOW)), "fallback {{step_id}}")],
                     "ops", "Of all workflows. Retries hide failures and cost time; fallbacks mean that the primary agent "
                     "is not used. Either one in most runs fires AWFRetryStorm or AWFFallbackSurge: look at that step's agent."),
    ]  # fmt: skip


def _failures() -> list[Any]:
    said = (
        f'{{service_name=~".+"}} | {sc.EVENT_TYPE}=~"{FAILED_EVENTS}" | {sc.WORKFLOW_ID}=~"$workflow" '
        f'| {sc.AGENT_ID}=~"$agent|"'  # a workflow's own line names no agent
    )
    return [
        p.logs("What the failed said", said,
               "The newest failures in words. Open a line for its execution and error type; its trace_id leads to the trace."),
        p.traces("Failed steps and invocations", FAILED_SPANS,
                 "The newest spans that failed; an invocation that failed in a step that did not was made good. Open a trace to see what was tried, for how long, and what came before."),
    ]  # fmt: skip


def _cost() -> list[Any]:
    return [
        p.timeseries("Tokens per second by direction", [(by("sum", (sc.DIRECTION,), rate(sc.TOKENS, WINDOW, **A)), "{{direction}}")],
                     "short", "Of the agents shown, whatever workflow: tokens are counted by agent. Input growing alone: "
                     "prompts get longer, often a loop. Three times the usual fires AWFTokenSurge.", stacked=True),
        p.timeseries("Tokens per second by model", [(by("sum", (sc.MODEL,), rate(sc.TOKENS, WINDOW, **A)), "{{model}}")],
                     "short", "Of the agents shown. A model that should not be used: a fallback, or a changed setting.",
                     stacked=True),
        p.timeseries("Cost per hour by provider", [(f"{by('sum', (sc.PROVIDER,), rate(sc.COST, WINDOW, **A))} * 3600", "{{provider}}")],
                     "currencyUSD", "Of the agents shown, in US dollars at the present rate. A step up after a deployment "
                     "(blue mark) is its price. Three times the usual fires AWFCostSurge.", stacked=True),
    ]  # fmt: skip


def _pipeline() -> list[Any]:
    more = links.to_dashboard("AWF Pipeline", "awf-pipeline")
    zero = f"max({sc.SPOOL_LIMIT_BYTES}) * 0"  # the truth only where something reports
    lost = gained(sc.EVENTS_DROPPED, (), "1h", **{sc.REASON: any_of(sc.LOST_ON_EXPORT)})
    return [
        p.stat("Events in", f"sum({rate(sc.EVENTS, '5m')})", "eps",
               "Events that all engines emit per second. None: nothing runs, or nothing reports; open AWF Pipeline.", link=more),
        p.stat("Acknowledged", f"sum({rate(sc.EXPORTED_EVENTS, '5m')}) or {zero}", "eps",
               "Events per second that the collector has taken. Well below Events in: open AWF Pipeline.", link=more),
        p.stat("Oldest event", f"max({sc.SPOOL_OLDEST_AGE})", "s",
               "How long the oldest event waits for the collector. What these panels show is older by that much.",
               steps=((p.GREEN, None), (p.YELLOW, 30.0), (p.RED, thresholds.EXPORT_STALLED_S)), link=more),
        p.stat("Lost in 1 h", f"{lost} or {zero}", "short",
               "Events that never reach the collector. Not zero: open AWF Pipeline for the reason.",
               steps=((p.GREEN, None), (p.RED, 1.0)), link=more),
        p.stat("Approvals waiting", f"sum({sc.WATCHER_APPROVALS_PENDING})", "short",
               "Questions of the watcher that nobody has answered. Not zero: answer them on AWF's pages.",
               steps=((p.GREEN, None), (p.YELLOW, 1.0)), link=links.to_dashboard("AWF Watcher", "awf-watcher")),
    ]  # fmt: skip


SPEC = DashboardSpec(name="awf_overview", title="AWF Overview", build=build)
