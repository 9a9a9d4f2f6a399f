"""The runs of a framework that are open, and the events their starts and ends become.

A framework reports a tree of runs, each with a key and its parent's key. Here it becomes AWF's three levels:
the root is an execution; a `visit` is a step; a `call` of a model is an attempt of its step; a `part` or a
`tool` is no level of its own, and what happens inside it belongs to the step around it.

A step is one span for all visits of an execution, however often a loop comes back to it: the names of steps
are metric labels, so a visit's number may not be in them. So a step ends when its execution ends, with the
time of its last visit's end; its duration is the time during which at least one visit was open.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import Any

from awf.core import semconv
from awf.core.types import AgentId, ExecutionId, StepId, TaskMetrics, TokenUsage, WorkflowId, new_id
from awf.orchestration import trace_context
from awf.orchestration._drops import is_worth_telling
from awf.orchestration.bridges._failures import Failure
from awf.orchestration.bridges._names import label, text
from awf.orchestration.bridges._tally import Execution, Run, Step, add, milliseconds
from awf.orchestration.events import EventType, WorkflowEvent

logger = logging.getLogger(__name__)

Record = Callable[[WorkflowEvent], object]
"""Takes an event: synchronous, safe to call from any thread, never raises. `OTelExporter.record` is one."""

MAX_OPEN_RUNS = 10_000
MAX_STEPS = 200
OTHER = "other"


class OpenRuns:
    """Follows the open runs of one framework and records events. May be used from several threads.

    A key that is not open is ignored where a run ends, and where it is the parent of one that starts. When
    `max_open` runs are open and one more starts, the oldest execution is given up: ended as cancelled, and logged.
    Times (`at`) are nanoseconds since the epoch; now, where they are 0.
    """

    def __init__(
        self, record: Record, framework: str, *, include_content: bool = False, max_open: int = MAX_OPEN_RUNS
    ) -> None:
        self._record = record
        self._framework = framework
        self._include_content = include_content
        self._max_open = max_open
        self._lock = threading.RLock()
        self._runs: dict[Hashable, Run] = {}
        self._executions: OrderedDict[Hashable, Execution] = OrderedDict()
        self._repeats: OrderedDict[str, int] = OrderedDict()
        self._given_up = 0

    def is_open(self, key: Hashable) -> bool:
        """Say whether a run with this key has started and not ended."""
        return key in self._runs

    def is_root(self, key: Hashable) -> bool:
        """Say whether this run is an execution."""
        run = self._runs.get(key)
        return run is not None and run.kind == "execution"

    def note_of(self, key: Hashable) -> object:
        """Return what `begin` was given as the note of the execution that this run belongs to."""
        run = self._runs.get(key)
        return run.execution.note if run is not None else None

    def begin(
        self,
        key: Hashable,
        workflow_id: str,
        *,
        execution_id: str = "",
        traceparent: str = "",
        content: object = None,
        note: object = None,
        framework: str = "",
        at: int = 0,
    ) -> None:
        """Start an execution. It continues `traceparent`, else the trace that is active here. `note` is
        the bridge's own, to be asked for with `note_of`."""
        with self._lock:
            self._make_room()
            at = at or time.time_ns()
            self.end(key, Failure(semconv.CANCELLED, "its run began again"), at=at)
            name = execution_id or new_id("run")
            execution = Execution(
                key, WorkflowId(workflow_id), ExecutionId(name), self._count_run(name),
                traceparent or trace_context.current(), at, framework or self._framework, note,
            )  # fmt: skip
            self._executions[key] = execution
            self._open(key, Run("execution", execution, at))
            self._emit(EventType.WORKFLOW_STARTED, execution, at, data=self._content("input", content))

    def visit(
        self,
        key: Hashable,
        parent: Hashable,
        step_id: str,
        *,
        agent_id: str = "",
        is_nested: bool = False,
        at: int = 0,
    ) -> None:
        """Enter a step, which starts with its first visit. Inside another step it is a mere part of that
        one, unless `is_nested`."""
        with self._lock:
            outer = self._outer(parent, key)
            if outer is None:
                return
            at = at or time.time_ns()
            if outer.step is not None and not is_nested:
                self._open(
                    key, Run("part", outer.execution, at, outer.step, AgentId(agent_id) or outer.agent_id)
                )
                return
            step = self._enter(outer.execution, step_id, agent_id or step_id, at)
            self._open(key, Run("visit", outer.execution, at, step, AgentId(agent_id) or None))

    def part(self, key: Hashable, parent: Hashable, *, agent_id: str = "", at: int = 0) -> None:
        """Note a run that is no level of its own; the calls in it are made by `agent_id`, if given."""
        with self._lock:
            outer = self._outer(parent, key)
            if outer is not None:
                agent = AgentId(agent_id) or outer.agent_id
                self._open(key, Run("part", outer.execution, at or time.time_ns(), outer.step, agent))

    def tool(self, key: Hashable, parent: Hashable, name: str, *, at: int = 0) -> None:
        """Note the call of a tool: the step's end says which tools were called and how many calls failed."""
        with self._lock:
            outer = self._outer(parent, key)
            if outer is None:
                return
            self._open(key, Run("tool", outer.execution, at or time.time_ns(), outer.step, outer.agent_id))
            if outer.step is not None:
                outer.step.tool_calls += 1
                if len(outer.step.tools) < MAX_STEPS:
                    outer.step.tools.add(label(name, "tool"))

    def call(
        self,
        key: Hashable,
        parent: Hashable,
        *,
        step_id: str,
        agent_id: str = "",
        model: str = "",
        provider: str = "",
        content: object = None,
        at: int = 0,
    ) -> None:
        """Invoke a model, as an attempt of the step around it; without one the call is a visit of `step_id`."""
        with self._lock:
            outer = self._outer(parent, key)
            if outer is None:
                return
            at, execution, step = at or time.time_ns(), outer.execution, outer.step
            is_alone = step is None
            if step is None:
                step = self._enter(execution, step_id, agent_id or step_id, at)
            step.attempts += 1
            step.agent_id = AgentId(agent_id) or outer.agent_id or step.agent_id
            run = Run("call", execution, at, step, step.agent_id, step.attempts, {"is_alone": is_alone})
            run.data |= {"model": model, "provider": provider}
            self._open(key, run)
            data = {"model": model, "provider": provider, **self._content("input", content)}
            self._emit(EventType.AGENT_INVOKED, execution, at, run=run, data=data)

    def end(
        self,
        key: Hashable,
        failure: Failure | None = None,
        *,
        usage: TokenUsage | None = None,
        cost_usd: float = 0.0,
        model: str = "",
        provider: str = "",
        content: object = None,
        at: int = 0,
    ) -> None:
        """End a run of whatever kind; `usage`, `model` and so on are those of a call."""
        with self._lock:
            run = self._runs.get(key)
            if run is None:
                return
            at = max(at or time.time_ns(), run.started)
            data = self._content("output", content) if failure is None else {}
            if run.kind == "execution":
                self._finish(run.execution, failure, at, data)
                return
            self._forget(key)
            if run.kind == "call":
                known = {"model": model or run.data["model"], "provider": provider or run.data["provider"]}
                metrics = TaskMetrics(milliseconds(run.started, at), usage or TokenUsage(), cost_usd)
                self._answer(run, failure, at, metrics, known | data)
            elif run.kind == "visit" and run.step is not None:
                run.step.leave(failure, run.started, at)
            elif run.kind == "tool" and run.step is not None and failure is not None:
                run.step.tool_errors += 1

    def give_up_all(self, reason: str) -> None:
        """End everything that is open as cancelled, as at a shutdown."""
        with self._lock:
            for execution in list(self._executions.values()):
                self._finish(execution, Failure(semconv.CANCELLED, reason), time.time_ns(), {})

    # -- what happens under the lock

    def _enter(self, execution: Execution, step_id: str, agent_id: str, at: int) -> Step:
        name = step_id if step_id in execution.steps or len(execution.steps) < MAX_STEPS else OTHER
        step = execution.steps.get(name)
        if step is None:
            step = execution.steps[name] = Step(StepId(name), AgentId(agent_id))
            self._emit(EventType.STEP_STARTED, execution, at, step=step)
        elif step.failure is not None and step.visits == 0:
            # A visit after one that failed: the framework tries again.
            step.metrics = replace(step.metrics, retry_count=step.metrics.retry_count + 1)
            data = {"delay_s": round(max(at - step.failed_at, 0) / 1e9, 3)}
            self._emit(EventType.STEP_RETRYING, execution, at, step=step, failure=step.failure, data=data)
        step.enter(at)
        return step

    def _answer(
        self, run: Run, failure: Failure | None, at: int, metrics: TaskMetrics, data: dict[str, Any]
    ) -> None:
        if run.step is None:
            return
        run.step.metrics = add(run.step.metrics, metrics)
        run.execution.metrics = add(run.execution.metrics, metrics)
        kind = EventType.AGENT_FAILED if failure else EventType.AGENT_COMPLETED
        self._emit(kind, run.execution, at, run=run, failure=failure, metrics=metrics, data=data)
        if run.data["is_alone"]:
            run.step.leave(failure, run.started, at)

    def _finish(
        self, execution: Execution, failure: Failure | None, at: int, data: Mapping[str, Any]
    ) -> None:
        left = Failure(semconv.CANCELLED, "still open when its execution ended")
        for key in list(execution.open):
            run = self._runs[key]
            if run.kind in {"call", "visit"}:
                self.end(key, failure or left, at=at)
            self._forget(key)
        del self._executions[execution.key]
        for step in execution.steps.values():
            self._end_step(execution, step, at)
        kind = EventType.WORKFLOW_COMPLETED
        if failure is not None:
            is_cancelled = failure.is_cancellation
            kind = EventType.WORKFLOW_CANCELLED if is_cancelled else EventType.WORKFLOW_FAILED
        metrics = replace(
            execution.metrics, execution_time_ms=milliseconds(execution.started, at), retry_count=0
        )
        self._emit(kind, execution, at, failure=failure, metrics=metrics, data=data)

    def _end_step(self, execution: Execution, step: Step, at: int) -> None:
        metrics = replace(step.metrics, execution_time_ms=step.busy_ns / 1e6)
        data: dict[str, Any] = {}
        if step.tool_calls:
            data["attributes"] = {
                semconv.TOOL_CALLS: step.tool_calls,
                semconv.TOOL_ERRORS: step.tool_errors,
                semconv.TOOL_NAMES: sorted(step.tools),
            }
        kind = EventType.STEP_FAILED if step.failure else EventType.STEP_COMPLETED
        self._emit(
            kind, execution, step.ended or at, step=step, failure=step.failure, metrics=metrics, data=data
        )

    def _outer(self, parent: Hashable, key: Hashable) -> Run | None:
        """Return the run around one that starts, if it is still open once there is room. A start that is
        told twice, as when somebody registers a bridge twice, counts once."""
        self._make_room()
        return self._runs.get(parent) if key not in self._runs else None

    def _make_room(self) -> None:
        while len(self._runs) >= self._max_open:
            oldest = next(iter(self._executions.values()))
            self._given_up += 1
            if is_worth_telling(self._given_up):
                logger.warning(
                    "an execution that did not end was given up",
                    extra={
                        "framework": oldest.framework, "execution_id": oldest.id, "given_up": self._given_up
                    },
                )  # fmt: skip
            reason = f"given up: {self._max_open} runs are open"
            self._finish(oldest, Failure(semconv.CANCELLED, reason), time.time_ns(), {})

    def _open(self, key: Hashable, run: Run) -> None:
        self._runs[key] = run
        run.execution.open[key] = None

    def _forget(self, key: Hashable) -> None:
        run = self._runs.pop(key, None)
        if run is not None:
            run.execution.open.pop(key, None)

    def _count_run(self, execution_id: str) -> int:
        """Return how often this execution id has begun, so that a repeated one makes spans of its own."""
        count = self._repeats.pop(execution_id, 0) + 1
        self._repeats[execution_id] = count
        if len(self._repeats) > self._max_open:
            self._repeats.popitem(last=False)
        return count

    def _content(self, name: str, content: object) -> dict[str, Any]:
        if not self._include_content or content is None:
            return {}
        try:
            found = content() if callable(content) else content
            return {name: text(found)} if found is not None else {}
        except Exception:  # boundary: content is the user's, and so is what makes text of it
            logger.debug("content that cannot be written as text", exc_info=True)
            return {}

    def _emit(
        self,
        kind: EventType,
        execution: Execution,
        at: int,
        *,
        step: Step | None = None,
        run: Run | None = None,
        failure: Failure | None = None,
        metrics: TaskMetrics | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        step = run.step if run is not None else step
        agent_id = run.agent_id if run is not None else step.agent_id if step is not None else None
        self._record(
            WorkflowEvent(
                kind,
                execution.workflow_id,
                execution.id,
                time_ns=at,
                step_id=step.id if step is not None else None,
                agent_id=agent_id,
                framework=execution.framework,
                attempt=run.attempt if run is not None else step.attempts if step is not None else 0,
                metrics=metrics,
                error_type=failure.error_type if failure else "",
                error=failure.error if failure else "",
                data=data or {},
                run=execution.run,
                traceparent=execution.traceparent,
            )
        )
