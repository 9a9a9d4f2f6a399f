"""Runs executions, a limited number at a time, and answers for them."""

from __future__ import annotations

import asyncio
import copy
import logging
import random
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from awf.core.clock import Clock, SystemClock
from awf.core.types import (
    AgentId,
    EngineId,
    EngineInfo,
    ExecutionId,
    ExecutionRecord,
    ExecutionStatus,
    Json,
    StepId,
    WorkflowId,
    new_id,
)
from awf.errors import Conflict, InvalidInput, NotFound, Overloaded, Unavailable
from awf.orchestration import trace_context
from awf.orchestration.attempts import Runtime, StepFailure
from awf.orchestration.controls import Controls
from awf.orchestration.events import EventEmitter, EventType, WorkflowEvent
from awf.orchestration.execution import Execution
from awf.orchestration.registry import Registry

logger = logging.getLogger(__name__)

CANCEL_GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class EngineSnapshot:
    """How busy an engine is now. Every registered workflow is listed, with 0 when nothing runs.

    `oldest_age_s` is how long the execution that began first runs: waiting does not count.
    """

    active: Mapping[WorkflowId, int]
    pending: Mapping[WorkflowId, int]
    workers: int
    oldest_age_s: Mapping[WorkflowId, float]
    trust_scores: Mapping[AgentId, float]


class Engine:
    """Runs executions first come, first served. Belongs to one event loop.

    `workers` is the number of executions at once, unless the controls say another. It knows the last
    `keep_finished` finished executions; more than `max_pending` waiting ones are refused.
    """

    def __init__(
        self,
        registry: Registry,
        emitter: EventEmitter,
        controls: Controls,
        *,
        workers: int = 4,
        engine_id: str = "",
        clock: Clock | None = None,
        max_pending: int = 10_000,
        keep_finished: int = 1_000,
    ) -> None:
        if workers < 1:
            raise InvalidInput(f"workers is {workers}, expected 1 or more")
        self.id = EngineId(engine_id or new_id("engine"))
        self.registry = registry
        self.emitter = emitter
        self.controls = controls
        self._clock = clock or SystemClock()
        # Jitter only spreads retries out; it needs no seed and no secret.
        self._runtime = Runtime(registry, emitter, controls, self._clock, random.uniform)
        self._base_workers = workers
        self._max_pending = max_pending
        self._keep_finished = keep_finished
        self._executions: dict[ExecutionId, Execution] = {}
        self._pending: deque[Execution] = deque()
        self._active: set[Execution] = set()
        self._finished: deque[ExecutionId] = deque()
        self._closed = False
        controls.bind(self)

    # -- what it is doing

    @property
    def workers(self) -> int:
        """The number of executions it runs at once now."""
        return self.controls.workers or self._base_workers

    def info(self) -> EngineInfo:
        """Return what this engine tells others about itself."""
        switches = self.controls.switches
        return EngineInfo(
            self.id,
            self.registry.describe(),
            self.registry.agents(),
            self.workers,
            disabled_agents=tuple(sorted(switches.disabled_agents)),
            turned_steps=switches.turned_steps(),
        )

    def snapshot(self) -> EngineSnapshot:
        """Return how busy it is; any thread may ask."""
        names = [workflow.id for workflow in self.registry.describe()]
        running = tuple(self._active)
        active = Counter(execution.workflow.id for execution in running)
        pending = Counter(execution.workflow.id for execution in tuple(self._pending))
        return EngineSnapshot(
            active={name: active[name] for name in names},
            pending={name: pending[name] for name in names},
            workers=self.workers,
            oldest_age_s=self._oldest_ages(running),
            trust_scores={agent.id: agent.trust_score for agent in self.registry.agents()},
        )

    def executions(self) -> tuple[ExecutionRecord, ...]:
        """Return all executions it knows, oldest first."""
        return tuple(execution.record(self.id) for execution in self._executions.values())

    def execution(self, execution_id: str) -> ExecutionRecord:
        """Return one execution. Raises NotFound."""
        return self._known(execution_id).record(self.id)

    # -- orders

    async def submit(
        self,
        workflow_id: str,
        input: Json,  # noqa: A002 - the word users know
        execution_id: ExecutionId | None = None,
        restarted_from: ExecutionId | None = None,
        traceparent: str = "",
    ) -> ExecutionId:
        """Queue an execution, as part of the trace that `traceparent` names or that is active here. Raises
        NotFound (workflow), Conflict (id taken), Overloaded, Unavailable (closed)."""
        workflow = self.registry.workflow(workflow_id)
        self._check_room()
        execution_id = execution_id or ExecutionId(new_id("exec"))
        if execution_id in self._executions:
            raise Conflict(f"execution {execution_id!r} exists already")
        now = self._clock.now()
        predecessor = self._executions.get(restarted_from) if restarted_from else None
        execution = Execution(
            execution_id, workflow, copy.deepcopy(input), now, restarted_from=restarted_from,
            traceparent=traceparent or trace_context.current(),
            link=predecessor.span.traceparent if predecessor else "",
        )  # fmt: skip
        self._executions[execution_id] = execution
        self._enqueue(execution)
        return execution_id

    async def wait(self, execution_id: str) -> ExecutionRecord:
        """Return the execution once it is over. Raises NotFound."""
        execution = self._known(execution_id)
        await execution.finished.wait()
        return execution.record(self.id)

    async def cancel(self, execution_id: str) -> None:
        """Stop an execution. Raises NotFound, Conflict (it is over), Unavailable (its agents do not let go
        within 5 s)."""
        execution = self._known(execution_id)
        if execution.status.is_final:
            raise Conflict(f"execution {execution_id!r} is {execution.status.value} already")
        if execution in self._pending:
            self._pending.remove(execution)
            await self._end(execution, EventType.WORKFLOW_CANCELLED, ExecutionStatus.CANCELLED)
            return
        if not await self._cancel_running([execution], CANCEL_GRACE_S):
            raise Unavailable(f"execution {execution_id!r} did not stop within {CANCEL_GRACE_S:g} s")

    async def restart(self, execution_id: str, new_execution_id: ExecutionId | None = None) -> ExecutionId:
        """Start the workflow again with the same input; the old execution is cancelled if it still runs."""
        old = self._known(execution_id)
        if new_execution_id in self._executions:
            raise Conflict(f"execution {new_execution_id!r} exists already")
        self._check_room()
        if not old.status.is_final:
            await self.cancel(execution_id)
        return await self.submit(old.workflow.id, old.input, new_execution_id, old.id)

    async def retry_step(self, execution_id: str, step_id: str) -> None:
        """Go on from a failed step, in the same execution, with what the other steps gave. Raises
        NotFound, Conflict (the execution or the step has not failed)."""
        execution = self._known(execution_id)
        if execution.status is not ExecutionStatus.FAILED:
            raise Conflict(f"execution {execution_id!r} is {execution.status.value}, not failed")
        if step_id not in execution.failures:
            failed = ", ".join(execution.failures)
            raise Conflict(f"step {step_id!r} of execution {execution_id!r} has not failed; failed: {failed}")
        self._check_room()
        self._finished.remove(execution.id)
        execution.prepare_retry(StepId(step_id))
        self._enqueue(execution)

    def resize(self) -> None:
        """Start waiting executions if the worker limit now allows it; running ones are never stopped."""
        while self._pending and len(self._active) < self.workers:
            execution = self._pending.popleft()
            self._active.add(execution)
            execution.task = asyncio.create_task(self._run(execution), name=f"awf-{execution.id}")

    async def aclose(self, timeout_s: float = 3.0) -> None:
        """Take no more work, give running executions `timeout_s` to end, then cancel them."""
        self._closed = True
        while self._pending:
            execution = self._pending.popleft()
            await self._end(execution, EventType.WORKFLOW_CANCELLED, ExecutionStatus.CANCELLED)
        tasks = [execution.task for execution in self._active if execution.task]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)
        left = list(self._active)
        if left and not await self._cancel_running(left, 1.0):
            names = [execution.id for execution in self._active]
            logger.warning("executions did not stop", extra={"executions": names})

    # -- inside

    def _oldest_ages(self, running: Sequence[Execution]) -> dict[WorkflowId, float]:
        now = self._clock.now()
        ages = dict.fromkeys((workflow.id for workflow in self.registry.describe()), 0.0)
        for execution in running:
            if execution.running_since is not None:
                age = (now - execution.running_since).total_seconds()
                ages[execution.workflow.id] = max(age, ages.get(execution.workflow.id, 0.0))
        return ages

    def _known(self, execution_id: str) -> Execution:
        execution = self._executions.get(ExecutionId(execution_id))
        if execution is None:
            raise NotFound(
                f"execution {execution_id!r} is not known to this engine",
                hint=f"It remembers the last {self._keep_finished} finished executions.",
            )
        return execution

    def _check_room(self) -> None:
        if self._closed:
            raise Unavailable("the engine is shutting down", hint="Start the execution on another engine.")
        if len(self._pending) >= self._max_pending:
            raise Overloaded(
                f"{len(self._pending)} executions wait already", hint="Raise the number of workers."
            )

    def _enqueue(self, execution: Execution) -> None:
        self._pending.append(execution)
        self.resize()

    async def _run(self, execution: Execution) -> None:
        execution.status = ExecutionStatus.RUNNING
        execution.running_since = self._clock.now()
        execution.started_at = execution.started_at or execution.running_since
        try:
            await self._emit(EventType.WORKFLOW_STARTED, execution, data=_start_data(execution))
            await execution.run_steps(self._runtime)
        except asyncio.CancelledError:
            await self._end(execution, EventType.WORKFLOW_CANCELLED, ExecutionStatus.CANCELLED)
        except Exception as error:  # boundary: a fault of the engine must not leave an execution open
            logger.exception("engine fault", extra={"execution_id": execution.id})
            failure = StepFailure("engine_error", f"{type(error).__name__}: {error}")
            execution.failures[StepId("(engine)")] = failure
            await self._end(execution, EventType.WORKFLOW_FAILED, ExecutionStatus.FAILED)
        else:
            if execution.failures:
                await self._end(execution, EventType.WORKFLOW_FAILED, ExecutionStatus.FAILED)
            else:
                await self._end(execution, EventType.WORKFLOW_COMPLETED, ExecutionStatus.COMPLETED)

    async def _end(self, execution: Execution, kind: EventType, status: ExecutionStatus) -> None:
        execution.status = status
        execution.finished_at = self._clock.now()
        data = {"output": execution.output} if status is ExecutionStatus.COMPLETED else {}
        await self._emit(kind, execution, failure=execution.error, data=data)
        self._active.discard(execution)
        self._finished.append(execution.id)
        while len(self._finished) > self._keep_finished:
            del self._executions[self._finished.popleft()]
        execution.finished.set()
        if not self._closed:
            self.resize()

    async def _emit(
        self, kind: EventType, execution: Execution, *, failure: StepFailure | None = None, data: Json
    ) -> None:
        is_end = kind is not EventType.WORKFLOW_STARTED
        await self.emitter.emit(
            WorkflowEvent(
                kind,
                execution.workflow.id,
                execution.id,
                metrics=execution.metrics if is_end else None,
                error_type=failure.error_type if failure and is_end else "",
                error=failure.message if failure and is_end else "",
                data=data,
                run=execution.run,
                traceparent=execution.traceparent,
            )
        )

    async def _cancel_running(self, executions: list[Execution], timeout_s: float) -> bool:
        """Cancel running executions and say whether all ended in time."""
        # A task that is cancelled before its first step never runs, and would emit no event.
        await asyncio.sleep(0)
        tasks = [execution.task for execution in executions if execution.task]
        for task in tasks:
            task.cancel()
        _, left = await asyncio.wait(tasks, timeout=timeout_s)
        return not left


def _start_data(execution: Execution) -> Json:
    data: Json = {"input": execution.input}
    if execution.restarted_from:
        data["restarted_from"] = execution.restarted_from
    if execution.retried_step:
        data["retried_step"] = execution.retried_step
    if execution.link:
        data["links"] = [execution.link]
    return data
