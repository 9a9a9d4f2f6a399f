"""What an investigation hands to people: links, the order of onsets, what was ruled out, what was like it before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from awf.agents._explore_links import explore_link
from awf.agents.investigation import Budget, Investigator, Memory
from awf.core.incidents import ActionOutcome, Alert, CauseClass, IncidentStatus, Investigation
from awf.testing import FakeClock, FakeTelemetry
from tests.unit.agents._system import FAULT_AT, NOW, System, alert, engine, failing_writer, queue
from tests.unit.agents.test_causes import Orders
from tests.unit.agents.test_investigation import stalled_checker

SOON = NOW + timedelta(seconds=1)


async def investigate(found: FakeTelemetry, *alerts: Alert, **budget: int) -> Investigation:
    return await Investigator(found, found.clock, budget=Budget(**budget)).investigate(alerts)


def writer_fails() -> FakeTelemetry:
    found = FakeTelemetry(FakeClock(NOW))
    failing_writer(found)
    return found


async def test_every_query_opens_in_grafana() -> None:
    result = await investigate(writer_fails(), alert(agent_id="writer"))
    asked = [item for each in result.hypotheses for item in each.evidence if item.query]
    assert len(asked) >= 3
    assert all(item.link.startswith("http://grafana.invalid/explore?") for item in asked)


def test_an_explore_link_holds_query_datasource_and_window() -> None:
    uids = {"metrics": "m1", "logs": "l1", "traces": "t1"}
    link = explore_link("https://g.example/sub", uids, "logs", '{a="b&c"}', start=FAULT_AT, end=NOW)
    parts = urlsplit(link)
    assert (parts.netloc, parts.path) == ("g.example", "/sub/explore")
    query = parse_qs(parts.query)
    assert query["schemaVersion"] == ["1"]
    assert '"expr":"{a=\\"b&c\\"}"' in query["panes"][0]
    assert f'"from":"{int(FAULT_AT.timestamp() * 1000)}"' in query["panes"][0]
    assert explore_link("https://g", uids, "incidents", "x", start=FAULT_AT, end=NOW) == ""
    assert explore_link("https://g", uids, "logs", "x" * 5000, start=FAULT_AT, end=NOW) == ""


async def test_what_is_not_the_cause_is_said_with_the_numbers() -> None:
    said = (await investigate(writer_fails(), alert(agent_id="writer"))).ruled_out
    assert "rate_limit: 0 of the 20 newest failures are a refusal by rate" in said
    assert "worker_saturation: 0 executions wait for 4 workers" in said
    assert "bad_input: no step failed for good: another attempt or another agent could do it" in said
    assert "config_change: no change is known shortly before" in said
    assert not any(each.startswith("agent_error") for each in said)


async def test_of_a_signal_that_was_not_seen_nothing_is_ruled_out() -> None:
    found = writer_fails()
    found.down |= {"logs", "annotations"}
    result = await investigate(found, alert(agent_id="writer"))
    causes = {each.partition(":")[0] for each in result.ruled_out}
    assert not causes & {"rate_limit", "bad_input", "dependency", "config_change"}
    assert "worker_saturation" in causes
    assert result.is_blind


async def test_marks_in_grafana_that_cannot_be_read_make_nobody_blind() -> None:
    found = writer_fails()
    found.down |= {"annotations", "traces"}
    result = await investigate(found, alert(agent_id="writer"))
    assert not result.is_blind
    assert [each.partition(":")[0] for each in result.not_looked_at] == [
        "changes in Grafana",
        "failed traces",
    ]


async def test_the_order_in_which_things_began_is_told() -> None:
    found = FakeTelemetry(FakeClock(NOW))
    stalled_checker(found)
    queue(found, (FAULT_AT - timedelta(minutes=9), 0.0), (FAULT_AT + timedelta(seconds=25), 6.0))
    best = (await investigate(found, alert("AWFWorkersSaturated", severity="warning"))).hypotheses[0]
    told = next(item.statement for item in best.evidence if item.statement.startswith("what began when"))
    assert told.index("checker") < told.index("executions wait")
    assert "(+" in told


async def test_the_budget_of_bytes_ends_further_queries_and_says_so() -> None:
    result = await investigate(writer_fails(), alert(agent_id="writer"), size_bytes=1)
    assert any("the budget of 1 bytes was spent" in each for each in result.not_looked_at)
    assert result.bytes_read > 1
    plenty = await investigate(writer_fails(), alert(agent_id="writer"))
    assert plenty.bytes_read > 10_000


async def test_a_slow_trace_tells_where_the_time_went() -> None:
    found = FakeTelemetry(FakeClock(NOW))
    stalled_checker(found)
    queue(found)
    found.found_traces += [{"traceID": "quick", "durationMs": 10}, {"traceID": "slow", "durationMs": 9000}]
    found.trace_bodies["slow"] = {
        "trace": {"spans": [
            {"id": "a", "name": "awf.workflow", "startTimeMs": 0, "durationMs": 9000},
            {"id": "b", "parentId": "a", "name": "awf.agent.invoke", "startTimeMs": 500, "durationMs": 8500,
             "attributes": {"agent_id": "checker"}},
        ]}
    }  # fmt: skip
    best = (await investigate(found, alert(agent_id="checker"))).hypotheses[0]
    told = next(item.statement for item in best.evidence if "critical path" in item.statement)
    assert told == (
        "trace slow took 9000 ms, of which its critical path was: awf.workflow 500 ms itself > "
        "awf.agent.invoke (checker) 8500 ms itself"
    )


@pytest.mark.parametrize(
    "body",
    [
        {"trace": []},
        {"trace": {"spans": "x"}},
        {"trace": {"spans": [{"startTimeMs": "soon"}]}},
        {"resourceSpans": [1]},
    ],
)
async def test_a_trace_that_is_none_is_left_out(body: dict[str, object]) -> None:
    found = writer_fails()
    found.found_traces.append({"traceID": "abc"})
    found.trace_bodies["abc"] = body
    result = await investigate(found, alert(agent_id="writer"))
    assert result.hypotheses[0].cause is CauseClass.AGENT_ERROR
    assert "traces" not in {item.signal for item in result.hypotheses[0].evidence}


def remembering(system: System) -> Investigator:
    memory = Memory(Orders(), system.state.incidents, "https://awf.example")
    return Investigator(system.telemetry, system.clock, memory=memory)


async def test_what_helped_before_and_what_else_is_open_is_told_with_links(system: System) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    system.start(investigator=remembering(system))
    before = await system.alert(alert(agent_id="writer"))
    assert before.outcome is ActionOutcome.VERIFIED
    await system.alert(alert(agent_id="writer", status="resolved"))
    system.telemetry._series.clear()
    failing_writer(system.telemetry)
    system.clock.advance(10)
    other = await system.alert(alert("SomebodyElses", component="payments"))
    assert not other.status.is_open or other.status is IncidentStatus.HELD
    again = replace(alert(agent_id="writer"), starts_at=NOW + timedelta(minutes=2))
    found = await remembering(system).investigate([again])
    told = [item for item in found.hypotheses[0].evidence if item.signal == "incidents"]
    assert any(
        f"incident {before.id}" in item.statement
        and item.statement.endswith("the same cause; switch_fallback was verified")
        and item.link == f"https://awf.example/ui/incidents/{before.id}"
        for item in told
    )


async def test_alerts_that_fire_at_the_same_time_are_told(system: System) -> None:
    failing_writer(system.telemetry)
    system.controls._engines[:] = [engine()]
    system.start(investigator=remembering(system))
    await system.state.switch.set_paused(True, by="ops")
    held = await system.alert(alert(agent_id="writer"))
    assert held.status is IncidentStatus.HELD
    found = await remembering(system).investigate([alert("AWFWorkersSaturated", severity="warning")])
    told = [item.statement for item in found.hypotheses[0].evidence if item.signal == "incidents"]
    assert len(told) == 1
    assert told[0].startswith(f"incident {held.id}, at the same time, since")
    assert "AWFAgentErrors" in told[0]


async def test_without_logs_the_watcher_asks_before_it_acts(system: System) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    system.telemetry.down.add("logs")
    incident = await system.alert(alert(agent_id="writer"))
    assert incident.status is IncidentStatus.AWAITING_APPROVAL
    assert system.kinds == []
    assert any(each.startswith("failures: ") for each in incident.not_looked_at)
    (asked,) = await system.state.approvals.pending()
    assert "could not be read" in asked.why_asked
