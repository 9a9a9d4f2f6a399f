"""Alerts about workflows, the workers that run them, and silence."""

from __future__ import annotations

from awf.core import semconv as sc
from awf.generate import thresholds as t
from awf.generate.expr import by, failed_share
from awf.generate.rules._about_awf import PipelineAlert
from awf.generate.spec import AlertRule, PanelLink, RuleGroup

WORKFLOW = (sc.WORKFLOW_ID,)

SPEC = RuleGroup(
    name="workflows",
    interval="5s",
    alerts=(
        AlertRule(
            alert="AWFWorkflowFailures",
            expr=f"{failed_share(sc.WORKFLOWS, WORKFLOW, '2m')} > {t.WORKFLOW_FAILED_SHARE} and "
            + by("sum", WORKFLOW, f'increase({sc.WORKFLOWS}{{status="{sc.FAILED}"}}[2m])')
            + " >= 3",
            hold="15s",
            severity="critical",
            summary="{{ $value | humanizePercentage }} of the executions of {{ $labels.workflow_id }} fail",
            description="More than 20% of this workflow's executions failed over the last two minutes.",
            shown_by=PanelLink("awf-overview", "Failed share by workflow"),
        ),
        AlertRule(
            alert="AWFWorkersSaturated",
            expr=f"sum({sc.EXECUTIONS_PENDING}) > {t.PENDING_PER_WORKER} * sum({sc.WORKERS})",
            hold="10s",
            severity="warning",
            summary="{{ $value | humanize }} executions wait for a worker",
            description="More than twice as many executions wait as there are workers. "
            "Either more arrive than usual, or each takes longer.",
            action="scale_workers",
            shown_by=PanelLink("awf-overview", "Active and waiting"),
        ),
        AlertRule(
            alert="AWFExecutionStuck",
            expr=f"{by('max', WORKFLOW, sc.EXECUTION_OLDEST_AGE)} > {t.EXECUTION_STUCK_S:.0f}",
            hold="1m",
            severity="warning",
            summary="An execution of {{ $labels.workflow_id }} runs for {{ $value | humanizeDuration }}",
            description="An execution has not ended for over an hour. It holds a worker, and whoever waits for it waits.",
            shown_by=PanelLink("awf-overview", "Longest running by workflow"),
        ),
        PipelineAlert(
            alert="AWFTelemetryAbsent",
            # Only when there was telemetry lately: a system that never ran is not broken.
            expr=f"absent_over_time({sc.EVENTS}[5m]) and on () count(last_over_time({sc.EVENTS}[1h])) > 0",
            hold="1m",
            severity="critical",
            summary="No telemetry from AWF for five minutes",
            description="Nothing reports events any more: the engines are down, or the way to the "
            "collector is. Every other alert is blind until this one clears.",
            shown_by=PanelLink("awf-pipeline", "Events in"),
            on_error="Alerting",  # a store that does not answer is silence too
        ),
    ),
)
