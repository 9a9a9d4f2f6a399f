"""Finished spans from records: awf.workflow > awf.step > awf.agent.invoke, with the events' own times."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from awf.core import semconv
from awf.orchestration.identity import SpanIdentity, parse_traceparent
from awf.orchestration.telemetry.record import Record

logger = logging.getLogger(__name__)

MAX_OPEN_EXECUTIONS = 20_000
MAX_EVENTS_PER_SPAN = 128

Value = str | int | float | bool | Sequence[str]
Attributes = dict[str, Value]
Note = tuple[int, str, Attributes]  # time_ns, name, attributes: a span event


@dataclass(slots=True)
class SpanData:
    """A finished span. Times are nanoseconds since the epoch; `error` is the status description of a
    failed span, None where the status is unset."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    start_ns: int
    end_ns: int
    attributes: Attributes
    events: Sequence[Note] = ()
    links: Sequence[SpanIdentity] = ()
    error: str | None = None


@dataclass(slots=True)
class _Open:
    """The beginning of a span, and what happened in it since."""

    start: Record
    notes: list[Note] = field(default_factory=list)


class SpanBuilder:
    """Joins beginnings and ends. An end whose beginning was missed makes a span as long as its metrics say."""

    def __init__(self) -> None:
        # execution and run -> span id -> what is open, the span of the workflow among them
        self._open: OrderedDict[str, dict[str, _Open]] = OrderedDict()

    def add(self, record: Record) -> Sequence[SpanData]:
        """Take a record in and return the spans that it ends."""
        handler = _HANDLERS.get(record.type)
        return handler(self, record) if handler else ()

    def dump(self) -> list[Any]:
        """Return what is open as JSON."""
        return [
            [execution, [[span_id, list(span.start), span.notes] for span_id, span in spans.items()]]
            for execution, spans in self._open.items()
        ]

    def load(self, dumped: Iterable[Any]) -> None:
        """Go on from a dump. Raises ValueError, TypeError for one that is damaged."""
        self._open = OrderedDict(
            (str(execution), {
                str(span_id): _Open(Record._make(start), [(int(at), str(name), dict(more)) for at, name, more in notes])
                for span_id, start, notes in spans
            })
            for execution, spans in dumped
        )  # fmt: skip

    # -- one method for each kind of event

    def _begin(self, record: Record) -> Sequence[SpanData]:
        spans = self._open.get(key := _key(record))
        if spans is None:
            spans = self._open[key] = {}
            if len(self._open) > MAX_OPEN_EXECUTIONS:
                forgotten, _ = self._open.popitem(last=False)
                logger.warning("beginnings of spans forgotten", extra={"execution": forgotten})
        spans[record.span_id] = _Open(record)
        return ()

    def _note(self, record: Record) -> Sequence[SpanData]:
        span = self._open.get(_key(record), {}).get(record.span_id)
        if span is not None and len(span.notes) < MAX_EVENTS_PER_SPAN:
            span.notes.append((record.time_ns, record.type, _note_attributes(record)))
        return ()

    def _end(self, record: Record) -> Sequence[SpanData]:
        spans = self._open.get(_key(record))
        span = spans.pop(record.span_id, None) if spans else None
        return (_finished(span, record),)

    def _end_workflow(self, record: Record) -> Sequence[SpanData]:
        spans = self._open.pop(_key(record), {})
        workflow = spans.pop(record.span_id, None)
        # What is open still will get no end of its own.
        ended = [_finished(left, left.start._replace(time_ns=record.time_ns)) for left in spans.values()]
        return (*ended, _finished(workflow, record))


_HANDLERS = {
    "workflow.started": SpanBuilder._begin,
    "workflow.step.started": SpanBuilder._begin,
    "agent.invoked": SpanBuilder._begin,
    "workflow.step.retrying": SpanBuilder._note,
    "workflow.step.fallback": SpanBuilder._note,
    "workflow.step.skipped": SpanBuilder._note,
    "workflow.step.completed": SpanBuilder._end,
    "workflow.step.failed": SpanBuilder._end,
    "agent.completed": SpanBuilder._end,
    "agent.failed": SpanBuilder._end,
    "workflow.completed": SpanBuilder._end_workflow,
    "workflow.failed": SpanBuilder._end_workflow,
    "workflow.cancelled": SpanBuilder._end_workflow,
}


def _key(record: Record) -> str:
    return f"{record.execution_id}/{record.run}"


def _finished(span: _Open | None, end: Record) -> SpanData:
    start_ns = span.start.time_ns if span else max(0, end.time_ns - int((end.took_ms or 0.0) * 1e6))
    if not end.step_id:
        name, attributes = semconv.SPAN_WORKFLOW, _workflow_attributes(end)
    elif end.type.startswith("agent."):
        name, attributes = semconv.SPAN_AGENT_INVOKE, _agent_attributes(end)
    else:
        name, attributes = semconv.SPAN_STEP, _step_attributes(end)
    for record in (span.start, end) if span else (end,):
        if record.data is not None:
            _add_data(attributes, record.data)
    is_cancelled = end.error_type == semconv.CANCELLED or end.type == "workflow.cancelled"
    notes = span.notes if span else []
    error = None
    if is_cancelled:
        attributes[semconv.STATUS] = semconv.CANCELLED
    elif end.error_type:
        error = end.error
        attributes[semconv.OTEL_ERROR_TYPE] = attributes[semconv.ERROR_TYPE] = end.error_type
        exception: Attributes = {"exception.type": end.error_type, "exception.message": end.error}
        notes.append((end.time_ns, "exception", exception))
    return SpanData(
        name, end.trace_id, end.span_id, end.parent_id, start_ns, max(start_ns, end.time_ns), attributes,
        notes, _links(span.start.data) if span and span.start.data else (), error,
    )  # fmt: skip


def _links(data: Mapping[str, Any]) -> Sequence[SpanIdentity]:
    found = (parse_traceparent(str(text)) for text in data.get("links") or ())
    return tuple(link for link in found if link)


def _workflow_attributes(record: Record) -> Attributes:
    return {semconv.WORKFLOW_ID: record.workflow_id, semconv.EXECUTION_ID: record.execution_id}


def _place(record: Record) -> Attributes:
    """The agent is the one that ran last: the fallback, if it took over."""
    return {
        semconv.WORKFLOW_ID: record.workflow_id,
        semconv.EXECUTION_ID: record.execution_id,
        semconv.STEP_ID: record.step_id,
        semconv.AGENT_ID: record.agent_id,
        semconv.FRAMEWORK: record.framework,
        semconv.ATTEMPT: record.attempt,
    }


def _step_attributes(record: Record) -> Attributes:
    found = _place(record)
    found[semconv.RETRY_COUNT] = record.retry_count
    return found


def _agent_attributes(record: Record) -> Attributes:
    found = _place(record)
    found[semconv.GENAI_OPERATION_NAME] = "invoke_agent"
    found[semconv.GENAI_AGENT_ID] = found[semconv.GENAI_AGENT_NAME] = record.agent_id
    if record.took_ms is not None:
        found[semconv.INPUT_TOKENS] = found[semconv.GENAI_INPUT_TOKENS] = record.input_tokens
        found[semconv.OUTPUT_TOKENS] = found[semconv.GENAI_OUTPUT_TOKENS] = record.output_tokens
        found[semconv.COST_USD] = record.cost_usd
    if record.provider:
        found[semconv.GENAI_PROVIDER_NAME] = record.provider
    if record.model:
        found[semconv.GENAI_REQUEST_MODEL] = record.model
    return found


def _add_data(attributes: Attributes, data: Mapping[str, Any]) -> None:
    """Add what users gave; it never replaces what AWF says."""
    for name, value in (data.get("attributes") or {}).items():
        attributes.setdefault(name, value)
    for name in ("input", "output"):
        if name in data:
            attributes[f"awf.{name}"] = data[name]


def _note_attributes(record: Record) -> Attributes:
    if record.type == "workflow.step.skipped":
        return {semconv.STEP_ID: record.step_id}
    found: Attributes = {semconv.AGENT_ID: record.agent_id, semconv.ATTEMPT: record.attempt}
    if record.error_type:
        found[semconv.ERROR_TYPE] = record.error_type
    if record.type == "workflow.step.fallback" and record.data:
        found[semconv.FALLBACK_OF] = str(record.data.get("fallback_of", ""))
        found[semconv.REASON] = str(record.data.get("reason", ""))
    return found
