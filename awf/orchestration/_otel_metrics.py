"""Metrics from events, and gauges that look at an engine when they are collected."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Meter, Observation

from awf.core import semconv
from awf.core.counters import Counters
from awf.orchestration.engine import EngineSnapshot
from awf.orchestration.events import EventType, WorkflowEvent

_FROM_EVENTS = frozenset({
    semconv.STEP_DURATION, semconv.TOKENS, semconv.COST, semconv.WORKFLOWS, semconv.RETRIES,
    semconv.FALLBACKS, semconv.AGENT_INVOCATIONS,
})  # fmt: skip
_FROM_ENGINE = frozenset({
    semconv.EXECUTIONS_ACTIVE, semconv.EXECUTIONS_PENDING, semconv.WORKERS, semconv.AGENT_TRUST_SCORE,
})  # fmt: skip


class MetricRecorder:
    """Turns events into the instruments of `semconv`; none of them has a unit, so names stay as they are."""

    def __init__(self, meter: Meter) -> None:
        self._durations = meter.create_histogram(
            semconv.STEP_DURATION,
            description="Time a step took, all attempts and waits included, in milliseconds.",
            explicit_bucket_boundaries_advisory=list(semconv.STEP_DURATION_BUCKETS_MS),
        )
        self._tokens = meter.create_counter(semconv.TOKENS, description="Tokens read and written.")
        self._cost = meter.create_counter(semconv.COST, description="Money spent, in US dollars.")
        self._workflows = meter.create_counter(semconv.WORKFLOWS, description="Executions that ended.")
        self._retries = meter.create_counter(semconv.RETRIES, description="Attempts repeated.")
        self._fallbacks = meter.create_counter(semconv.FALLBACKS, description="Fallback agents called in.")
        self._invocations = meter.create_counter(
            semconv.AGENT_INVOCATIONS, description="Agent invocations that ended, one per attempt."
        )
        self._known: set[tuple[str, str]] = set()

    def on_event(self, event: WorkflowEvent, context: Context) -> None:
        """Record what an event says; exemplars point to the span in `context`."""
        agent_id, step_id = event.agent_id or "", event.step_id or ""
        match event.type:
            case EventType.AGENT_COMPLETED | EventType.AGENT_FAILED:
                self._agent_ended(event, agent_id, context)
            case EventType.STEP_COMPLETED | EventType.STEP_FAILED if event.metrics:
                labels = {
                    semconv.WORKFLOW_ID: event.workflow_id,
                    semconv.STEP_ID: step_id,
                    semconv.AGENT_ID: agent_id,
                    semconv.FRAMEWORK: event.framework,
                    semconv.STATUS: _status(event),
                }
                self._durations.record(event.metrics.execution_time_ms, labels, context)
            case EventType.STEP_RETRYING:
                self._retries.add(1, {semconv.STEP_ID: step_id, semconv.AGENT_ID: agent_id}, context)
            case EventType.STEP_FALLBACK:
                self._fallbacks.add(1, {semconv.STEP_ID: step_id}, context)
            case (
                EventType.WORKFLOW_STARTED
                | EventType.WORKFLOW_COMPLETED
                | EventType.WORKFLOW_FAILED
                | EventType.WORKFLOW_CANCELLED
            ):
                self._workflow_changed(event, context)
            case _:
                pass

    def _agent_ended(self, event: WorkflowEvent, agent_id: str, context: Context) -> None:
        labels = {semconv.AGENT_ID: agent_id, semconv.FRAMEWORK: event.framework}
        if self._is_new("agent", agent_id):
            # A counter that appears with its first failure hides that failure from rate().
            for status in (semconv.COMPLETED, semconv.FAILED):
                self._invocations.add(0, {**labels, semconv.STATUS: status})
        self._invocations.add(1, {**labels, semconv.STATUS: _status(event)}, context)
        if event.metrics is None:
            return
        usage, model = event.metrics.token_usage, str(event.data.get("model", ""))
        for direction, count in (("input", usage.input_tokens), ("output", usage.output_tokens)):
            if count > 0:
                self._tokens.add(
                    count,
                    {semconv.AGENT_ID: agent_id, semconv.DIRECTION: direction, semconv.MODEL: model},
                    context,
                )
        if event.metrics.cost_usd > 0:
            provider = str(event.data.get("provider", ""))
            self._cost.add(
                event.metrics.cost_usd, {semconv.AGENT_ID: agent_id, semconv.PROVIDER: provider}, context
            )

    def _workflow_changed(self, event: WorkflowEvent, context: Context) -> None:
        labels = {semconv.WORKFLOW_ID: event.workflow_id}
        if self._is_new("workflow", event.workflow_id):
            for status in (semconv.COMPLETED, semconv.FAILED):
                self._workflows.add(0, {**labels, semconv.STATUS: status})
        if event.type is not EventType.WORKFLOW_STARTED:
            self._workflows.add(1, {**labels, semconv.STATUS: _status(event)}, context)

    def _is_new(self, kind: str, name: str) -> bool:
        if (kind, name) in self._known:
            return False
        self._known.add((kind, name))
        return True


def _status(event: WorkflowEvent) -> str:
    if event.type is EventType.WORKFLOW_CANCELLED or event.error_type == semconv.CANCELLED:
        return semconv.CANCELLED
    is_success = event.type in {
        EventType.WORKFLOW_COMPLETED, EventType.STEP_COMPLETED, EventType.AGENT_COMPLETED,
    }  # fmt: skip
    return semconv.COMPLETED if is_success else semconv.FAILED


def observe_engine(meter: Meter, snapshot: Callable[[], EngineSnapshot]) -> None:
    """Make gauges that ask for a snapshot at every collection, from the collecting thread."""

    def gauge(name: str, description: str, read: Callable[[EngineSnapshot], Iterable[Observation]]) -> None:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            return read(snapshot())

        meter.create_observable_gauge(name, [observe], description=description)

    workflow, agent = semconv.WORKFLOW_ID, semconv.AGENT_ID
    gauge(
        semconv.EXECUTIONS_ACTIVE,
        "Executions that run now.",
        lambda now: [Observation(count, {workflow: name}) for name, count in now.active.items()],
    )
    gauge(
        semconv.EXECUTIONS_PENDING,
        "Executions that wait for a worker.",
        lambda now: [Observation(count, {workflow: name}) for name, count in now.pending.items()],
    )
    gauge(semconv.WORKERS, "Executions that may run at once.", lambda now: [Observation(now.workers)])
    gauge(
        semconv.AGENT_TRUST_SCORE,
        "Trust score from the agent's manifest, 0 to 1.",
        lambda now: [Observation(score, {agent: name}) for name, score in now.trust_scores.items()],
    )


def observe_counters(meter: Meter, counters: Counters) -> None:
    """Export what the pipeline counts about itself."""
    for name in semconv.METRIC_LABELS.keys() - _FROM_EVENTS - _FROM_ENGINE:

        def observe(_: CallbackOptions, wanted: str = name) -> Iterable[Observation]:
            return [Observation(v, labels) for found, labels, v in counters.snapshot() if found == wanted]

        if name.endswith("_total"):
            meter.create_observable_counter(name, [observe])
        else:
            meter.create_observable_gauge(name, [observe])
