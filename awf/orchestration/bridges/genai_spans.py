"""OpenTelemetry GenAI spans, for programs that are instrumented with nothing else: a span processor.

The outermost span of an agent or a workflow is an execution, and its trace goes on in AWF's spans; agents
inside it are steps; calls of models are attempts. Children end before their parents, so events are recorded
when the outermost span ends, all at once and with the spans' times: nothing is seen of a run that goes on.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from awf.core import semconv
from awf.core.types import TokenUsage
from awf.errors import MissingDependency
from awf.orchestration.bridges import _failures
from awf.orchestration.bridges._failures import Failure, never_raises
from awf.orchestration.bridges._names import label
from awf.orchestration.bridges._runs import OpenRuns, Record

logger = logging.getLogger(__name__)

WORKFLOW, AGENT, TOOL = "invoke_workflow", "invoke_agent", "execute_tool"
CALLS = frozenset({"chat", "text_completion", "generate_content"})
OPERATIONS = CALLS | {WORKFLOW, AGENT, TOOL}
MAX_OPEN_SPANS = 10_000
MAX_SPANS_PER_EXECUTION = 10_000

Key = tuple[int, int]  # trace id, span id


def genai_span_processor(record: Record, *, workflow_id: str = "", include_content: bool = False) -> Any:
    """Return a `SpanProcessor` for `TracerProvider.add_span_processor`.

    `workflow_id` names the workflow, else the outermost span does. Raises MissingDependency where the
    OpenTelemetry SDK is not installed.
    """
    try:
        from opentelemetry.sdk.trace import SpanProcessor
    except ImportError as error:
        raise MissingDependency(
            f"the bridge for OpenTelemetry spans needs {error.name}, which is not installed",
            hint="pip install opentelemetry-sdk",
        ) from error
    processor = type("AwfSpanProcessor", (Processor, SpanProcessor), {})
    return processor(OpenRuns(record, "opentelemetry", include_content=include_content), workflow_id)


@dataclass(slots=True)
class _Span:
    """An ended span; `parent` is the nearest GenAI span around it, None for the outermost."""

    key: Key
    parent: Key | None
    depth: int
    operation: str
    source: Any
    start: int
    end: int

    @property
    def attributes(self) -> Mapping[str, Any]:
        return self.source.attributes or {}


class Processor:
    """Follows which spans are open, to know which of them is the outermost around one that ends."""

    def __init__(self, runs: OpenRuns, workflow_id: str) -> None:
        self._runs = runs
        self._workflow_id = workflow_id
        self._lock = threading.RLock()
        self._open: OrderedDict[Key, Any] = OrderedDict()
        self._waiting: dict[Key, list[_Span]] = {}
        self._given_up = 0

    @never_raises
    def on_start(self, span: Any, parent_context: Any = None) -> None:
        if _is_ours(span):
            return
        with self._lock:
            self._open[_key(span.context)] = span
            if len(self._open) > MAX_OPEN_SPANS:
                oldest, _ = self._open.popitem(last=False)
                self._give_up(len(self._waiting.pop(oldest, ())))

    @never_raises
    def on_end(self, span: Any) -> None:
        if _is_ours(span):
            return
        with self._lock:
            key = _key(span.context)
            self._open.pop(key, None)
            operation = _operation(span)
            waiting = self._waiting.pop(key, [])
            if operation is None:
                return
            around = list(self._around(span))
            parent, top = (around[0], around[-1]) if around else (None, None)
            ended = _Span(key, parent, len(around), operation, span, span.start_time, span.end_time)
            if top is not None:
                kept = self._waiting.setdefault(top, [])
                if len(kept) < MAX_SPANS_PER_EXECUTION:
                    kept.append(ended)
                else:
                    self._give_up(1)
                return
        self._tell(ended, waiting)

    def shutdown(self) -> None:
        """Forget what waits for an outermost span that did not end."""
        with self._lock:
            left = sum(len(spans) for spans in self._waiting.values())
            self._open.clear()
            self._waiting.clear()
        if left:
            self._give_up(left)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Say that nothing is left to do: what waits, waits for its outermost span."""
        return True

    def _around(self, span: Any) -> Iterator[Key]:
        """Yield the open GenAI spans around one, from the inside out."""
        parent = span.parent
        while parent is not None:
            key = _key(parent)
            outer = self._open.get(key)
            if outer is None:
                return
            if _operation(outer) is not None:
                yield key
            parent = outer.parent

    def _give_up(self, spans: int) -> None:
        if spans == 0:
            return
        self._given_up += spans
        logger.warning(
            "spans given up, for the outermost span around them did not end in time",
            extra={"spans": spans, "given_up": self._given_up},
        )

    # -- one execution, once its outermost span has ended

    def _tell(self, top: _Span, inner: list[_Span]) -> None:
        """Play the spans' starts and ends in the order of their times."""
        spans = {span.key: span for span in [top, *sorted(inner, key=lambda span: span.depth)]}
        for span in spans.values():
            around = spans.get(span.parent) if span.parent else None
            if around is None and span is not top:
                span.parent, around = top.key, top
            span.start = max(span.start, around.start if around else 0)
            span.end = max(span.end, span.start)
        callers = {span.parent for span in spans.values() if span.operation in CALLS}
        moments = [(span.start, 0, span.depth, span) for span in spans.values()]
        moments += [(span.end, 1, -span.depth, span) for span in spans.values()]
        moments.sort(key=lambda moment: moment[:3])
        self._begin(top)
        for _, is_end, _, span in moments:
            if is_end:
                self._end(span)
            else:
                self._start(span, is_silent=span.key not in callers)
        last = max(span.end for span in spans.values())
        self._runs.end(("execution", top.key), _failure(top.source), content=_content(top, "output"), at=last)

    def _begin(self, top: _Span) -> None:
        context = top.source.context
        scope = top.source.instrumentation_scope
        self._runs.begin(
            ("execution", top.key),
            self._workflow_id or _name(top),
            execution_id=f"{context.trace_id:032x}-{context.span_id:016x}",
            traceparent=f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}",
            framework=label(scope.name.removeprefix("opentelemetry.instrumentation.") if scope else "", ""),
            content=_content(top, "input"),
            at=top.start,
        )

    def _start(self, span: _Span, *, is_silent: bool) -> None:
        parent: Any = span.parent or ("execution", span.key)
        if span.operation in CALLS:
            self._call(span.key, parent, span)
        elif span.operation == AGENT:
            name = _name(span)
            self._runs.visit(span.key, parent, name, agent_id=name, is_nested=True, at=span.start)
            if is_silent and _usage(span.attributes) is not None:
                # An agent elsewhere, whose calls have no spans here: its tokens are known all the same.
                self._call(("call", span.key), span.key, span)
        elif span.operation == TOOL:
            self._runs.tool(span.key, parent, _name(span), at=span.start)
        else:
            self._runs.part(span.key, parent, at=span.start)

    def _call(self, key: Any, parent: Any, span: _Span) -> None:
        found = span.attributes
        agent_id = label(found.get(semconv.GENAI_AGENT_NAME), "")
        step_id = agent_id or span.operation
        model = str(found.get(semconv.GENAI_REQUEST_MODEL) or "")
        self._runs.call(
            key, parent, step_id=step_id, agent_id=agent_id, model=model, provider=_provider(found),
            content=_content(span, "input"), at=span.start,
        )  # fmt: skip

    def _end(self, span: _Span) -> None:
        found, failure = span.attributes, _failure(span.source)
        for key in (("call", span.key), span.key):
            self._runs.end(
                key,
                failure,
                usage=_usage(found),
                cost_usd=float(found.get("operation.cost") or 0.0),
                model=str(found.get(semconv.GENAI_REQUEST_MODEL) or found.get("gen_ai.response.model") or ""),
                provider=_provider(found),
                content=_content(span, "output"),
                at=span.end,
            )


def _key(context: Any) -> Key:
    return (context.trace_id, context.span_id)


def _is_ours(span: Any) -> bool:
    """AWF's own spans have GenAI attributes too; they must not come back as events."""
    scope = span.instrumentation_scope
    return scope is not None and scope.name == semconv.SCOPE_NAME


def _operation(span: Any) -> str | None:
    found = (span.attributes or {}).get(semconv.GENAI_OPERATION_NAME)
    return found if found in OPERATIONS else None


def _name(span: _Span) -> str:
    names = {
        WORKFLOW: "gen_ai.workflow.name",
        AGENT: semconv.GENAI_AGENT_NAME,
        TOOL: "gen_ai.tool.name",
    }
    given = span.attributes.get(names.get(span.operation, semconv.GENAI_AGENT_NAME))
    # The conventions put the name behind the operation in the span's own name.
    behind = span.source.name.removeprefix(span.operation) if span.operation not in CALLS else ""
    return label(given or behind, span.operation)


def _provider(found: Mapping[str, Any]) -> str:
    return str(found.get(semconv.GENAI_PROVIDER_NAME) or found.get("gen_ai.system") or "")


def _usage(found: Mapping[str, Any]) -> TokenUsage | None:
    """Return the tokens, by the names of today or those before version 1.27 of the conventions."""
    read = found.get(semconv.GENAI_INPUT_TOKENS, found.get("gen_ai.usage.prompt_tokens"))
    written = found.get(semconv.GENAI_OUTPUT_TOKENS, found.get("gen_ai.usage.completion_tokens"))
    return TokenUsage(int(read or 0), int(written or 0)) if (read, written) != (None, None) else None


def _failure(span: Any) -> Failure | None:
    if span.status.status_code.name != "ERROR":
        return None
    exceptions = [event.attributes or {} for event in span.events if event.name == "exception"]
    details = exceptions[-1] if exceptions else {}
    name = str((span.attributes or {}).get(semconv.OTEL_ERROR_TYPE) or details.get("exception.type") or "")
    text = str(span.status.description or details.get("exception.message") or name)
    if name.isdigit():
        return _failures.of_status(int(name), text)
    return _failures.named(name, text) if name else _failures.of_text(text, "error")


def _content(span: _Span, side: str) -> Any:
    found = span.attributes.get(f"gen_ai.{side}.messages")
    return found if found is None or isinstance(found, str) else json.dumps(found, default=str)
