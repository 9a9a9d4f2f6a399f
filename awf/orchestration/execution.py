"""One run of a workflow: which steps may start, what they gave, and how it ended."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from awf.core.types import (
    EngineId,
    ExecutionId,
    ExecutionRecord,
    ExecutionStatus,
    Json,
    StepId,
    TaskMetrics,
)
from awf.orchestration.attempts import Runtime, StepFailure, StepRun, add_metrics
from awf.orchestration.events import EventType, WorkflowEvent
from awf.orchestration.identity import SpanIdentity, workflow_span
from awf.orchestration.workflow import Step, Workflow


class Execution:
    """The state of one run, kept after its end so that a failed step can be tried again."""

    def __init__(
        self,
        execution_id: ExecutionId,
        workflow: Workflow,
        input: Json,  # noqa: A002 - the word users know
        created_at: datetime,
        *,
        restarted_from: ExecutionId | None = None,
        traceparent: str = "",
        link: str = "",
    ) -> None:
        self.id = execution_id
        self.workflow = workflow
        self.input = input
        self.created_at = created_at
        self.restarted_from = restarted_from
        self.traceparent = traceparent
        self.run = 1
        # The span that this run follows: of the execution it restarts, or of its own run before.
        self.link = link
        self.status = ExecutionStatus.PENDING
        self.started_at: datetime | None = None
        self.running_since: datetime | None = None  # the present run: `started_at` is that of the first
        self.finished_at: datetime | None = None
        self.outputs: dict[StepId, Any] = {}
        self.failures: dict[StepId, StepFailure] = {}
        self.metrics = TaskMetrics()
        self.retried_step: StepId | None = None
        self.task: asyncio.Task[None] | None = None
        self.finished = asyncio.Event()

    @property
    def span(self) -> SpanIdentity:
        """The span of its present run."""
        return workflow_span(self.id, self.run, self.traceparent)

    @property
    def error(self) -> StepFailure | None:
        """The first failure, with the step's name in its words."""
        for step_id, failure in self.failures.items():
            return StepFailure(failure.error_type, f"step {step_id} failed: {failure.message}")
        return None

    @property
    def output(self) -> Json:
        """The outputs of the steps that no other step waits for."""
        return {step.id: self.outputs.get(step.id) for step in self.workflow.last_steps}

    def record(self, engine_id: EngineId) -> ExecutionRecord:
        """Return the execution as others see it."""
        return ExecutionRecord(
            id=self.id,
            workflow_id=self.workflow.id,
            status=self.status,
            engine_id=engine_id,
            input=self.input,
            output=self.output if self.status is ExecutionStatus.COMPLETED else None,
            error=self.error.message if self.error else None,
            restarted_from=self.restarted_from,
            created_at=self.created_at,
            started_at=self.started_at,
            finished_at=self.finished_at,
        )

    def prepare_retry(self, step_id: StepId) -> None:
        """Go back to pending; the step, and those skipped for its sake, will run again."""
        del self.failures[step_id]
        self.link = self.span.traceparent
        self.run += 1
        self.retried_step = step_id
        self.status = ExecutionStatus.PENDING
        self.finished_at = None
        self.finished.clear()

    async def run_steps(self, runtime: Runtime) -> None:
        """Run every step that has no output yet, each as soon as those it depends on are over."""
        over = {step.id: asyncio.Event() for step in self.workflow.steps}
        async with asyncio.TaskGroup() as group:
            for step in self.workflow.steps:
                group.create_task(self._run_in_turn(step, over, runtime))

    async def _run_in_turn(self, step: Step, over: dict[StepId, asyncio.Event], runtime: Runtime) -> None:
        for name in step.depends_on:
            await over[name].wait()
        missing = [name for name in step.depends_on if name not in self.outputs]
        if missing:
            await self._skip(step, missing, runtime)
        elif step.id not in self.outputs and step.id not in self.failures:
            await self._run_step(step, runtime)
        over[step.id].set()

    async def _run_step(self, step: Step, runtime: Runtime) -> None:
        run = StepRun(
            runtime, step, workflow_id=self.workflow.id, execution_id=self.id, input=self.input,
            outputs=self.outputs, run=self.run, traceparent=self.traceparent,
        )  # fmt: skip
        try:
            outcome = await run.run()
        finally:
            self.metrics = add_metrics(self.metrics, run.metrics)
        if isinstance(outcome, StepFailure):
            self.failures[step.id] = outcome
        else:
            self.outputs[step.id] = outcome.output

    async def _skip(self, step: Step, missing: list[StepId], runtime: Runtime) -> None:
        await runtime.emitter.emit(
            WorkflowEvent(
                EventType.STEP_SKIPPED,
                self.workflow.id,
                self.id,
                step_id=step.id,
                agent_id=step.agent_id,
                framework=runtime.registry.agent(step.agent_id).manifest.framework,
                data={"missing": missing},
                run=self.run,
                traceparent=self.traceparent,
            )
        )
