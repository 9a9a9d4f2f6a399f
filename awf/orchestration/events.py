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
        self._dropped = 0
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
            self._drop("queue_full", event)

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
                self._drop("handler_failed", event, with_traceback=True)
            finally:
                self._queue.task_done()

    def _drop(self, reason: str, event: WorkflowEvent, *, with_traceback: bool = False) -> None:
        self._counters.add(EVENTS_DROPPED, reason=reason)
        self._dropped += 1
        # A subscriber that fails for every event would flood the log: 1st, 10th, 100th... suffice.
        if str(self._dropped).strip("0") == "1":
            logger.warning(
                "event not delivered to a subscriber",
                extra={"reason": reason, "event_type": event.type.value, "dropped": self._dropped},
                exc_info=with_traceback,
            )


class EventEmitter:
    """Hands every event to every subscriber without waiting for any of them. Belongs to one event loop.

    A handler is a function or a coroutine function of one event.
    """

    def __init__(self, counters: Counters | None = None) -> None:
        self.counters = counters or Counters()
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

    async def emit(self, event: WorkflowEvent) -> None:
        """Queue an event for all who want it. Never raises on their behalf."""
        self.counters.add(EVENTS, event_type=event.type.value)
        if self._closed:
            self.counters.add(EVENTS_DROPPED, reason="closed")
            return
        for subscription in self._subscriptions:
            if subscription.is_active:
                subscription.offer(event)

    async def aclose(self, timeout_s: float = 5.0) -> None:
        """Deliver what is queued, at most `timeout_s` long; what is left is counted as dropped."""
        self._closed = True
        active = [s for s in self._subscriptions if s.is_active]
        await asyncio.gather(*(subscription.drain(timeout_s) for subscription in active))
