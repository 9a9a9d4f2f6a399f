"""Every telemetry name AWF writes or queries, spelled once.

Metric names are their Prometheus names: `awf_*` instruments carry no OpenTelemetry unit and say
`total` themselves, so the name is the same whether or not a backend adds unit and type suffixes.
"""

from __future__ import annotations

from typing import Final

GENAI_SEMCONV_VERSION: Final = "1.37.0"
SCHEMA_URL: Final = f"https://opentelemetry.io/schemas/{GENAI_SEMCONV_VERSION}"
SCOPE_NAME: Final = "awf"

# -- workflow metrics
STEP_DURATION: Final = "awf_step_duration_ms"
TOKENS: Final = "awf_tokens_total"
COST: Final = "awf_cost_usd_total"
WORKFLOWS: Final = "awf_workflow_total"
RETRIES: Final = "awf_retry_total"
FALLBACKS: Final = "awf_fallback_total"
EXECUTIONS_ACTIVE: Final = "awf_executions_active"
EXECUTIONS_PENDING: Final = "awf_executions_pending"
WORKERS: Final = "awf_workers"
EXECUTION_OLDEST_AGE: Final = "awf_execution_oldest_age_seconds"
AGENT_INVOCATIONS: Final = "awf_agent_invocations_total"
AGENT_TRUST_SCORE: Final = "awf_agent_trust_score"

# -- the pipeline about itself
EVENTS: Final = "awf_events_total"
EVENTS_DROPPED: Final = "awf_events_dropped_total"
EXPORTED_EVENTS: Final = "awf_export_events_total"
EXPORT_DURATION: Final = "awf_export_duration_ms"
EXPORT_RETRIES: Final = "awf_export_retries_total"
EXPORT_FAILURES: Final = "awf_export_failures_total"
SPOOL_EVENTS: Final = "awf_export_spool_events"
SPOOL_BYTES: Final = "awf_export_spool_bytes"
SPOOL_LIMIT_BYTES: Final = "awf_export_spool_limit_bytes"
SPOOL_OLDEST_AGE: Final = "awf_export_spool_oldest_age_seconds"
REDACTIONS: Final = "awf_export_redactions_total"
SECRETS_LOST: Final = "awf_export_secrets_lost_total"
TRUNCATIONS: Final = "awf_export_truncations_total"
SERIES_OVERFLOWS: Final = "awf_export_series_overflows_total"
WATCHER_ALERTS: Final = "awf_watcher_alerts_total"
WATCHER_INCIDENTS: Final = "awf_watcher_incidents_total"
WATCHER_ACTIONS: Final = "awf_watcher_actions_total"
WATCHER_APPROVALS_PENDING: Final = "awf_watcher_approvals_pending"
WATCHER_INVESTIGATION_MS: Final = "awf_watcher_investigation_duration_ms"
WATCHER_RECOVERY_MS: Final = "awf_watcher_recovery_duration_ms"
WATCHER_DETECTION_MS: Final = "awf_watcher_detection_duration_ms"
WATCHER_STAGE_MS: Final = "awf_watcher_stage_duration_ms"
WATCHER_FAILURES: Final = "awf_watcher_failures_total"
WATCHER_RECONCILED: Final = "awf_watcher_reconciled_alerts_total"
WATCHER_APPROVAL_EXPIRES: Final = "awf_watcher_approval_expires_seconds"

# -- service level objectives, recorded by generated rules; labelled by `slo` and what the indicator is about
SLO_ERRORS: Final = "awf:slo_errors:ratio_rate"  # and the window: 5m, 30m, 1h, 2h, 6h, 1d, 3d, 30d
SLO_TOTAL: Final = "awf:slo_total:increase5m"
SLO_BAD: Final = "awf:slo_bad:increase5m"
SLO_OBJECTIVE: Final = "awf:slo_objective:ratio"
ERROR_BUDGET_REMAINING: Final = "awf:error_budget_remaining:ratio"
WORKFLOW_SUCCESS_RATE: Final = "awf:workflow_success_rate:ratio_rate5m"
STEP_LATENCY_P99: Final = "awf:step_latency_p99:5m"

# -- the embedded store about itself
STORE_DROPPED_ROWS: Final = "awf_store_dropped_rows_total"
STORE_REFUSED_ROWS: Final = "awf_store_refused_rows_total"

# -- the embedded ruler about itself, and the two series that Prometheus writes for every alert
RULER_EVALUATIONS: Final = "awf_ruler_evaluations_total"
RULER_EVALUATION_FAILURES: Final = "awf_ruler_evaluation_failures_total"
RULER_EVALUATIONS_MISSED: Final = "awf_ruler_evaluations_missed_total"
RULER_NOTIFICATIONS: Final = "awf_ruler_notifications_total"
ALERTS: Final = "ALERTS"
ALERTS_FOR_STATE: Final = "ALERTS_FOR_STATE"

# Milliseconds; the SDK's default buckets stop at 10 s, an agent's step does not.
STEP_DURATION_BUCKETS_MS: Final = (
    5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0,
    10_000.0, 30_000.0, 60_000.0, 120_000.0, 300_000.0, 600_000.0,
)  # fmt: skip

# What the watcher times lies between a second and a day.
WATCHER_RECOVERY_BUCKETS_MS: Final = tuple(
    1000.0 * seconds
    for seconds in (5, 10, 15, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400)
)
HISTOGRAM_BUCKETS: Final[dict[str, tuple[float, ...]]] = {
    STEP_DURATION: STEP_DURATION_BUCKETS_MS,
    EXPORT_DURATION: STEP_DURATION_BUCKETS_MS,
    WATCHER_INVESTIGATION_MS: STEP_DURATION_BUCKETS_MS,
    WATCHER_RECOVERY_MS: WATCHER_RECOVERY_BUCKETS_MS,
    WATCHER_DETECTION_MS: WATCHER_RECOVERY_BUCKETS_MS,
    WATCHER_STAGE_MS: WATCHER_RECOVERY_BUCKETS_MS,
}
"""Our histograms with their buckets: each has series with the suffixes _bucket, _sum and _count."""

# -- labels, span attributes and structured metadata share their names
WORKFLOW_ID: Final = "workflow_id"
EXECUTION_ID: Final = "execution_id"
STEP_ID: Final = "step_id"
AGENT_ID: Final = "agent_id"
FRAMEWORK: Final = "framework"
STATUS: Final = "status"
DIRECTION: Final = "direction"
MODEL: Final = "model"
PROVIDER: Final = "provider"
ATTEMPT: Final = "attempt"
INPUT_TOKENS: Final = "input_tokens"
OUTPUT_TOKENS: Final = "output_tokens"
ERROR_TYPE: Final = "error_type"
EVENT_TYPE: Final = "event_type"
RETRY_COUNT: Final = "retry_count"
COST_USD: Final = "cost_usd"
FALLBACK_OF: Final = "fallback_of"
REASON: Final = "reason"
SIGNAL: Final = "signal"
KIND: Final = "kind"
METRIC: Final = "metric"
SLO: Final = "slo"
SUBJECT: Final = "subject"  # of an SLO's series: what it is about in one word, such as a workflow's id
STAGE: Final = "stage"
DECIDED_BY: Final = "decided_by"  # rules, llm or person

METRIC_LABELS: Final[dict[str, tuple[str, ...]]] = {
    STEP_DURATION: (WORKFLOW_ID, STEP_ID, AGENT_ID, FRAMEWORK, STATUS),
    TOKENS: (AGENT_ID, DIRECTION, MODEL),
    COST: (AGENT_ID, PROVIDER),
    WORKFLOWS: (WORKFLOW_ID, STATUS),
    RETRIES: (STEP_ID, AGENT_ID),
    FALLBACKS: (STEP_ID,),
    EXECUTIONS_ACTIVE: (WORKFLOW_ID,),
    EXECUTIONS_PENDING: (WORKFLOW_ID,),
    WORKERS: (),
    EXECUTION_OLDEST_AGE: (WORKFLOW_ID,),
    AGENT_INVOCATIONS: (AGENT_ID, FRAMEWORK, STATUS),
    AGENT_TRUST_SCORE: (AGENT_ID,),
    EVENTS: (EVENT_TYPE,),
    EVENTS_DROPPED: (REASON,),
    EXPORTED_EVENTS: (),
    EXPORT_DURATION: (SIGNAL,),
    EXPORT_RETRIES: (SIGNAL, REASON),
    EXPORT_FAILURES: (REASON,),
    SPOOL_EVENTS: (),
    SPOOL_BYTES: (),
    SPOOL_LIMIT_BYTES: (),
    SPOOL_OLDEST_AGE: (),
    REDACTIONS: (KIND,),
    SECRETS_LOST: (REASON,),
    TRUNCATIONS: (KIND,),
    SERIES_OVERFLOWS: (METRIC,),
    WATCHER_ALERTS: (STATUS,),
    WATCHER_INCIDENTS: (STATUS,),
    WATCHER_ACTIONS: ("action", "outcome", DECIDED_BY),
    WATCHER_APPROVALS_PENDING: (),
    WATCHER_INVESTIGATION_MS: (),
    WATCHER_RECOVERY_MS: (STATUS,),
    WATCHER_DETECTION_MS: (),
    WATCHER_STAGE_MS: (STAGE,),
    WATCHER_FAILURES: (STAGE,),
    WATCHER_RECONCILED: (KIND,),
    WATCHER_APPROVAL_EXPIRES: (),
    RULER_EVALUATIONS: ("group",),
    RULER_EVALUATION_FAILURES: ("group",),
    RULER_EVALUATIONS_MISSED: ("group",),
    RULER_NOTIFICATIONS: ("outcome",),
}
"""Labels of every metric we write. Resource attributes add `job` and `instance`."""

COMPLETED: Final = "completed"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
SKIPPED: Final = "skipped"
"""The values of `status`."""

WATCHER_STAGES: Final = (
    "receiving", "investigating", "querying", "held", "awaiting_approval", "acting", "verifying", "annotating",
    "notifying", "escalating", "sweeping", "polling",
)  # fmt: skip
"""Where the watcher can fail, the values of `stage`: the status an incident had, or what was tried."""

# -- reasons of lost events, by what they mean for the export path
REFUSED: Final = ("spool_full", "spool_failed")
GIVEN_UP: Final = ("expired", "corrupt")
REJECTED: Final = ("rejected",)
NOT_WRITTEN: Final = ("memory_full", "invalid")  # no spool and its queue full; not of a form to be written
NOT_TAKEN: Final = ("queue_full", "handler_failed")  # by a subscriber other than the exporter
LOST_ON_EXPORT: Final = (*REFUSED, *GIVEN_UP, *REJECTED, *NOT_WRITTEN)
"""Values of `reason` that mean that an event, or a part of it, never reaches the collector."""

# -- spans
SPAN_WORKFLOW: Final = "awf.workflow"
SPAN_STEP: Final = "awf.step"
SPAN_AGENT_INVOKE: Final = "awf.agent.invoke"
SPAN_INCIDENT: Final = "awf.incident"  # its children are named by it and a status: awf.incident.verifying

GENAI_OPERATION_NAME: Final = "gen_ai.operation.name"
GENAI_AGENT_ID: Final = "gen_ai.agent.id"
GENAI_AGENT_NAME: Final = "gen_ai.agent.name"
GENAI_PROVIDER_NAME: Final = "gen_ai.provider.name"
GENAI_REQUEST_MODEL: Final = "gen_ai.request.model"
GENAI_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
GENAI_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
GENAI_TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - no password
OTEL_ERROR_TYPE: Final = "error.type"

# -- attributes of a step that a bridge followed: the tools that were called in it
TOOL_CALLS: Final = "awf.tool.calls"
TOOL_ERRORS: Final = "awf.tool.errors"
TOOL_NAMES: Final = "awf.tool.names"

# -- GenAI metrics, with the units and buckets that the conventions advise
GENAI_TOKEN_USAGE: Final = "gen_ai.client.token.usage"  # noqa: S105 - no password
GENAI_OPERATION_DURATION: Final = "gen_ai.client.operation.duration"
GENAI_TOKEN_BUCKETS: Final = tuple(float(4**power) for power in range(14))
GENAI_DURATION_BUCKETS_S: Final = tuple(0.01 * 2**power for power in range(14))

# -- logs: index labels stay low-cardinality, the rest is structured metadata
SERVICE_NAME: Final = "service_name"
LEVEL: Final = "level"
LOG_INDEX_LABELS: Final = (SERVICE_NAME, "service_namespace", "deployment_environment_name", LEVEL)

# -- alert labels and annotations that the watcher reads
LABEL_SEVERITY: Final = "severity"
LABEL_COMPONENT: Final = "component"
PIPELINE: Final = "pipeline"  # the value of `component` for alerts about telemetry itself
WATCHER: Final = "watcher"  # and for those about the watcher itself
DOCTOR_ALERT: Final = "AWFDoctor"  # the name of `awf doctor`'s test notification; nothing is wrong
ANNOTATION_RUNBOOK: Final = "runbook_url"
ANNOTATION_ACTION: Final = "awf_action"
ACTION_ANNOTATIONS: Final = (ANNOTATION_ACTION, "lambda_function")
"""Annotations by which an alert may name an action. It is one more candidate, after those of the playbook."""
