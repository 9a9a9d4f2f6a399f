"""Spans from events: awf.workflow > awf.step > awf.agent.invoke, with the events' own times and ids."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from opentelemetry.context import Context
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.trace import Span, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.util.types import AttributeValue

from awf.core import semconv
from awf.orchestration.events import EventType, WorkflowEvent

logger = logging.getLogger(__name__)

MAX_OPEN_EXECUTIONS = 20_000

Attributes = dict[str, AttributeValue]


class EventIds(IdGenerator):
    """Trace ids from execution ids and span ids from event ids, so that a replay makes the same ones.

    Spans that others start on the same provider get random ids.
    """

    def __init__(self) -> None:
        self._random = RandomIdGenerator()
        self._planned = threading.local()

    def plan(self, event: WorkflowEvent) -> None:
        """Fix the ids of the next span that this thread starts."""
        self._planned.trace = _hash(f"trace/{event.execution_id}", 16)
        self._planned.span = _hash(f"span/{event.id}", 8)

    def clear(self) -> None:
        self._planned.__dict__.clear()

    def generate_trace_id(self) -> int:
        return getattr(self._planned, "trace", 0) or self._random.generate_trace_id()

    def generate_span_id(self) -> int:
        return getattr(self._planned, "span", 0) or self._random.generate_span_id()


def _hash(text: str, size: int) -> int:
    # Zero means "no id" to OpenTelemetry.
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=size).digest()) or 1


@dataclass(slots=True)
class _OpenSpans:
    """The spans of one execution that have not ended."""

    workflow: Span | None = None
    steps: dict[str, Span] = field(default_factory=dict)
    agents: dict[str, Span] = field(default_factory=dict)


class SpanBuilder:
    """Starts and ends spans as events come. An event whose beginning was missed makes no span."""

    def __init__(self, tracer: Tracer, ids: EventIds) -> None:
        self._tracer = tracer
        self._ids = ids
        self._open: OrderedDict[str, _OpenSpans] = OrderedDict()

    def on_event(self, event: WorkflowEvent) -> Context:
        """Take an event in and return the context of its span, for what is recorded beside it."""
        spans = self._open.get(event.execution_id)
        if spans is None:
            spans = self._open[event.execution_id] = _OpenSpans()
            if len(self._open) > MAX_OPEN_EXECUTIONS:
                forgotten, _ = self._open.popitem(last=False)
                logger.warning("spans of an execution given up", extra={"execution_id": forgotten})
        span = self._apply(event, spans)
        return set_span_in_context(span, Context()) if span else Context()

    def _apply(self, event: WorkflowEvent, spans: _OpenSpans) -> Span | None:
        step_id = event.step_id or ""
        match event.type:
            case EventType.WORKFLOW_STARTED:
                spans.workflow = self._start(semconv.SPAN_WORKFLOW, event, None)
                return spans.workflow
            case EventType.STEP_STARTED:
                spans.steps[step_id] = self._start(semconv.SPAN_STEP, event, spans.workflow)
                return spans.steps[step_id]
            case EventType.AGENT_INVOKED:
                parent = spans.steps.get(step_id)
                spans.agents[step_id] = self._start(semconv.SPAN_AGENT_INVOKE, event, parent)
                return spans.agents[step_id]
            case EventType.AGENT_COMPLETED | EventType.AGENT_FAILED:
                return _end(spans.agents.pop(step_id, None), event, _agent_attributes(event))
            case EventType.STEP_COMPLETED | EventType.STEP_FAILED:
                return _end(spans.steps.pop(step_id, None), event, _step_attributes(event))
            case EventType.STEP_RETRYING | EventType.STEP_FALLBACK:
                step = spans.steps.get(step_id)
                if step is not None:
                    step.add_event(event.type.value, _note(event), event.time_ns)
                return step
            case EventType.STEP_SKIPPED:
                if spans.workflow is not None:
                    note: Attributes = {semconv.STEP_ID: step_id}
                    spans.workflow.add_event(event.type.value, note, event.time_ns)
                return spans.workflow
            case _:
                del self._open[event.execution_id]
                for left in (*spans.agents.values(), *spans.steps.values()):
                    left.end(event.time_ns)
                return _end(spans.workflow, event, {})

    def _start(self, name: str, event: WorkflowEvent, parent: Span | None) -> Span:
        context = set_span_in_context(parent, Context()) if parent else Context()
        self._ids.plan(event)
        try:
            return self._tracer.start_span(
                name, context, attributes=_attributes(event), start_time=event.time_ns
            )
        finally:
            self._ids.clear()


def _end(span: Span | None, event: WorkflowEvent, attributes: Attributes) -> Span | None:
    if span is None:
        return None
    if attributes:
        span.set_attributes(attributes)
    if event.error_type and event.error_type != semconv.CANCELLED:
        span.set_attributes({semconv.OTEL_ERROR_TYPE: event.error_type, semconv.ERROR_TYPE: event.error_type})
        exception = {"exception.type": event.error_type, "exception.message": event.error}
        span.add_event("exception", exception, event.time_ns)
        span.set_status(Status(StatusCode.ERROR, event.error))
    if event.error_type == semconv.CANCELLED or event.type is EventType.WORKFLOW_CANCELLED:
        span.set_attribute(semconv.STATUS, semconv.CANCELLED)
    span.end(event.time_ns)
    return span


def _attributes(event: WorkflowEvent) -> Attributes:
    found: Attributes = {
        semconv.WORKFLOW_ID: event.workflow_id,
        semconv.EXECUTION_ID: event.execution_id,
    }
    if event.step_id:
        found[semconv.STEP_ID] = event.step_id
    if event.agent_id:
        found[semconv.AGENT_ID] = event.agent_id
        found[semconv.FRAMEWORK] = event.framework
    if event.type is EventType.AGENT_INVOKED:
        found |= {
            semconv.ATTEMPT: event.attempt,
            semconv.GENAI_OPERATION_NAME: "invoke_agent",
            semconv.GENAI_AGENT_ID: event.agent_id or "",
            semconv.GENAI_AGENT_NAME: event.agent_id or "",
        }
    return found


def _agent_attributes(event: WorkflowEvent) -> Attributes:
    found: Attributes = {}
    if event.metrics:
        tokens = event.metrics.token_usage
        found = {
            semconv.INPUT_TOKENS: tokens.input_tokens,
            semconv.OUTPUT_TOKENS: tokens.output_tokens,
            semconv.COST_USD: event.metrics.cost_usd,
            semconv.GENAI_INPUT_TOKENS: tokens.input_tokens,
            semconv.GENAI_OUTPUT_TOKENS: tokens.output_tokens,
        }
    if provider := event.data.get("provider"):
        found[semconv.GENAI_PROVIDER_NAME] = str(provider)
    if model := event.data.get("model"):
        found[semconv.GENAI_REQUEST_MODEL] = str(model)
    return found


def _step_attributes(event: WorkflowEvent) -> Attributes:
    """The agent is the one that ran last: the fallback, if it took over."""
    return {
        semconv.AGENT_ID: event.agent_id or "",
        semconv.FRAMEWORK: event.framework,
        semconv.ATTEMPT: event.attempt,
        semconv.RETRY_COUNT: event.metrics.retry_count if event.metrics else 0,
    }


def _note(event: WorkflowEvent) -> Attributes:
    found: Attributes = {semconv.AGENT_ID: event.agent_id or "", semconv.ATTEMPT: event.attempt}
    if event.error_type:
        found[semconv.ERROR_TYPE] = event.error_type
    if event.type is EventType.STEP_FALLBACK:
        found[semconv.FALLBACK_OF] = str(event.data.get("fallback_of", ""))
        found[semconv.REASON] = str(event.data.get("reason", ""))
    return found
