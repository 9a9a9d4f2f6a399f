"""Alerts about agents and the steps they serve."""

from __future__ import annotations

from awf.core import semconv as sc
from awf.generate import thresholds as t
from awf.generate.expr import by, quantile, rate
from awf.generate.spec import AlertRule, RuleGroup

AGENT = (sc.AGENT_ID,)
FAILED = by("sum", AGENT, rate(sc.AGENT_INVOCATIONS, "1m", status=sc.FAILED))
ALL = by("sum", AGENT, rate(sc.AGENT_INVOCATIONS, "1m"))
# Three failures in the window at least: one failed call of a rarely used agent is not an outage.
ENOUGH = by("sum", AGENT, f'increase({sc.AGENT_INVOCATIONS}{{status="{sc.FAILED}"}}[1m])') + " >= 3"
TOKENS_NOW = by("sum", AGENT, rate(sc.TOKENS, "5m"))
TOKENS_BEFORE = by("sum", AGENT, f"rate({sc.TOKENS}[1h] offset 10m)")
# A rate over an hour that has only minutes of samples is too small: the agent must be older than that.
OLD_ENOUGH = by("sum", AGENT, f"{sc.TOKENS} offset 70m") + " > 0"

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
        ),
        AlertRule(
            alert="AWFTokenSurge",
            expr=f"{TOKENS_NOW} > 3 * {TOKENS_BEFORE} and {TOKENS_NOW} > 10 and {OLD_ENOUGH}",
            hold="2m",
            severity="warning",
            summary="Agent {{ $labels.agent_id }} uses {{ $value | humanize }} tokens a second, "
            "over three times its usual rate",
            description="Token use is over three times that of the hour before. Look for a loop, "
            "a longer prompt or an unusual input.",
        ),
    ),
)
