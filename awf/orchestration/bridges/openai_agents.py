"""OpenAI Agents SDK: a tracing processor. `add_trace_processor(openai_agents_processor(record))`.

A trace is an execution of the workflow it is named for; an agent is a step, an agent used as a tool too;
a generation or response is an attempt of its agent's step. It hears of what the SDK's own tracing hears of:
with tracing disabled there is nothing to record, and a model of one's own must open a `generation_span`.
"""

from __future__ import annotations

import sys
from collections.abc import Hashable, Mapping
from datetime import datetime
from typing import Any

from awf.core.types import TokenUsage
from awf.errors import MissingDependency
from awf.orchestration.bridges import _failures
from awf.orchestration.bridges._failures import Failure, never_raises
from awf.orchestration.bridges._names import label, provider_of
from awf.orchestration.bridges._runs import OpenRuns, Record

CALLS = frozenset({"generation", "response"})
TOOLS = frozenset({"function", "mcp_tools"})
WORKFLOW = "Agent workflow"  # what the SDK calls a workflow that nobody named


def openai_agents_processor(record: Record, *, workflow_id: str = "", include_content: bool = False) -> Any:
    """Return a `TracingProcessor` that records events.

    `workflow_id` names the workflow, else `RunConfig(workflow_name=...)` or `trace(...)` does. Raises
    MissingDependency where openai-agents is not installed.
    """
    try:
        from agents.tracing import TracingProcessor
    except ImportError as error:
        raise MissingDependency(
            f"the OpenAI Agents bridge needs {error.name}, which is not installed",
            hint="pip install openai-agents",
        ) from error
    processor = type("AwfTracingProcessor", (Processor, TracingProcessor), {})
    return processor(OpenRuns(record, "openai-agents", include_content=include_content), workflow_id)


class Processor:
    """The processor itself. The SDK calls it from whatever thread or task the run is in."""

    def __init__(self, runs: OpenRuns, workflow_id: str) -> None:
        self._runs = runs
        self._workflow_id = workflow_id

    @never_raises
    def on_trace_start(self, trace: Any) -> None:
        self._begin(trace.trace_id, trace.trace_id, trace.name)

    @never_raises
    def on_trace_end(self, trace: Any) -> None:
        self._runs.end(trace.trace_id, self._failure(trace.trace_id, None))

    @never_raises
    def on_span_start(self, span: Any) -> None:
        data, key, at = span.span_data, span.span_id, _nanoseconds(span.started_at)
        parent: Hashable = span.parent_id if self._runs.is_open(span.parent_id) else span.trace_id
        if not self._runs.is_open(parent):
            # A run that goes on after an interruption keeps its trace, which is not announced again.
            parent = _around(key)
            self._begin(parent, span.trace_id, getattr(data, "name", ""))
        if data.type == "agent":
            name = label(data.name, "agent")
            self._runs.visit(key, parent, name, agent_id=name, is_nested=True, at=at)
        elif data.type in CALLS:
            self._runs.call(
                key, parent, step_id="model", model=str(getattr(data, "model", None) or ""),
                content=lambda: data.input, at=at,
            )  # fmt: skip
        elif data.type in TOOLS:
            self._runs.tool(key, parent, getattr(data, "name", None) or "mcp_list_tools", at=at)
        else:
            self._runs.part(key, parent, at=at)

    @never_raises
    def on_span_end(self, span: Any) -> None:
        data, key, at = span.span_data, span.span_id, _nanoseconds(span.ended_at)
        failure = self._failure(key, span.error)
        if data.type in CALLS:
            response = getattr(data, "response", None)
            model = str(getattr(response or data, "model", None) or "")
            self._runs.end(
                key, failure, usage=_usage(data), model=model, provider=_provider(data, model),
                content=lambda: _output(data), at=at,
            )  # fmt: skip
        else:
            self._runs.end(key, failure, at=at)
        self._runs.end(_around(key), failure, at=at)

    def force_flush(self) -> None:
        """Nothing waits here: events are recorded as they come."""

    @never_raises
    def shutdown(self) -> None:
        self._runs.give_up_all("the SDK's tracing was shut down")

    def _begin(self, key: Hashable, trace_id: str, name: str) -> None:
        workflow_id = self._workflow_id or label(name, WORKFLOW)
        self._runs.begin(key, workflow_id, execution_id=trace_id, note=_active_id())

    def _failure(self, key: Hashable, error: Mapping[str, Any] | None) -> Failure | None:
        """Return why a run ended: the exception on its way through it, else what the SDK says of it.

        The SDK keeps exceptions to itself, and says nothing of a cancellation. But it ends runs while the
        exception passes; one that was there when the trace began is being handled by somebody outside.
        """
        active = sys.exc_info()[1]
        if active is not None and id(active) != self._runs.note_of(key):
            return _failures.of_exception(active)
        if error is None:
            return None
        details = error.get("data") or {}
        text = str(details.get("error") or error.get("message") or "")
        return _failures.of_text(text, "agent_error")


def _active_id() -> int:
    active = sys.exc_info()[1]
    return id(active) if active is not None else 0


def _around(span_id: str) -> Hashable:
    """Return the key of an execution that began with this span, not with a trace."""
    return ("execution", span_id)


def _usage(data: Any) -> TokenUsage | None:
    usage = data.usage or getattr(getattr(data, "response", None), "usage", None)
    if usage is None:
        return None
    if not isinstance(usage, Mapping):
        usage = {name: getattr(usage, name, 0) for name in ("input_tokens", "output_tokens")}
    read = usage.get("input_tokens") or usage.get("prompt_tokens") or 0
    return TokenUsage(int(read), int(usage.get("output_tokens") or usage.get("completion_tokens") or 0))


def _provider(data: Any, model: str) -> str:
    """Only the Responses API of OpenAI itself makes response spans."""
    if data.type == "response" or "api.openai.com" in str((data.model_config or {}).get("base_url") or ""):
        return "openai"
    return provider_of(model)


def _output(data: Any) -> object:
    response = getattr(data, "response", None)
    return [str(item) for item in response.output] if response is not None else data.output


def _nanoseconds(moment: str | None) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1e6) * 1000 if moment else 0
