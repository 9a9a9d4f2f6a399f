"""The event that everything else is made of, its closed list of types, and who gets to hear of it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from awf.core.counters import Counters
from awf.core.semconv import EVENTS, EVENTS_DROPPED
from awf.core.types import AgentId, ExecutionId, StepId, TaskMetrics, WorkflowId
from awf.orchestration._drops import Drops

logger = logging.getLogger(__name__)


class EventType(StrEnum):
    WORKFLOW_STARTED = "workflow.started"
    WORKFLOW_COMPLETED = "workflow.completed"
    WORKFLOW_FAILED = "workflow.failed"
    WORKFLOW_CANCELLED = "workflow.cancelled"
    STEP_STARTED = "workflow.step.started"
    STEP_COMPLETED = "workflow.step.completed"
    STEP_FAILED = "workflow.step.failed"
    STEP_RETRYING = "workflow.step.retrying"
    STEP_FALLBACK = "workflow.step.fallback"
    STEP_SKIPPED = "workflow.step.skipped"
    AGENT_INVOKED = "agent.invoked"
    AGENT_COMPLETED = "agent.completed"
    AGENT_FAILED = "agent.failed"


@dataclass(frozen=True, slots=True)
class WorkflowEvent:
    """Something that happened in an execution. `time_ns` is nanoseconds since the epoch.

    `attempt` starts at 1 and counts invocations of one step, whichever agent runs it. `run` counts the
    runs of one execution, from 1. `traceparent` is the caller's W3C trace context; all events of an
    execution carry the same, or none. `data` holds what is particular to a type: the provider and model of
    an invocation, the delay before a retry, the agent a fallback stands in for, the `links` (traceparents)
    of a start to the spans it follows, and further span `attributes`.
    """

    type: EventType
    workflow_id: WorkflowId
    execution_id: ExecutionId
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    time_ns: int = field(default_factory=time.time_ns)
    step_id: StepId | None = None
    agent_id: AgentId | None = None
    framework: str = ""
    attempt: int = 0
    metrics: TaskMetrics | None = None
    error_type: str = ""
    error: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    run: int = 1
    traceparent: str = ""


Handler = Callable[[WorkflowEvent], Awaitable[None] | None]
Recorder = Callable[[WorkflowEvent], bool]

DEFAULT_QUEUE_SIZE = 10_000
EVENTS_PER_TURN = 20


class Subscription:
    """One subscriber: a bounded queue of its own and the task that feeds the handler from it."""

    def __init__(
        self, handler: Handler, types: frozenset[EventType] | None, queue_size: int, counters: Counters
    ) -> None:
        self._handler = handler
        self._types = types
        self._queue: asyncio.Queue[WorkflowEvent] = asyncio.Queue(queue_size)
        self._counters = counters
        self._task: asyncio.Task[None] | None = None
        self._drops = Drops(counters, getattr(handler, "__qualname__", type(handler).__name__))
        self.is_active = True

    def unsubscribe(self) -> None:
        """Stop receiving; what is queued is forgotten."""
        self.is_active = False
        if self._task is not None:
            self._task.cancel()

    def offer(self, event: WorkflowEvent) -> None:
        """Queue an event of a wanted type; a full queue refuses it and counts that."""
        if self._types is not None and event.type not in self._types:
            return
        if self._task is None:
            self._task = asyncio.create_task(self._deliver(), name="awf-subscriber")
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self._drops.add("queue_full", event.type.value)

    async def drain(self, timeout_s: float) -> None:
        """Deliver what is queued within the limit, then stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._queue.join()
        left = self._queue.qsize()
        if left:
            self._counters.add(EVENTS_DROPPED, left, reason="shutdown")
            logger.warning("events not delivered at shutdown", extra={"events": left})
        self.unsubscribe()

    async def _deliver(self) -> None:
        for count in itertools.count(1):
            event = await self._queue.get()
            if count % EVENTS_PER_TURN == 0:
                # Neither a full queue nor a quick handler ever suspends: let others have their turn.
                await asyncio.sleep(0)
            try:
                result = self._handler(event)
                if result is not None:
                    await result
            except Exception:  # boundary: a subscriber's failure is its own
                self._drops.add("handler_failed", event.type.value, with_traceback=True)
            finally:
                self._queue.task_done()


class EventEmitter:
    """Hands every event to its recorder, and to every subscriber without waiting for any. Belongs to one
    event loop.

    `recorder` is called inside `emit`, before everybody else, and says whether it took the event:
    `OTelExporter.record`, which has it on disk when it returns. A handler is a function or a coroutine
    function of one event.
    """

    def __init__(self, counters: Counters | None = None, *, recorder: Recorder | None = None) -> None:
        self.counters = counters or Counters()
        self._count = {kind: self.counters.bind(EVENTS, event_type=kind.value) for kind in EventType}
        self._recorder = recorder
        self._recorder_drops = Drops(self.counters, "recorder")
        self._subscriptions: list[Subscription] = []
        self._closed = False

    def subscribe(
        self,
        handler: Handler,
        types: EventType | Iterable[EventType] | None = None,
        *,
        queue_size: int = DEFAULT_QUEUE_SIZE,
    ) -> Subscription:
        """Call `handler` for each event of these types (all when None); returns what unsubscribes it."""
        wanted = frozenset([types] if isinstance(types, EventType) else types) if types is not None else None
        subscription = Subscription(handler, wanted, queue_size, self.counters)
        self._subscriptions = [s for s in self._subscriptions if s.is_active] + [subscription]
        return subscription

    async def emit(self, event: WorkflowEvent) -> bool:
        """Record an event and queue it for all who want it. Never raises on their behalf; says whether the
        recorder took it."""
        self._count[event.type]()
        if self._closed:
            self.counters.add(EVENTS_DROPPED, reason="closed")
            return False
        is_recorded = self._record(event)
        for subscription in self._subscriptions:
            if subscription.is_active:
                subscription.offer(event)
        return is_recorded

    def _record(self, event: WorkflowEvent) -> bool:
        if self._recorder is None:
            return True
        try:
            return self._recorder(event)
        except Exception:  # boundary: a recorder's failure is its own
            self._recorder_drops.add("handler_failed", event.type.value, with_traceback=True)
            return False

    async def aclose(self, timeout_s: float = 5.0) -> None:
        """Deliver what is queued, at most `timeout_s` long; what is left is counted as dropped."""
        self._closed = True
        active = [s for s in self._subscriptions if s.is_active]
        await asyncio.gather(*(subscription.drain(timeout_s) for subscription in active))
