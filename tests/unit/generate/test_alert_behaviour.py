"""When the generated alerts fire and when they do not, as Prometheus' own rule tester sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from awf.generate.output import rule_groups
from tests.unit.generate._promtool import Case, case, check

AGENT = 'agent_id="writer"'
SURGE = {"severity": "warning", "agent_id": "writer"}
ERRORS = {"severity": "critical", "agent_id": "writer"}
STEP = {"severity": "warning", "step_id": "draft"}
RESEARCH = {"workflow_id": "research"}
PIPELINE = {"component": "pipeline"}
WATCHER = {"component": "watcher"}
QUEUE = {"severity": "warning", "component": "pipeline", "component_id": "otelcol.exporter.otlphttp.mimir"}
METRICS = 'component_id="otelcol.exporter.otlphttp.mimir",job="alloy"'


def _tokens(*values: str) -> dict[str, str]:
    return {f"awf_tokens_total{{{AGENT}}}": " ".join(values)}


def _invocations(completed: str, failed: str) -> dict[str, str]:
    name = f"awf_agent_invocations_total{{{AGENT}"
    return {f'{name},status="completed"}}': completed, f'{name},status="failed"}}': failed}


def _executions(completed: str, failed: str) -> dict[str, str]:
    name = 'awf_workflow_total{workflow_id="research"'
    return {f'{name},status="completed"}}': completed, f'{name},status="failed"}}': failed}


def _durations(quick: str, slow: str) -> dict[str, str]:
    """Return the buckets of a step of which some runs take 5 s at most and some up to 30 s."""
    name = 'awf_step_duration_ms_bucket{workflow_id="research",step_id="draft"'
    return {f'{name},le="5000"}}': quick, f'{name},le="30000"}}': slow, f'{name},le="+Inf"}}': slow}


def _retries(retries: str, invocations: str) -> dict[str, str]:
    return {f'awf_retry_total{{{AGENT},step_id="draft"}}': retries} | _invocations(invocations, "0x100")


def _fallbacks(fallbacks: str, runs: str) -> dict[str, str]:
    runs_of = 'awf_step_duration_ms_count{workflow_id="research",step_id="draft"}'
    return {'awf_fallback_total{step_id="draft"}': fallbacks, runs_of: runs}


def _queue(size: str, sent: str = "") -> dict[str, str]:
    found = {
        f'otelcol_exporter_queue_size{{{METRICS},data_type="metrics"}}': size,
        f'otelcol_exporter_queue_capacity{{{METRICS},data_type="metrics"}}': "100x200",
    }
    return found | ({f"otelcol_exporter_sent_metric_points_total{{{METRICS}}}": sent} if sent else {})


def _watcher(*stages: tuple[str, str]) -> dict[str, str]:
    return {f'awf_watcher_failures_total{{stage="{stage}"}}': texts for stage, texts in stages}


def _nightly(counter: str, per_2m: float, later: float) -> dict[str, str]:
    """Return a counter of an agent that works for three hours, and a week later for three hours again."""
    there = 91 * per_2m
    texts = f"0x360 0+{per_2m}x90 {there}x4950 {there}+{later}x90"
    return {f"{counter}{{{AGENT}}}": texts}


WEEKS: dict[str, Case] = {
    "a job of every week is no surge, though the hour before was quiet": case(
        "AWFTokenSurge", "7d12h30m", _nightly("awf_tokens_total", 12000, 12000), False, SURGE, "2m"
    ),
    "four times the tokens of last week are one, for as long as it lasts": case(
        "AWFTokenSurge", "7d14h", _nightly("awf_tokens_total", 12000, 48000), True, SURGE, "2m"
    ),
    "the same cost as last week is none": case(
        "AWFCostSurge", "7d14h", _nightly("awf_cost_usd_total", 0.5, 0.5), False, SURGE, "2m"
    ),
    "four times the cost of last week is one": case(
        "AWFCostSurge", "7d14h", _nightly("awf_cost_usd_total", 0.5, 2), True, SURGE, "2m"
    ),
}
CASES: dict[str, Case] = {
    "a new agent at a steady rate is no surge": case(
        "AWFTokenSurge", "14m", _tokens("0+1500x400"), False, SURGE
    ),
    "four times the rate of the hour before is one": case(
        "AWFTokenSurge", "108m", _tokens("0+1500x400", "606000+6000x60"), True, SURGE
    ),
    "few tokens are none, however many more": case(
        "AWFTokenSurge", "108m", _tokens("0+1x400", "401+100x60"), False, SURGE
    ),
    "a counter that begins anew is no surge": case(
        "AWFTokenSurge", "108m", _tokens("0+1500x400", "0+1500x60"), False, SURGE
    ),
    "no tokens are none": case("AWFTokenSurge", "108m", _tokens("9x500"), False, SURGE),
    "four times the cost of the hour before is a surge": case(
        "AWFCostSurge", "115m", {f"awf_cost_usd_total{{{AGENT}}}": "0+0.01x400 4.01+0.06x80"}, True, SURGE
    ),
    "cents are none": case(
        "AWFCostSurge", "115m", {f"awf_cost_usd_total{{{AGENT}}}": "0+0.0001x400 0.04+0.002x80"}, False, SURGE
    ),
    "a steady cost is none": case(
        "AWFCostSurge", "115m", {f"awf_cost_usd_total{{{AGENT}}}": "0+0.1x480"}, False, SURGE
    ),
    "half of the calls failing is an alert": case(
        "AWFAgentErrors", "5m", _invocations("0+1x40", "0+1x40"), True, ERRORS
    ),
    "one failed call of a rarely used agent is none": case(
        "AWFAgentErrors", "5m", _invocations("0x40", "0x18 1x22"), False, ERRORS
    ),
    "a tenth of the calls failing is none": case(
        "AWFAgentErrors", "5m", _invocations("0+9x40", "0+1x40"), False, ERRORS
    ),
    "an agent nobody calls is none": case("AWFAgentErrors", "5m", _invocations("9x40", "9x40"), False, ERRORS),
    "an agent's restart is none": case(
        "AWFAgentErrors", "5m", _invocations("0+9x18 0+9x20", "5x18 0x20"), False, ERRORS
    ),
    "one bad minute of an agent is over after it": case(
        "AWFAgentErrors", "7m30s", _invocations("0+9x16 144x4 144+9x20", "0x16 1+4x4 17x20"), False, ERRORS
    ),
    "a step that takes half a minute is slow": case(
        "AWFStepSlow", "5m", _durations("0+1x40", "0+2x40"), True, STEP | RESEARCH
    ),
    "a step that takes seconds is not": case(
        "AWFStepSlow", "5m", _durations("0+2x40", "0+2x40"), False, STEP | RESEARCH
    ),
    "a step that does not run is not": case("AWFStepSlow", "5m", _durations("5x40", "50x40"), False, STEP | RESEARCH),
    "every second call a retry is a storm": case(
        "AWFRetryStorm", "10m", _retries("0+1x60", "0+2x60"), True, SURGE
    ),
    "every tenth is none": case("AWFRetryStorm", "10m", _retries("0+1x60", "0+10x60"), False, SURGE),
    "a few retries of a rarely used agent are none": case(
        "AWFRetryStorm", "10m", _retries("0x25 0+1x5 5x40", "0x25 0+1x5 5x40"), False, SURGE
    ),
    "an agent at rest has no storm": case("AWFRetryStorm", "10m", _retries("90x60", "100x60"), False, SURGE),
    "every second run with the fallback is a surge": case(
        "AWFFallbackSurge", "10m", _fallbacks("0+1x60", "0+2x60"), True, STEP
    ),
    "every tenth run with it is none": case("AWFFallbackSurge", "10m", _fallbacks("0+1x60", "0+10x60"), False, STEP),
    "a step that does not run has none": case("AWFFallbackSurge", "10m", _fallbacks("9x60", "9x60"), False, STEP),
    "half of the executions failing is an alert": case(
        "AWFWorkflowFailures", "5m", _executions("0+1x40", "0+1x40"), True, {"severity": "critical"} | RESEARCH
    ),
    "two failed executions are none": case(
        "AWFWorkflowFailures", "5m", _executions("0x40", "0x14 1x2 2x24"), False, {}
    ),
    "a workflow that does not run is none": case("AWFWorkflowFailures", "5m", _executions("7x40", "7x40"), False, {}),
    "an execution that runs for two hours is stuck": case(
        "AWFExecutionStuck", "10m", {'awf_execution_oldest_age_seconds{workflow_id="research",instance="a"}': "6900+15x60"},
        True, {"severity": "warning"} | RESEARCH,
    ),
    "one that runs for half an hour is not": case(
        "AWFExecutionStuck", "10m", {'awf_execution_oldest_age_seconds{workflow_id="research"}': "1200+15x60"}, False, {}
    ),
    "five minutes of silence after events are an alert": case(
        "AWFTelemetryAbsent", "20m", {"awf_events_total": "0+1x40 _x80"}, True, {"severity": "critical"} | PIPELINE
    ),
    "a system that never ran is not silent": case(
        "AWFTelemetryAbsent", "30m", {"up": "1x200"}, False, {"severity": "critical"}
    ),
    "a system without traffic is not silent": case(
        "AWFTelemetryAbsent", "30m", {"awf_events_total": "7x200"}, False, {"severity": "critical"}
    ),
    "more than twice as many waiting as workers is an alert": case(
        "AWFWorkersSaturated", "5m", {"awf_executions_pending": "9x40", "awf_workers": "4x40"}, True,
        {"severity": "warning"},
    ),
    "as many waiting as workers is none": case(
        "AWFWorkersSaturated", "5m", {"awf_executions_pending": "4x40", "awf_workers": "4x40"}, False, {}
    ),
    # -- the stack
    "a store that does not answer is down": case(
        "AWFComponentDown", "5m", {'up{job="loki",instance="loki:3100"}': "1x10 0x30"}, True,
        {"severity": "critical", "job": "loki", "instance": "loki:3100"} | PIPELINE,
    ),
    "one scrape that fails is not": case(
        "AWFComponentDown", "5m", {'up{job="loki",instance="loki:3100"}': "1x17 0x0 1x30"}, False, {}
    ),
    "another system's target is not ours": case("AWFComponentDown", "5m", {'up{job="printer"}': "0x40"}, False, {}),
    "the first item that a store refused for good is lost": case(
        "AWFCollectorLosesData", "6m",
        {f'otelcol_exporter_send_failed_log_records_total{{{METRICS},error_permanent="true"}}': "_x20 3x20"}, True,
        QUEUE | {"severity": "critical"},
    ),
    "an item without room in the queue is lost": case(
        "AWFCollectorLosesData", "6m", {f"otelcol_exporter_enqueue_failed_spans_total{{{METRICS}}}": "0x20 3x20"}, True,
        QUEUE | {"severity": "critical"},
    ),
    "an old loss is none": case(
        "AWFCollectorLosesData", "16m", {f"otelcol_exporter_send_failed_spans_total{{{METRICS}}}": "_x5 3x80"}, False, {}
    ),
    "Alloy's restart is no loss": case(
        "AWFCollectorLosesData", "16m", {f"otelcol_exporter_send_failed_spans_total{{{METRICS}}}": "3x50 0x30"}, False, {}
    ),
    "a queue with nine tenths of its room used is nearly full": case(
        "AWFCollectorQueueFull", "5m", _queue("90x40"), True, QUEUE | {"data_type": "metrics"}
    ),
    "one with half of it is not": case("AWFCollectorQueueFull", "5m", _queue("50x40"), False, {}),
    "a queue that nothing leaves stands still": case(
        "AWFCollectorQueueStalled", "20m", _queue("5x100", "7x100"), True,
        QUEUE | {"severity": "critical", "data_type": "metrics"},
    ),
    "one to a store that never took anything too": case(
        "AWFCollectorQueueStalled", "20m", _queue("5x100"), True, QUEUE | {"severity": "critical", "data_type": "metrics"}
    ),
    "one that drains does not": case("AWFCollectorQueueStalled", "20m", _queue("5x100", "0+1x100"), False, {}),
    "an empty one does not": case("AWFCollectorQueueStalled", "20m", _queue("0x100", "7x100"), False, {}),
    "telemetry turned away for minutes is an alert": case(
        "AWFCollectorRefuses", "15m",
        {'otelcol_receiver_refused_spans_total{component_id="otelcol.receiver.otlp.default",job="alloy"}': "0+1x80"}, True,
        QUEUE | {"component_id": "otelcol.receiver.otlp.default"},
    ),
    "a receiver that refuses nothing is none": case(
        "AWFCollectorRefuses", "15m",
        {'otelcol_receiver_refused_spans_total{component_id="otelcol.receiver.otlp.default",job="alloy"}': "9x80"}, False, {},
    ),
    # -- the watcher
    "three failed queries in ten minutes are an alert": case(
        "AWFWatcherFailing", "11m", _watcher(("querying", "0x20 1x5 2x5 3x30")), True,
        {"severity": "critical", "stage": "querying"} | WATCHER,
    ),
    "one is none": case("AWFWatcherFailing", "11m", _watcher(("querying", "0x20 1x40")), False, {}),
    "one page that reaches nobody is one": case(
        "AWFWatcherFailing", "11m", _watcher(("notifying", "0x20 1x40")), True,
        {"severity": "critical", "stage": "notifying"} | WATCHER,
    ),
    "a watcher that failed long ago does not": case("AWFWatcherFailing", "31m", _watcher(("querying", "9x150")), False, {}),
    "an approval with five minutes left is an alert": case(
        "AWFApprovalExpiring", "5m",
        {"awf_watcher_approval_expires_seconds": "600-15x30", "awf_watcher_approvals_pending": "1x30"}, True,
        {"severity": "warning"} | WATCHER,
    ),
    "one with half an hour left is none": case(
        "AWFApprovalExpiring", "5m",
        {"awf_watcher_approval_expires_seconds": "2400-15x30", "awf_watcher_approvals_pending": "1x30"}, False, {},
    ),
    "one that was answered is none": case(
        "AWFApprovalExpiring", "5m",
        {"awf_watcher_approval_expires_seconds": "300-15x15 _x20", "awf_watcher_approvals_pending": "1x15 0x20"}, False, {},
    ),
}  # fmt: skip


GROUPS = {rule.alert: group.name for group in rule_groups().values() for rule in group.alerts}


@pytest.mark.promtool
@pytest.mark.parametrize("group", ["agents", "costs", "stack", "watcher", "workflows"])
def test_alerts_fire_when_they_should(group: str, tmp_path: Path) -> None:
    own = {
        name: each for name, each in CASES.items() if GROUPS[each["alert_rule_test"][0]["alertname"]] == group
    }
    check(own, tmp_path, only=(group,))


@pytest.mark.promtool
def test_last_week_is_the_measure_where_there_is_one(tmp_path: Path) -> None:
    check(WEEKS, tmp_path, only=("costs",), step="30m")
