from __future__ import annotations

from awf.core.types import ExecutionStatus, TokenUsage, WorkflowInfo
from awf.demo.agents import PROFILES
from awf.demo.faults.worker_shortage import FACTOR
from awf.demo.traffic import _SHARES
from awf.demo.workflows import registry
from awf.demo.world import DemoWorld, cost_usd
from awf.orchestration import Controls, Engine, EventEmitter, EventType, WorkflowEvent

BY_ID = {profile.manifest.id: profile for profile in PROFILES}


def usual_seconds(workflow: WorkflowInfo) -> float:
    """The longest path through a workflow at the agents' median latencies."""
    steps = {step.id: step for step in workflow.steps}

    def finished(step_id: str) -> float:
        step = steps[step_id]  # type: ignore[index]
        return (
            max((finished(n) for n in step.depends_on), default=0.0) + BY_ID[step.agent_id].latency_ms / 1000
        )

    return max(finished(step_id) for step_id in steps)


def mean_seconds() -> float:
    workflows = {workflow.id: workflow for workflow in registry(DemoWorld()).describe()}
    return sum(share * usual_seconds(workflows[name]) for name, share in _SHARES.items())


def test_every_agent_has_work_and_every_fallback_is_at_another_provider() -> None:
    used = set()
    for workflow in registry(DemoWorld()).describe():
        for step in workflow.steps:
            used.add(step.agent_id)
            if step.fallback_agent_id:
                used.add(step.fallback_agent_id)
                assert BY_ID[step.agent_id].provider != BY_ID[step.fallback_agent_id].provider
            else:
                assert not BY_ID[step.agent_id].provider, f"{step.id} has a model and no fallback"
    assert used == set(BY_ID)


def test_four_workers_serve_the_usual_traffic_and_only_eight_serve_the_shortage() -> None:
    mean_s = mean_seconds()
    assert mean_s < 3.0
    assert 0.7 * 4 / mean_s > 1.0
    assert 4 / mean_s < 0.8 * FACTOR
    assert 0.8 * 8 / mean_s > FACTOR


async def test_all_three_workflows_complete_with_tokens_and_costs() -> None:
    found = registry(DemoWorld(time_scale=0.01, base_error_rate=0.0))
    events: list[WorkflowEvent] = []
    emitter = EventEmitter()
    emitter.subscribe(events.append, EventType.WORKFLOW_COMPLETED)
    engine = Engine(found, emitter, Controls(found))
    for name in _SHARES:
        record = await engine.wait(await engine.submit(name, {"subject": "tests"}))
        assert record.status is ExecutionStatus.COMPLETED
    await engine.aclose()
    await emitter.aclose()
    assert all(e.metrics and e.metrics.cost_usd > 0 and e.metrics.token_usage.total > 500 for e in events)
    assert len(events) == 3


def test_cost_follows_the_price_list() -> None:
    assert cost_usd("gpt-5", TokenUsage(1_000_000, 100_000)) == 1.25 + 1.0
    assert cost_usd("", TokenUsage(5, 5)) == 0.0
