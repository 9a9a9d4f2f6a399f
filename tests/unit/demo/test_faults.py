from __future__ import annotations

import asyncio
import contextlib
import copy
from collections import Counter
from pathlib import Path

import pytest

from awf.core.types import ExecutionStatus
from awf.demo.fault import FaultBoard, FaultFile, FaultSchedule
from awf.demo.workflows import CODE_REVIEW, RESEARCH_REPORT, SUPPORT_TRIAGE, registry
from awf.demo.world import DemoWorld
from awf.errors import ConfigError
from awf.orchestration import Controls, Engine, EventEmitter, EventType, WorkflowEvent

NAMES = ("agent_errors", "agent_stall", "rate_limit", "worker_shortage")


def world() -> DemoWorld:
    return DemoWorld(time_scale=0.01, base_error_rate=0.0)


async def run(world: DemoWorld, workflow_id: str, times: int) -> list[WorkflowEvent]:
    """Run a workflow so many times and return its events; every execution must complete."""
    found, events, emitter = registry(world), [], EventEmitter()
    emitter.subscribe(events.append)
    engine = Engine(found, emitter, Controls(found), workers=20)
    ids = [await engine.submit(workflow_id, {}) for _ in range(times)]
    async with asyncio.timeout(20):
        for execution_id in ids:
            assert (await engine.wait(execution_id)).status is ExecutionStatus.COMPLETED
    await engine.aclose()
    await emitter.aclose()
    return events


def failures(events: list[WorkflowEvent]) -> Counter[tuple[str, str]]:
    return Counter((str(e.agent_id), e.error_type) for e in events if e.type is EventType.AGENT_FAILED)


def test_the_faults_are_found_and_each_undoes_itself() -> None:
    now = world()
    board = FaultBoard(now)
    assert board.names == NAMES
    for name in NAMES:
        before = copy.deepcopy(vars(now) | {"random": None})
        board.turn(name, on=True)
        assert vars(now) | {"random": None} != before
        board.turn(name, on=False)
        assert vars(now) | {"random": None} == before


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
    assert set(failures(events)) == {("writer-llm", "upstream_error")}
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
    for nonsense in ("{ not json", "[]", '{"agent_stall": "no"}', '{"flood": true}'):
        path.write_text(nonsense)
        await asyncio.sleep(0.02)
        assert board.active == {"agent_errors", "agent_stall"}
    path.write_text('{"agent_errors": false, "agent_stall": false}')
    await until(set())
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
