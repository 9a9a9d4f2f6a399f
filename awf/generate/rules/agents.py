"""Alerts about agents and the steps they serve."""

from __future__ import annotations

from awf.core import semconv as sc
from awf.generate import thresholds as t
from awf.generate.expr import by, quantile, rate
from awf.generate.spec import AlertRule, PanelLink, RuleGroup

AGENT = (sc.AGENT_ID,)
FAILED = by("sum", AGENT, rate(sc.AGENT_INVOCATIONS, "1m", status=sc.FAILED))
ALL = by("sum", AGENT, rate(sc.AGENT_INVOCATIONS, "1m"))
# Three failures in the window at least: one failed call of a rarely used agent is not an outage.
ENOUGH = by("sum", AGENT, f'increase({sc.AGENT_INVOCATIONS}{{status="{sc.FAILED}"}}[1m])') + " >= 3"
INVOCATIONS = by("sum", AGENT, rate(sc.AGENT_INVOCATIONS, "5m"))
RETRIED = by("sum", AGENT, rate(sc.RETRIES, "5m"))
STEPS = by("sum", (sc.STEP_ID,), rate(f"{sc.STEP_DURATION}_count", "5m"))
FELL_BACK = by("sum", (sc.STEP_ID,), rate(sc.FALLBACKS, "5m"))

SPEC = RuleGroup(
    name="agents",
    interval="5s",
    alerts=(
        AlertRule(
            alert="AWFAgentErrors",
            expr=f"{FAILED} / {ALL} > {t.AGENT_FAILED_SHARE} and {ENOUGH}",
            hold="10s",
            severity="critical",
            summary="Agent {{ $labels.agent_id }} fails {{ $value | humanizePercentage }} of its invocations",
            description="More than 30% of the invocations of this agent failed over the last minute. "
            "Its steps retry, then fall back: they get slow and cost more before they fail.",
            shown_by=PanelLink("awf-agent-fleet", "Failed share by agent"),
        ),
        AlertRule(
            alert="AWFStepSlow",
            expr=f"{quantile(0.95, (sc.WORKFLOW_ID, sc.STEP_ID), '2m')} > {t.STEP_SLOW_MS:.0f}",
            hold="15s",
            severity="warning",
            summary="Step {{ $labels.step_id }} of {{ $labels.workflow_id }} takes "
            "{{ $value | humanize }} ms (p95)",
            description="The 95th percentile of this step's duration is above 10 s. A stalled agent, "
            "retries or a slow provider are the usual causes.",
            shown_by=PanelLink("awf-overview", "Step duration, p95"),
        ),
        AlertRule(
            alert="AWFRetryStorm",
            expr=f"{RETRIED} / {INVOCATIONS} > {t.RETRIED_SHARE} and {by('sum', AGENT, f'increase({sc.RETRIES}[5m])')} >= 10",
            hold="1m",
            severity="warning",
            summary="{{ $value | humanizePercentage }} of the invocations of agent {{ $labels.agent_id }} are tried again",
            description="More than 40% of this agent's invocations over five minutes were followed by a retry. Retries "
            "hide the trouble from users and multiply its load and its cost.",
            shown_by=PanelLink("awf-agent-fleet", "Retries per second by agent"),
        ),
        AlertRule(
            alert="AWFFallbackSurge",
            expr=f"{FELL_BACK} / {STEPS} > {t.FALLBACK_SHARE} and {by('sum', (sc.STEP_ID,), f'increase({sc.FALLBACKS}[5m])')} >= 5",
            hold="1m",
            severity="warning",
            summary="Step {{ $labels.step_id }} falls back in {{ $value | humanizePercentage }} of its runs",
            description="The agent that should do this step fails and another one stands in for it: results may be "
            "worse, dearer or slower, and there is nothing left to fall back to.",
            shown_by=PanelLink("awf-overview", "Retries and fallbacks per second"),
        ),
    ),
)
