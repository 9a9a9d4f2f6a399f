"""AWF Overview: are the workflows healthy, how fast are they, what do they cost?"""

from __future__ import annotations

from typing import Any

from awf.core import semconv as sc
from awf.generate import panels as p
from awf.generate.expr import any_of, by, failed_share, gained, quantile, rate, selector
from awf.generate.spec import DashboardSpec

W = {sc.WORKFLOW_ID: "=~$workflow"}
WORKFLOW = (sc.WORKFLOW_ID,)
STEP = (sc.WORKFLOW_ID, sc.STEP_ID)
WINDOW = "$__rate_interval"


def build() -> dict[str, Any]:
    """Return the dashboard's JSON."""
    return p.dashboard(
        "awf-overview",
        "AWF Overview",
        "Workflow health, speed and cost. Start here when an alert fires.",
        [
            ("Now", 4, _now()),
            ("Executions", 8, _executions()),
            ("Steps", 8, _steps()),
            ("Tokens and cost", 8, _cost()),
            ("Pipeline", 4, _pipeline()),
        ],
        [p.variable("workflow", "Workflow", f"label_values({sc.WORKFLOWS}, {sc.WORKFLOW_ID})")],
    )


def _now() -> list[Any]:
    done = rate(sc.WORKFLOWS, "5m", **W)
    ok = rate(sc.WORKFLOWS, "5m", **W, status=sc.COMPLETED)
    # When nothing ever completed there is no such series, and the share is 0, not unknown.
    success = f"(sum({ok}) or sum({done}) * 0) / sum({done})"
    good = ((p.RED, None), (p.YELLOW, 0.9), (p.GREEN, 0.99))
    return [
        p.stat("Success rate", success, "percentunit",
               "Share of executions that completed over five minutes. Below 99%: look at failures by workflow.",
               steps=good),
        p.stat("Executions/min", f"sum({done}) * 60", "short", "Executions finished per minute."),
        p.stat("Active", f"sum({selector(sc.EXECUTIONS_ACTIVE, **W)})", "short", "Executions running now."),
        p.stat("Waiting", f"sum({selector(sc.EXECUTIONS_PENDING, **W)})", "short",
               "Executions waiting for a worker. Growing: add workers, or find what slows the agents.",
               steps=((p.GREEN, None), (p.YELLOW, 4), (p.RED, 8))),
        p.stat("Tokens/min", f"sum({rate(sc.TOKENS, '5m')}) * 60", "short",
               "Tokens read and written per minute, by all workflows."),
        p.stat("Cost/h", f"sum({rate(sc.COST, '5m')}) * 3600", "currencyUSD",
               "Cost per hour at the present rate, of all workflows."),
    ]  # fmt: skip


def _executions() -> list[Any]:
    return [
        p.timeseries("Executions per second by outcome", [(by("sum", (sc.STATUS,), rate(sc.WORKFLOWS, WINDOW, **W)), "{{status}}")],
                     "ops", "Finished executions, by status.", stacked=True),
        p.timeseries("Failed share by workflow", [(failed_share(sc.WORKFLOWS, WORKFLOW, WINDOW, **W), "{{workflow_id}}")],
                     "percentunit", "Above 20% for two minutes the alert AWFWorkflowFailures fires.",
                     steps=(("transparent", None), (p.RED, 0.2))),
        p.timeseries("Active and waiting",
                     [(f"sum({selector(sc.EXECUTIONS_ACTIVE, **W)})", "active"),
                      (f"sum({selector(sc.EXECUTIONS_PENDING, **W)})", "waiting"),
                      (f"sum({sc.WORKERS})", "workers")],
                     "short", "Waiting above twice the workers fires AWFWorkersSaturated."),
    ]  # fmt: skip


def _steps() -> list[Any]:
    slow = (("transparent", None), (p.RED, 10_000))
    return [
        p.timeseries("Step duration, p95", [(quantile(0.95, STEP, WINDOW, **W), "{{workflow_id}} / {{step_id}}")],
                     "ms", "Above 10 s the alert AWFStepSlow fires. Exemplars lead to the trace.", steps=slow),
        p.timeseries("Step duration, all steps",
                     [(quantile(q, (), WINDOW, **W), f"p{round(q * 100)}") for q in (0.5, 0.95, 0.99)],
                     "ms", "Median, 95th and 99th percentile over all steps shown."),
        p.timeseries("Retries and fallbacks per second",
                     [(by("sum", (sc.STEP_ID,), rate(sc.RETRIES, WINDOW)), "retry {{step_id}}"),
                      (by("sum", (sc.STEP_ID,), rate(sc.FALLBACKS, WINDOW)), "fallback {{step_id}}")],
                     "ops", "Of all workflows. Retries hide failures and cost time; fallbacks mean that the primary agent "
                     "is not used."),
    ]  # fmt: skip


def _cost() -> list[Any]:
    return [
        p.timeseries("Tokens per second by direction", [(by("sum", (sc.DIRECTION,), rate(sc.TOKENS, WINDOW)), "{{direction}}")],
                     "short", "Of all workflows: tokens are counted by agent.", stacked=True),
        p.timeseries("Tokens per second by model", [(by("sum", (sc.MODEL,), rate(sc.TOKENS, WINDOW)), "{{model}}")],
                     "short", "Of all workflows: tokens are counted by agent.", stacked=True),
        p.timeseries("Cost per hour by provider", [(f"{by('sum', (sc.PROVIDER,), rate(sc.COST, WINDOW))} * 3600", "{{provider}}")],
                     "currencyUSD", "Of all workflows, in US dollars at the present rate.", stacked=True),
    ]  # fmt: skip


def _pipeline() -> list[Any]:
    more = p.link_to("AWF Pipeline", "awf-pipeline")
    zero = f"max({sc.SPOOL_LIMIT_BYTES}) * 0"  # the truth only where something reports
    lost = gained(sc.EVENTS_DROPPED, (), "1h", **{sc.REASON: any_of(sc.LOST_ON_EXPORT)})
    return [
        p.stat("Events in", f"sum({rate(sc.EVENTS, '5m')})", "eps", "Events that all engines emit per second.", link=more),
        p.stat("Acknowledged", f"sum({rate(sc.EXPORTED_EVENTS, '5m')}) or {zero}", "eps",
               "Events per second that the collector has taken. Well below Events in: open AWF Pipeline.", link=more),
        p.stat("Oldest event", f"max({sc.SPOOL_OLDEST_AGE})", "s",
               "How long the oldest event waits for the collector. What these panels show is older by that much.",
               steps=((p.GREEN, None), (p.YELLOW, 30.0), (p.RED, 120.0)), link=more),
        p.stat("Lost in 1 h", f"{lost} or {zero}", "short",
               "Events that never reach the collector. Not zero: open AWF Pipeline for the reason.",
               steps=((p.GREEN, None), (p.RED, 1.0)), link=more),
    ]  # fmt: skip


SPEC = DashboardSpec(name="awf_overview", title="AWF Overview", build=build)
