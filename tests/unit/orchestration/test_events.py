from __future__ import annotations

import asyncio

from awf.core.counters import Counters
from awf.core.semconv import EVENTS, EVENTS_DROPPED
from awf.core.types import ExecutionId, WorkflowId
from awf.orchestration import EventEmitter, EventType, WorkflowEvent


def event(kind: EventType = EventType.WORKFLOW_STARTED) -> WorkflowEvent:
    return WorkflowEvent(kind, WorkflowId("w"), ExecutionId("x"))


async def test_subscribers_get_the_types_they_asked_for_in_order() -> None:
    emitter, everything, one, several = EventEmitter(), [], [], []
    emitter.subscribe(everything.append)
    emitter.subscribe(one.append, EventType.AGENT_FAILED)
    emitter.subscribe(several.append, [EventType.AGENT_FAILED, EventType.STEP_FAILED])
    sent = [event(kind) for kind in EventType]
    for item in sent:
        await emitter.emit(item)
    await emitter.aclose()
    assert everything == sent
    assert [e.type for e in one] == [EventType.AGENT_FAILED]
    assert {e.type for e in several} == {EventType.AGENT_FAILED, EventType.STEP_FAILED}
    assert emitter.counters.get(EVENTS, event_type="agent.failed") == 1


async def test_a_failing_subscriber_hurts_nobody_and_is_counted() -> None:
    counters, seen = Counters(), []
    emitter = EventEmitter(counters)

    async def fail(_: WorkflowEvent) -> None:
        raise RuntimeError("broken")

    emitter.subscribe(fail)
    emitter.subscribe(seen.append)
    for _ in range(3):
        await emitter.emit(event())
    await emitter.aclose()
    assert len(seen) == 3
    assert counters.get(EVENTS_DROPPED, reason="handler_failed") == 3


async def test_a_slow_subscriber_fills_only_its_own_queue() -> None:
    counters, seen = Counters(), []
    emitter = EventEmitter(counters)
    started = asyncio.Event()

    async def block(_: WorkflowEvent) -> None:
        started.set()
        await asyncio.Event().wait()

    emitter.subscribe(block, queue_size=2)
    emitter.subscribe(seen.append)
    await emitter.emit(event())
    await started.wait()
    for _ in range(5):
        await emitter.emit(event())
    await emitter.aclose(timeout_s=0.01)
    assert len(seen) == 6
    assert counters.get(EVENTS_DROPPED, reason="queue_full") == 3
    assert counters.get(EVENTS_DROPPED, reason="shutdown") == 2


async def test_unsubscribing_stops_delivery() -> None:
    emitter, seen = EventEmitter(), []
    subscription = emitter.subscribe(seen.append)
    await emitter.emit(event())
    await asyncio.sleep(0)
    subscription.unsubscribe()
    await emitter.emit(event())
    await emitter.aclose()
    assert len(seen) == 1


async def test_an_event_after_closing_is_counted_not_raised() -> None:
    emitter = EventEmitter()
    await emitter.aclose()
    await emitter.emit(event())
    assert emitter.counters.get(EVENTS_DROPPED, reason="closed") == 1


async def test_a_quick_subscriber_with_a_long_queue_lets_others_run() -> None:
    emitter, seen = EventEmitter(), []
    emitter.subscribe(seen.append)
    for _ in range(1000):
        await emitter.emit(event())
    for _ in range(5):
        await asyncio.sleep(0)
    assert 0 < len(seen) < 1000
    await emitter.aclose()
    assert len(seen) == 1000
