"""Service level indicators of workflows, steps and agents, precomputed for dashboards."""

from __future__ import annotations

from awf.core import semconv as sc
from awf.generate.expr import any_of, by, failed_share, quantile, rate
from awf.generate.spec import RecordingRule, RuleGroup

WORKFLOW = (sc.WORKFLOW_ID,)
AGENT = (sc.AGENT_ID,)
STEP = (sc.WORKFLOW_ID, sc.STEP_ID)
COMPLETED = by("sum", WORKFLOW, rate(sc.WORKFLOWS, "5m", status=sc.COMPLETED))
ENDED = by("sum", WORKFLOW, rate(sc.WORKFLOWS, "5m", status=any_of((sc.COMPLETED, sc.FAILED))))

SPEC = RuleGroup(
    name="workflow_slis",
    interval="15s",
    recording=(
        RecordingRule("workflow:awf_executions:rate5m", by("sum", WORKFLOW, rate(sc.WORKFLOWS, "5m"))),
        RecordingRule(
            "workflow:awf_executions_failed:ratio_rate5m", failed_share(sc.WORKFLOWS, WORKFLOW, "5m")
        ),
        RecordingRule("agent:awf_invocations:rate5m", by("sum", AGENT, rate(sc.AGENT_INVOCATIONS, "5m"))),
        RecordingRule(
            "agent:awf_invocations_failed:ratio_rate5m", failed_share(sc.AGENT_INVOCATIONS, AGENT, "5m")
        ),
        RecordingRule("step:awf_step_duration_ms:p95_5m", f"{quantile(0.95, STEP, '5m')} >= 0"),
        RecordingRule("agent:awf_tokens:rate5m", by("sum", AGENT, rate(sc.TOKENS, "5m"))),
        RecordingRule("agent:awf_cost_usd:rate5m", by("sum", AGENT, rate(sc.COST, "5m"))),
        # Of those that ended by themselves: a cancelled execution is neither a success nor a failure.
        RecordingRule(sc.WORKFLOW_SUCCESS_RATE, f"({COMPLETED} or {ENDED} * 0) / ({ENDED} > 0)"),
        RecordingRule(
            sc.STEP_LATENCY_P99, f"{quantile(0.99, STEP, '5m')} >= 0"
        ),  # NaN, where nothing ran, is not
    ),
)
