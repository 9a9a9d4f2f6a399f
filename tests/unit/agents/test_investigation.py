"""Is the cause found? Faults as telemetry shows them, and what the watcher makes of them."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from awf.agents.investigation import Budget, Investigator
from awf.core import semconv as sc
from awf.core.incidents import CauseClass, Hypothesis
from awf.core.ports import Series
from awf.testing import FakeClock, FakeTelemetry, counter
from tests.unit.agents._system import (
    BEGIN,
    FAULT_AT,
    NOW,
    agent_works,
    alert,
    failing_writer,
    failures,
    healthy,
    queue,
    step_works,
)


def telemetry() -> FakeTelemetry:
    return FakeTelemetry(FakeClock(NOW))


async def best(found: FakeTelemetry, *alerts: Any) -> Hypothesis:
    result = await Investigator(found, found.clock).investigate(alerts)
    return result.hypotheses[0]


def stalled_checker(found: FakeTelemetry) -> None:
    healthy(found, except_agents=("checker",))
    agent_works(found, "checker", "google", (BEGIN, 0.5, 0.0), (FAULT_AT, 0.4, 1.0))
    step_works(found, "research", "check", "checker", (BEGIN, 0.5, 400.0), (FAULT_AT, 0.0, 0.0))
    step_works(found, "research", "check", "local", (FAULT_AT, 0.4, 3600.0))
    failures(found, "research", "check", "checker", "timeout", provider="google")


def limited_openai(found: FakeTelemetry) -> None:
    healthy(found, except_agents=("classifier", "planner"))
    for agent, step in (("classifier", "classify"), ("planner", "plan")):
        agent_works(found, agent, "openai", (BEGIN, 0.5, 0.0), (FAULT_AT, 1.0, 1.0))
        step_works(found, "triage", step, agent, (BEGIN, 0.5, 300.0), (FAULT_AT, 0.5, 900.0))


async def test_a_failing_agent_is_named_with_its_step_and_its_numbers() -> None:
    found = telemetry()
    failing_writer(found)
    cause = await best(found, alert(agent_id="writer"))
    assert cause.cause is CauseClass.AGENT_ERROR
    assert (cause.target.workflow_id, cause.target.step_id, cause.target.agent_id) == (
        "research", "draft", "writer",
    )  # fmt: skip
    assert cause.score > 0.9
    statement = cause.evidence[0].statement
    assert "agent writer: 9" in statement
    assert "invocations failed since 11:59:1" in statement
    assert "0% of" in statement
    assert cause.evidence[0].query == "sum by (agent_id, status) (awf_agent_invocations_total)"
    assert any("upstream_error" in item.statement for item in cause.evidence)


async def test_an_agent_that_runs_into_its_timeout_is_slow_not_broken() -> None:
    found = telemetry()
    stalled_checker(found)
    queue(found)
    cause = await best(found, alert(agent_id="checker"))
    assert (cause.cause, cause.target.agent_id) == (CauseClass.AGENT_LATENCY, "checker")


async def test_a_rate_limit_is_the_providers_and_names_all_its_agents_steps() -> None:
    found = telemetry()
    limited_openai(found)
    queue(found)
    for agent, step in (("classifier", "classify"), ("planner", "plan")):
        failures(found, "triage", step, agent, "rate_limit", provider="openai")
    cause = await best(found, alert(agent_id="planner"))
    assert (cause.cause, cause.target.provider) == (CauseClass.RATE_LIMIT, "openai")
    assert {place.step_id for place in cause.affected} == {"classify", "plan"}


async def test_all_agents_of_one_provider_failing_is_an_outage() -> None:
    found = telemetry()
    limited_openai(found)
    queue(found)
    for agent, step in (("classifier", "classify"), ("planner", "plan")):
        failures(found, "triage", step, agent, "upstream_error", provider="openai")
    cause = await best(found, alert(agent_id="planner"))
    assert (cause.cause, cause.target.provider) == (CauseClass.PROVIDER_OUTAGE, "openai")


async def test_a_queue_with_more_arrivals_and_healthy_agents_is_a_lack_of_workers() -> None:
    found = telemetry()
    healthy(found)
    found.add(sc.WORKFLOWS, counter((BEGIN, 0.0), (FAULT_AT, 1.4)), workflow_id="triage", status="completed")
    queue(found, (BEGIN, 0.0), *[(FAULT_AT + timedelta(seconds=5 * n), 6.0 * n) for n in range(11)])
    cause = await best(found, alert("AWFWorkersSaturated", severity="warning"))
    assert cause.cause is CauseClass.WORKER_SATURATION
    assert "of 4 workers are busy" in cause.evidence[0].statement


async def test_a_queue_behind_a_stalled_agent_is_the_agents_fault() -> None:
    found = telemetry()
    stalled_checker(found)
    queue(found, (BEGIN, 0.0), (FAULT_AT, 6.0))
    ranked = (
        await Investigator(found, found.clock).investigate([alert("AWFWorkersSaturated", severity="warning")])
    ).hypotheses
    assert (ranked[0].cause, ranked[0].target.agent_id) == (CauseClass.AGENT_LATENCY, "checker")
    saturation = next(each for each in ranked if each.cause is CauseClass.WORKER_SATURATION)
    assert any("explained by" in doubt for doubt in saturation.against)


async def test_two_faults_at_once_each_alert_finds_its_own() -> None:
    found = telemetry()
    failing_writer(found)
    found = FakeTelemetry(
        found.clock,
        log_lines=found.log_lines,
        _series=[each for each in found._series if not each[0]["__name__"].startswith("awf_executions")],
    )
    found._series[:] = [each for each in found._series if each[0]["__name__"] != sc.WORKERS]
    queue(found, (BEGIN, 0.0), *[(FAULT_AT + timedelta(seconds=5 * n), 6.0 * n) for n in range(11)])
    assert (await best(found, alert(agent_id="writer"))).cause is CauseClass.AGENT_ERROR
    saturated = await best(found, alert("AWFWorkersSaturated", severity="warning"))
    assert saturated.cause is CauseClass.WORKER_SATURATION


async def test_a_slow_step_is_found_from_its_own_durations() -> None:
    found = telemetry()
    healthy(found, except_agents=("checker",))
    queue(found)
    agent_works(found, "checker", "google", (BEGIN, 0.5, 0.0))
    step_works(found, "research", "check", "checker", (BEGIN, 0.5, 400.0), (FAULT_AT, 0.4, 9000.0))
    slow = alert("AWFStepSlow", severity="warning", workflow_id="research", step_id="check")
    cause = await best(found, slow)
    assert cause.cause is CauseClass.AGENT_LATENCY
    assert (cause.target.step_id, cause.target.agent_id) == ("check", "checker")


async def test_a_failing_workflow_without_a_failing_agent_names_its_executions() -> None:
    found = telemetry()
    healthy(found)
    queue(found)
    found.add(sc.WORKFLOWS, counter((BEGIN, 0.0), (FAULT_AT, 0.5)), workflow_id="research", status="failed")
    found.add_log(
        "step fetch of workflow research failed: disk full", NOW - timedelta(seconds=5),
        service_name="awf", level="error", event_type="workflow.step.failed", workflow_id="research",
        step_id="fetch", agent_id="fetcher", execution_id="exe_9",
    )  # fmt: skip
    cause = await best(found, alert("AWFWorkflowFailures", workflow_id="research"))
    assert (cause.cause, cause.target.workflow_id) == (CauseClass.WORKFLOW_FAILURE, "research")
    assert cause.affected[0].execution_id == "exe_9"


async def test_a_failing_workflow_is_explained_by_its_failing_agent() -> None:
    found = telemetry()
    healthy(found, except_agents=("fetcher",))
    queue(found)
    agent_works(found, "fetcher", "", (BEGIN, 0.5, 0.0), (FAULT_AT, 1.5, 1.0))
    failures(found, "research", "fetch", "fetcher", "upstream_error")
    found.add(sc.WORKFLOWS, counter((BEGIN, 0.0), (FAULT_AT, 0.5)), workflow_id="research", status="failed")
    cause = await best(found, alert("AWFWorkflowFailures", workflow_id="research"))
    assert (cause.cause, cause.target.agent_id) == (CauseClass.AGENT_ERROR, "fetcher")


async def test_a_token_surge_without_more_calls_is_one() -> None:
    found = telemetry()
    healthy(found)
    queue(found)
    found.add(sc.TOKENS, counter((BEGIN, 0.0), (FAULT_AT, 900.0)), agent_id="writer")
    cause = await best(found, alert("AWFTokenSurge", severity="warning", agent_id="writer"))
    assert (cause.cause, cause.target.agent_id) == (CauseClass.TOKEN_SURGE, "writer")


async def test_engines_that_fell_silent_are_a_telemetry_gap() -> None:
    found = telemetry()
    ends = (NOW - timedelta(minutes=3)).timestamp()
    steady = counter((BEGIN, 10.0))
    found.add(sc.EVENTS, lambda at: steady(at) if at < ends else None, event_type="agent.completed")
    cause = await best(found, alert("AWFTelemetryAbsent"))
    assert cause.cause is CauseClass.TELEMETRY_GAP


async def test_missing_metrics_are_said_and_nothing_is_concluded_from_them() -> None:
    found = telemetry()
    found.down.add("metrics")
    result = await Investigator(found, found.clock).investigate([alert(agent_id="writer")])
    assert result.hypotheses[0].cause is CauseClass.UNKNOWN
    assert any(item.startswith("awf_agent_invocations_total: ") for item in result.not_looked_at)


async def test_without_logs_the_agent_is_named_with_less_certainty() -> None:
    found = telemetry()
    failing_writer(found)
    found.down.add("logs")
    cause = await best(found, alert(agent_id="writer"))
    assert (cause.cause, cause.target.agent_id) == (CauseClass.AGENT_ERROR, "writer")
    assert 0.5 < cause.score < 0.8
    assert "no log line says how agent writer fails" in cause.against


async def test_the_budget_of_queries_is_kept_and_the_rest_is_listed() -> None:
    found = telemetry()
    failing_writer(found)
    result = await Investigator(found, found.clock, budget=Budget(calls=5)).investigate(
        [alert(agent_id="writer")]
    )
    assert result.queries == len(found.queries) == 5
    assert any("budget of 5 queries" in item for item in result.not_looked_at)


async def test_a_backend_that_hangs_does_not_hold_the_investigation_up() -> None:
    class Hanging(FakeTelemetry):
        async def range(self, expr: str, *, start: datetime, end: datetime, step_s: int) -> list[Series]:
            await asyncio.Event().wait()
            raise AssertionError

    found = Hanging(FakeClock(NOW))
    async with asyncio.timeout(10):
        result = await Investigator(found, found.clock, budget=Budget(seconds=0.05)).investigate(
            [alert(agent_id="writer")]
        )
    assert any("no answer within" in item for item in result.not_looked_at)


async def test_a_failed_trace_and_new_log_lines_join_the_evidence() -> None:
    found = telemetry()
    failing_writer(found)
    found.found_traces.append({"traceID": "abc"})
    found.trace_bodies["abc"] = {
        "trace": {
            "resourceSpans": [{"scopeSpans": [{"spans": [
                {"spanId": "01", "name": "awf.step", "startTimeUnixNano": "0", "endTimeUnixNano": "90000000",
                 "status": {"code": "STATUS_CODE_ERROR"}},
                {"spanId": "02", "parentSpanId": "01", "name": "awf.agent.invoke", "startTimeUnixNano": "0",
                 "endTimeUnixNano": "80000000", "status": {"code": 2, "message": "502 bad gateway"},
                 "attributes": [{"key": "agent_id", "value": {"stringValue": "writer"}}]},
            ]}]}]
        }
    }  # fmt: skip
    cause = await best(found, alert(agent_id="writer"))
    traces = [item.statement for item in cause.evidence if item.signal == "traces"]
    assert traces == ["trace abc: awf.agent.invoke of agent writer failed after 80 ms: 502 bad gateway"]
    assert any("20 lines (0 before)" in item.statement for item in cause.evidence)


async def test_an_agent_name_cannot_break_out_of_a_query() -> None:
    found = telemetry()
    evil = 'x" } || { status = ok || span.a = "'
    agent_works(found, evil, "", (BEGIN, 0.5, 0.0), (FAULT_AT, 1.0, 1.0))
    cause = await best(found, alert(agent_id=evil))
    assert cause.target.agent_id == evil
    named = [query for query in found.queries if "x\\" in query]
    assert len(named) >= 2
    assert not any('x"' in query for query in found.queries)
