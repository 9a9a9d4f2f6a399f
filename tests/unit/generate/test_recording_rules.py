"""What the indicators that are recorded for dashboards say, under Prometheus' own rule tester."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.generate._promtool import Case, check, values

RESEARCH = '{workflow_id="research"}'
WRITER = '{agent_id="writer"}'
DRAFT = '{step_id="draft",workflow_id="research"}'
SUCCESS, LATENCY = "awf:workflow_success_rate:ratio_rate5m", "awf:step_latency_p99:5m"


def rounded(name: str, digits: float = 0.001) -> str:
    return f"round({name}, {digits})"


def executions(**counts: str) -> dict[str, str]:
    return {
        f'awf_workflow_total{{workflow_id="research",status="{name}"}}': texts
        for name, texts in counts.items()
    }


def durations(*buckets: tuple[str, str]) -> dict[str, str]:
    name = 'awf_step_duration_ms_bucket{workflow_id="research",step_id="draft"'
    return {f'{name},le="{bound}"}}': texts for bound, texts in buckets}


def agent(name: str, texts: str, **labels: str) -> dict[str, str]:
    inner = "".join(f',{key}="{value}"' for key, value in labels.items())
    return {f'{name}{{agent_id="writer"{inner}}}': texts}


CASES: dict[str, Case] = {
    "shares and rates of a workflow with failures": values(
        executions(completed="0+3x80", failed="0+1x80"),
        (rounded(SUCCESS), "15m", {RESEARCH: 0.75}),
        (rounded("workflow:awf_executions:rate5m"), "15m", {RESEARCH: 0.267}),
        (rounded("workflow:awf_executions_failed:ratio_rate5m"), "15m", {RESEARCH: 0.25}),
    ),
    "a workflow without a failure succeeds": values(
        executions(completed="0+3x80"), (SUCCESS, "15m", {f"{SUCCESS}{RESEARCH}": 1}),
        (rounded("workflow:awf_executions_failed:ratio_rate5m"), "15m", {RESEARCH: 0}),
    ),
    "one that only fails does not": values(
        executions(failed="0+3x80"), (SUCCESS, "15m", {f"{SUCCESS}{RESEARCH}": 0})
    ),
    "a cancelled execution is neither": values(
        executions(completed="0+1x80", cancelled="0+9x80"), (SUCCESS, "15m", {f"{SUCCESS}{RESEARCH}": 1})
    ),
    "no traffic is neither success nor failure": values(
        executions(completed="9x80", failed="9x80") | durations(("5000", "5x80"), ("+Inf", "5x80"))
        | agent("awf_agent_invocations_total", "9x80", status="failed"),
        (SUCCESS, "15m", {}), (LATENCY, "15m", {}), ("step:awf_step_duration_ms:p95_5m", "15m", {}),
        ("workflow:awf_executions_failed:ratio_rate5m", "15m", {}),
        ("agent:awf_invocations_failed:ratio_rate5m", "15m", {}),
    ),
    "a counter that begins anew changes no share": values(
        executions(completed="0+3x30 0+3x50", failed="0+1x30 0+1x50"), (rounded(SUCCESS), "10m", {RESEARCH: 0.75})
    ),
    "the first failure does not make the rest disappear": values(
        executions(completed="0+1x80", failed="_x40 0+1x40"), (rounded(SUCCESS), "15m", {RESEARCH: 0.5}),
        (rounded(SUCCESS), "9m", {RESEARCH: 1}),
    ),
    "a bad minute shows for five": values(
        executions(completed="0+4x20 80x4 80+4x60", failed="0x20 0+4x4 16x60"), (rounded(SUCCESS), "8m", {RESEARCH: 0.778}),
        (rounded(SUCCESS), "14m", {RESEARCH: 1}),
    ),
    "the percentiles of a step": values(
        durations(("5000", "0+96x80"), ("10000", "0+100x80"), ("+Inf", "0+100x80")),
        (rounded(LATENCY, 1), "15m", {DRAFT: 8750}),
        (rounded("step:awf_step_duration_ms:p95_5m", 1), "15m", {DRAFT: 4948}),
    ),
    "rates of an agent": values(
        agent("awf_agent_invocations_total", "0+3x80", status="completed")
        | agent("awf_agent_invocations_total", "0+1x80", status="failed")
        | agent("awf_tokens_total", "0+150x80", direction="input") | agent("awf_tokens_total", "0+150x80", direction="output")
        | agent("awf_cost_usd_total", "0+0.15x80", provider="p"),
        (rounded("agent:awf_invocations:rate5m"), "15m", {WRITER: 0.267}),
        (rounded("agent:awf_invocations_failed:ratio_rate5m"), "15m", {WRITER: 0.25}),
        (rounded("agent:awf_tokens:rate5m"), "15m", {WRITER: 20}),
        (rounded("agent:awf_cost_usd:rate5m"), "15m", {WRITER: 0.01}),
    ),
}  # fmt: skip


@pytest.mark.promtool
def test_indicators_are_what_they_should_be(tmp_path: Path) -> None:
    check(CASES, tmp_path, only=("workflow_slis",))
