"""One run of one step: attempts, retries with backoff, then the fallback agent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from awf.core.clock import Clock
from awf.core.types import (
    AgentId,
    ExecutionId,
    Json,
    StepId,
    TaskMetrics,
    TokenUsage,
    WorkflowId,
)
from awf.orchestration import identity, trace_context
from awf.orchestration.controls import Controls
from awf.orchestration.events import EventEmitter, EventType, WorkflowEvent
from awf.orchestration.registry import Agent, AgentError, AgentResult, Registry, StepContext
from awf.orchestration.workflow import Step

MAX_ERROR_CHARS = 500


@dataclass(frozen=True, slots=True)
class Runtime:
    """What every step of an engine works with."""

    registry: Registry
    emitter: EventEmitter
    controls: Controls
    clock: Clock
    uniform: Callable[[float, float], float]


@dataclass(frozen=True, slots=True)
class StepFailure:
    """Why a step, or one attempt at it, did not succeed."""

    error_type: str
    message: str
    retryable: bool = True
    metrics: TaskMetrics = field(default_factory=TaskMetrics)
    model: str = ""
    provider: str = ""


def add_metrics(left: TaskMetrics, right: TaskMetrics) -> TaskMetrics:
    """Return the sum of what two pieces of work took."""
    tokens = TokenUsage(
        left.token_usage.input_tokens + right.token_usage.input_tokens,
        left.token_usage.output_tokens + right.token_usage.output_tokens,
    )
    return TaskMetrics(
        left.execution_time_ms + right.execution_time_ms,
        tokens,
        left.cost_usd + right.cost_usd,
        left.retry_count + right.retry_count,
    )


class StepRun:
    """A step being run. Once it is over, `metrics` holds what it took, waits included."""

    def __init__(
        self,
        runtime: Runtime,
        step: Step,
        *,
        workflow_id: WorkflowId,
        execution_id: ExecutionId,
        input: Json,  # noqa: A002 - the word users know
        outputs: Mapping[StepId, Any],
        run: int = 1,
        traceparent: str = "",
    ) -> None:
        self._runtime = runtime
        self._step = step
        self._workflow_id = workflow_id
        self._execution_id = execution_id
        self._run = run
        self._traceparent = traceparent
        self._input = MappingProxyType(input)
        self._outputs = MappingProxyType({name: outputs[name] for name in step.depends_on})
        self._agent = runtime.registry.agent(step.agent_id)
        self._attempt = 0
        self.metrics = TaskMetrics()

    async def run(self) -> AgentResult | StepFailure:
        """Run the step to its end. A cancelled step says so in its events before it ends."""
        started = time.perf_counter()
        await self._emit(EventType.STEP_STARTED)
        try:
            outcome = await self._work()
        except asyncio.CancelledError:
            self._set_time(started)
            await self._emit(EventType.STEP_FAILED, _cancelled(), metrics=self.metrics)
            raise
        self._set_time(started)
        if isinstance(outcome, StepFailure):
            await self._emit(EventType.STEP_FAILED, outcome, metrics=self.metrics)
        else:
            await self._emit(EventType.STEP_COMPLETED, metrics=self.metrics)
        return outcome

    async def _work(self) -> AgentResult | StepFailure:
        primary, fallback = self._agent, self._usable_fallback()
        failure: StepFailure | None = None
        if not self._is_bypassed(primary):
            outcome = await self._with_retries(primary)
            if isinstance(outcome, AgentResult):
                return outcome
            failure, fallback = outcome, self._usable_fallback()
        is_disabled = not self._runtime.controls.is_enabled(primary.manifest.id)
        if fallback is None:
            return _disabled(primary) if failure is None or is_disabled else failure
        reason = "agent_disabled" if is_disabled else "forced" if self._is_forced() else "retries_exhausted"
        self._agent = fallback
        data = {"fallback_of": primary.manifest.id, "reason": reason}
        await self._emit(EventType.STEP_FALLBACK, failure, data=data)
        return await self._with_retries(fallback)

    async def _with_retries(self, agent: Agent) -> AgentResult | StepFailure:
        policy = self._step.retry
        retry = 0
        while True:
            outcome = await self._invoke(agent)
            if isinstance(outcome, AgentResult) or not outcome.retryable or retry == policy.max_retries:
                return outcome
            retry += 1
            self.metrics = replace(self.metrics, retry_count=self.metrics.retry_count + 1)
            delay_s = policy.delay_s(retry, self._runtime.uniform)
            await self._emit(EventType.STEP_RETRYING, outcome, data={"delay_s": round(delay_s, 3)})
            await self._runtime.clock.sleep(delay_s)
            if self._is_bypassed(agent):
                return outcome

    def _is_forced(self) -> bool:
        return self._runtime.controls.is_fallback_forced(self._workflow_id, self._step.id)

    def _usable_fallback(self) -> Agent | None:
        """Return the fallback agent, unless there is none or it is disabled."""
        agent_id = self._step.fallback_agent_id
        if agent_id is None or not self._runtime.controls.is_enabled(agent_id):
            return None
        return self._runtime.registry.agent(agent_id)

    def _is_bypassed(self, agent: Agent) -> bool:
        """Say whether the controls, as they stand now, keep this agent from (further) attempts."""
        if not self._runtime.controls.is_enabled(agent.manifest.id):
            return True
        is_primary = agent.manifest.id == self._step.agent_id
        return is_primary and self._is_forced() and self._usable_fallback() is not None

    async def _invoke(self, agent: Agent) -> AgentResult | StepFailure:
        self._attempt += 1
        span = identity.of(await self._emit(EventType.AGENT_INVOKED))
        started = time.perf_counter()
        try:
            with trace_context.inside(span):
                outcome = await self._call(agent, span.traceparent)
        except asyncio.CancelledError:
            metrics = self._account(TaskMetrics(), started)
            await self._emit(EventType.AGENT_FAILED, _cancelled(), metrics=metrics)
            raise
        metrics = self._account(outcome.metrics, started)
        data = {"model": outcome.model, "provider": outcome.provider}
        if isinstance(outcome, StepFailure):
            await self._emit(EventType.AGENT_FAILED, outcome, metrics=metrics, data=data)
        else:
            await self._emit(EventType.AGENT_COMPLETED, metrics=metrics, data=data)
        return outcome

    async def _call(self, agent: Agent, traceparent: str) -> AgentResult | StepFailure:
        controls = self._runtime.controls
        timeout_s = self._step.timeout_s * controls.timeout_factor(self._workflow_id, self._step.id)
        context = StepContext(
            self._workflow_id, self._execution_id, self._step.id, agent.manifest.id, self._attempt,
            timeout_s, self._input, self._outputs, traceparent,
        )  # fmt: skip
        limit = asyncio.timeout(timeout_s)
        try:
            async with limit:
                result = await agent.run(context)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return StepFailure("agent_error", "the agent cancelled itself")
        except AgentError as error:
            message = error.message[:MAX_ERROR_CHARS]
            return StepFailure(
                error.error_type, message, error.retryable, error.metrics, error.model, error.provider
            )
        except Exception as error:  # boundary: an agent is the user's code
            if limit.expired() and isinstance(error, TimeoutError):
                return StepFailure("timeout", f"no answer within {timeout_s:g} s")
            return StepFailure("agent_error", f"{type(error).__name__}: {error}"[:MAX_ERROR_CHARS])
        if not isinstance(result, AgentResult):
            message = f"the agent returned {type(result).__name__}, expected AgentResult"
            return StepFailure("agent_error", message, retryable=False)
        return result

    def _account(self, metrics: TaskMetrics, started: float) -> TaskMetrics:
        """Add an invocation to the step's totals and return its metrics with the time it took."""
        took_ms = metrics.execution_time_ms or (time.perf_counter() - started) * 1000
        metrics = replace(metrics, execution_time_ms=took_ms, retry_count=0)
        self.metrics = add_metrics(self.metrics, metrics)
        return metrics

    def _set_time(self, started: float) -> None:
        self.metrics = replace(self.metrics, execution_time_ms=(time.perf_counter() - started) * 1000)

    async def _emit(
        self,
        kind: EventType,
        failure: StepFailure | None = None,
        *,
        metrics: TaskMetrics | None = None,
        data: Json | None = None,
    ) -> WorkflowEvent:
        manifest = self._agent.manifest
        event = WorkflowEvent(
            kind,
            self._workflow_id,
            self._execution_id,
            step_id=self._step.id,
            agent_id=AgentId(manifest.id),
            framework=manifest.framework,
            attempt=self._attempt,
            metrics=metrics,
            error_type=failure.error_type if failure else "",
            error=failure.message if failure else "",
            data=data or {},
            run=self._run,
            traceparent=self._traceparent,
        )
        await self._runtime.emitter.emit(event)
        return event


def _cancelled() -> StepFailure:
    return StepFailure("cancelled", "the execution was cancelled", retryable=False)


def _disabled(agent: Agent) -> StepFailure:
    message = f"agent {agent.manifest.id} is disabled and the step has no usable fallback agent"
    return StepFailure("agent_disabled", message, retryable=False)
