from __future__ import annotations

import asyncio
import contextlib
import copy
from collections import Counter
from pathlib import Path

import pytest

from awf.core.registry import discover
from awf.core.types import ExecutionStatus, Json
from awf.demo.fault import Fault, FaultBoard, targets
from awf.demo.orders import FaultFile, FaultSchedule
from awf.demo.workflows import CODE_REVIEW, RESEARCH_REPORT, SUPPORT_TRIAGE, registry
from awf.demo.world import DemoWorld, Failure
from awf.errors import ConfigError
from awf.orchestration import Controls, Engine, EventEmitter, EventType, WorkflowEvent

FAULTS = discover("awf.demo.faults", Fault)


def world() -> DemoWorld:
    return DemoWorld(time_scale=0.05, base_error_rate=0.0)


async def run(
    world: DemoWorld,
    workflow_id: str,
    times: int,
    *,
    subject: Json | None = None,
    completes: bool | None = True,
) -> list[WorkflowEvent]:
    """Run a workflow so many times and return its events; every execution must end as it should."""
    found, events, emitter = registry(world), [], EventEmitter()
    emitter.subscribe(events.append)
    engine = Engine(found, emitter, Controls(found), workers=20)
    ids = [await engine.submit(workflow_id, subject or {}) for _ in range(times)]
    wanted = ExecutionStatus.COMPLETED if completes else ExecutionStatus.FAILED
    async with asyncio.timeout(20):
        for execution_id in ids:
            ended = await engine.wait(execution_id)
            assert completes is None or ended.status is wanted
    await engine.aclose()
    await emitter.aclose()
    return events


def failures(events: list[WorkflowEvent]) -> Counter[tuple[str, str]]:
    return Counter((str(e.agent_id), e.error_type) for e in events if e.type is EventType.AGENT_FAILED)


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_changes_the_world_at_any_target_and_undoes_itself(name: str) -> None:
    now = world()
    board = FaultBoard(now)
    for target in ("", *targets(FAULTS[name].aims_at)):
        before = copy.deepcopy(vars(now) | {"random": None})
        board.turn(name, on=True, target=target, intensity=0.7)
        changed = vars(now) | {"random": None} != before
        assert changed or name == "cost_surge"  # some agents have no dearer model, or no model at all
        board.turn(name, on=False)
        assert vars(now) | {"random": None} == before


def test_a_fault_is_as_bad_as_it_is_ordered_to_be() -> None:
    now = world()
    FaultBoard(now).turn("agent_errors", on=True, target="linter", intensity=0.0)
    assert now.failures["agent", "linter"].share == 0.5
    FaultBoard(now).turn("worker_shortage", on=True)
    assert now.arrival_factor == 3.5


@pytest.mark.parametrize(
    ("target", "intensity", "words"),
    [("nobody", None, "has no target 'nobody'"), ("", 1.5, "intensity of agent_errors is 1.5")],
)
def test_an_order_that_makes_no_sense_is_refused(target: str, intensity: float | None, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        FaultBoard(world()).turn("agent_errors", on=True, target=target, intensity=intensity)


def test_turning_a_fault_where_it_stands_changes_nothing() -> None:
    board = FaultBoard(world())
    for on in (False, True, True):
        board.turn("rate_limit", on=on)
    assert board.active == {"rate_limit"}
    with pytest.raises(ConfigError, match="no fault 'earthquake'"):
        board.turn("earthquake", on=True)


async def test_agent_errors_hit_one_agent_and_its_fallback_saves_the_work() -> None:
    now = world()
    FaultBoard(now).turn("agent_errors", on=True)
    events = await run(now, RESEARCH_REPORT, 30)
    # Scaled down like everything else, timeouts are short: on a busy machine others run into theirs.
    assert {who for who in failures(events) if who[1] != "timeout"} == {("writer-llm", "upstream_error")}
    calls = [e for e in events if e.agent_id == "writer-llm" and e.type is EventType.AGENT_INVOKED]
    assert failures(events).total() > 0.8 * len(calls)


async def test_a_stalled_agent_runs_into_its_timeout() -> None:
    now = world()
    FaultBoard(now).turn("agent_stall", on=True)
    assert failures(await run(now, CODE_REVIEW, 3)) == {("security-scanner", "timeout"): 3}


async def test_a_rate_limited_provider_refuses_all_its_agents_in_all_workflows() -> None:
    now = world()
    FaultBoard(now).turn("rate_limit", on=True)
    events = await run(now, RESEARCH_REPORT, 2) + await run(now, SUPPORT_TRIAGE, 2)
    assert set(failures(events)) == {("planner-llm", "rate_limit"), ("triage-llm", "rate_limit")}
    assert {e.data["provider"] for e in events if e.type is EventType.AGENT_FAILED} == {"openai"}


async def test_a_system_that_is_down_takes_its_agents_in_all_workflows_and_is_named() -> None:
    now = world()
    FaultBoard(now).turn("dependency_down", on=True, target="search-index")
    events = await run(now, RESEARCH_REPORT, 2, completes=False)
    events += await run(now, SUPPORT_TRIAGE, 2, completes=False)
    assert set(failures(events)) == {("web-search", "dependency_error"), ("kb-search", "dependency_error")}
    assert all("search-index.internal" in e.error for e in events if e.type is EventType.AGENT_FAILED)


async def test_a_bug_of_a_step_meets_whoever_does_it() -> None:
    now = world()
    FaultBoard(now).turn("step_bug", on=True)
    found = set(failures(await run(now, SUPPORT_TRIAGE, 2, completes=False)))
    assert found == {("writer-backup", "template_error"), ("local-llm", "template_error")}


async def test_what_a_bug_of_a_step_meets_it_meets_in_every_attempt() -> None:
    now = world()
    FaultBoard(now).turn("step_bug", on=True, intensity=0.0)
    events = await run(now, SUPPORT_TRIAGE, 30, completes=None)
    struck = Counter(
        e.execution_id
        for e in events
        if e.error_type == "template_error" and e.type is EventType.AGENT_FAILED
    )
    assert set(struck.values()) == {2}  # the agent and its fallback
    assert 10 <= len(struck) <= 25


async def test_a_malformed_request_is_refused_by_the_first_step_and_its_fallback() -> None:
    events = await run(world(), SUPPORT_TRIAGE, 2, subject={"subject": None}, completes=False)
    assert set(failures(events)) == {("triage-llm", "validation_error"), ("local-llm", "validation_error")}
    assert any("input.subject" in e.error for e in events)


async def test_an_answer_cut_short_makes_the_next_step_fail_and_another_agent_mends_it() -> None:
    now = world()
    FaultBoard(now).turn("malformed_output", on=True)
    events = await run(now, RESEARCH_REPORT, 2, completes=False)
    assert set(failures(events)) == {("fact-checker", "validation_error"), ("local-llm", "validation_error")}
    assert any("outputs.draft.text" in e.error for e in events)
    now.failures["agent", "writer-llm"] = Failure(1.0, "upstream_error", "so that its fallback does it")
    await run(now, RESEARCH_REPORT, 2)


async def test_tokens_and_costs_surge_while_everything_completes() -> None:
    async def spent(now: DemoWorld) -> tuple[int, float]:
        events = await run(now, SUPPORT_TRIAGE, 5)
        of = [e.metrics for e in events if e.agent_id == "triage-llm" and e.type is EventType.AGENT_COMPLETED]
        return sum(m.token_usage.total for m in of if m), sum(m.cost_usd for m in of if m)

    usual_tokens, usual_cost = await spent(world())
    wordy, dear = world(), world()
    FaultBoard(wordy).turn("token_surge", on=True, target="triage-llm", intensity=0.0)
    FaultBoard(dear).turn("cost_surge", on=True, target="triage-llm")
    assert (await spent(wordy))[0] > 4 * usual_tokens
    tokens, cost = await spent(dear)
    assert cost / tokens > 4 * usual_cost / usual_tokens


async def test_a_deployment_is_announced_before_it_fails_and_when_it_is_rolled_back() -> None:
    said: list[str] = []
    board = FaultBoard(DemoWorld(announce=said.append))
    board.turn("config_change", on=True)
    board.turn("config_change", on=False)
    assert said == [
        "triage-llm: new configuration (reasoning: high)", "triage-llm: configuration rolled back"
    ]  # fmt: skip


async def test_a_schedule_starts_faults_when_their_time_comes() -> None:
    board = FaultBoard(world())
    schedule = FaultSchedule.parse(" worker_shortage:0.02, agent_errors:0 ", board)
    assert schedule.entries == ((0.0, "agent_errors"), (0.02, "worker_shortage"))
    await schedule.run()
    assert board.active == {"agent_errors", "worker_shortage"}
    assert FaultSchedule.parse("", board).entries == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [("agent_errors", "has no time"), ("agent_errors:soon", "'agent_errors:soon' has no time"), ("flood:5", "no fault 'flood'")],
)  # fmt: skip
def test_a_schedule_that_cannot_be_read_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        FaultSchedule.parse(text, FaultBoard(world()))


async def test_a_running_demo_obeys_the_file_and_forgets_an_old_one(tmp_path: Path) -> None:
    path, board = tmp_path / "faults.json", FaultBoard(world())
    path.write_text('{"rate_limit": true}')
    task = asyncio.create_task(FaultFile(path, board, poll_s=0.005).run())

    async def until(active: set[str]) -> None:
        async with asyncio.timeout(10):
            while board.active != active:
                await asyncio.sleep(0.005)

    async with asyncio.timeout(10):
        while path.exists():
            await asyncio.sleep(0.005)
    path.write_text('{"agent_errors": true}')
    await until({"agent_errors"})
    path.write_text('{"agent_errors": true, "agent_stall": true}')
    await until({"agent_errors", "agent_stall"})
    path.write_text('{"flaky_agent": {"target": "linter", "intensity": 0.5}}')
    await until({"agent_errors", "agent_stall", "flaky_agent"})
    path.write_text('{"flaky_agent": false}')
    await until({"agent_errors", "agent_stall"})
    for nonsense in ("{ not json", "[]", '{"agent_stall": "no"}', '{"flood": true}'):
        path.write_text(nonsense)
        await asyncio.sleep(0.02)
        assert board.active == {"agent_errors", "agent_stall"}
    path.write_text('{"agent_errors": false, "agent_stall": false}')
    await until(set())
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
