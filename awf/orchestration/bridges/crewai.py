"""CrewAI: a listener on its event bus. `crewai_listener(record)` once, and every crew and flow is followed.

A crew's kickoff, or a flow, is an execution; a task, or a flow's method, is a step; a call of a model is an
attempt of its step, made by the agent whose role it has. Names with inputs filled in are not used: of a task
without a name, the step is named for the role of its agent, as it was before inputs were filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from awf.core.types import TokenUsage
from awf.errors import MissingDependency
from awf.orchestration.bridges import _failures
from awf.orchestration.bridges._failures import Failure, never_raises
from awf.orchestration.bridges._names import label, provider_of
from awf.orchestration.bridges._runs import OpenRuns, Record

STARTED = "_started"
ENDINGS = ("_completed", "_finished", "_failed", "_error", "_paused", "_canceled")
TOOLS = frozenset({"tool_usage_started", "mcp_tool_execution_started"})


def crewai_listener(record: Record, *, workflow_id: str = "", include_content: bool = False) -> Listener:
    """Listen on CrewAI's event bus, of which a process has one, until the listener's `close`.

    `workflow_id` names the workflow, else the crew's or flow's name does. Raises MissingDependency where
    crewai is not installed.
    """
    try:
        import crewai.events.event_listener  # noqa: F401 - loads the kinds of events
        from crewai.events.base_events import BaseEvent
        from crewai.events.event_bus import crewai_event_bus, is_replaying
    except ImportError as error:
        raise MissingDependency(
            f"the CrewAI bridge needs {error.name}, which is not installed or too old",
            hint="pip install 'crewai>=1.15'",
        ) from error
    listener = Listener(
        OpenRuns(record, "crewai", include_content=include_content), workflow_id, is_replaying
    )
    listener.open(crewai_event_bus, BaseEvent)
    return listener


class Listener:
    """Hears the events in the order they were emitted in, and joins starts and ends by their ids."""

    def __init__(self, runs: OpenRuns, workflow_id: str, is_replaying: Callable[[], bool]) -> None:
        self._runs = runs
        self._workflow_id = workflow_id
        self._is_replaying = is_replaying
        self._close: list[Callable[[], object]] = []

    def open(self, bus: Any, base: Any) -> None:
        """Listen to every kind of event that starts or ends something."""

        # The bus runs plain functions in a pool of threads, in any order; coroutines one after the other.
        async def hear(source: Any, event: Any) -> None:
            self.on_event(source, event)

        def off(kind: Any) -> Callable[[], object]:
            return lambda: bus.off(kind, hear)

        for kind in _kinds(base):
            bus.on(kind)(hear)
            self._close.append(off(kind))

    def close(self) -> None:
        """Stop listening; what is open is ended as cancelled."""
        while self._close:
            self._close.pop()()
        self._runs.give_up_all("the listener was closed")

    @never_raises
    def on_event(self, source: Any, event: Any) -> None:
        """Take one event of the bus. One that is replayed from a checkpoint happened before."""
        if self._is_replaying():
            return
        at = int(event.timestamp.timestamp() * 1e6) * 1000
        if event.type.endswith(STARTED):
            self._start(source, event, at)
        elif event.started_event_id:
            self._end(event, at)

    def _start(self, source: Any, event: Any, at: int) -> None:
        key, parent = event.event_id, event.parent_event_id
        if not self._runs.is_open(parent):
            parent = self._begin(source, event, at)
            if parent is None or parent == key:
                return
        match event.type:
            case "task_started":
                task = event.task if getattr(event, "task", None) is not None else source
                role = _role(getattr(task, "agent", None))
                name = label(getattr(task, "name", None), "") or role or "task"
                self._runs.visit(key, parent, name, agent_id=role, is_nested=True, at=at)
            case "method_execution_started":
                self._runs.visit(key, parent, label(event.method_name, "method"), is_nested=True, at=at)
            case "llm_call_started":
                model = str(event.model or "")
                self._runs.call(
                    key, parent, step_id="model", model=model, provider=provider_of(model),
                    content=lambda: event.messages, at=at,
                )  # fmt: skip
            case kind if kind in TOOLS:
                self._runs.tool(key, parent, event.tool_name, at=at)
            case "agent_execution_started" | "lite_agent_execution_started":
                role = _role(getattr(event, "agent", None)) or _info_role(event)
                # An agent that was asked without a task around it is a step itself.
                self._runs.visit(key, parent, role or "agent", agent_id=role, at=at)
            case _:
                self._runs.part(key, parent, at=at)

    def _begin(self, source: Any, event: Any, at: int) -> str | tuple[str, str] | None:
        """Start an execution where one can start, and return its key, which for a crew or a flow is the
        event's own."""
        names: Mapping[str, Callable[[], object]] = {
            "crew_kickoff_started": lambda: event.crew_name,
            "flow_started": lambda: event.flow_name,
            "task_started": lambda: "task",
            "agent_execution_started": lambda: _role(event.agent),
            "lite_agent_execution_started": lambda: _info_role(event),
            "llm_call_started": lambda: "model",
        }
        name = names.get(event.type)
        if name is None:
            return None
        is_whole = event.type in {"crew_kickoff_started", "flow_started"}
        key = event.event_id if is_whole else _around(event.event_id)
        self._runs.begin(
            key, self._workflow_id or label(name(), "crew"), execution_id=event.event_id,
            content=getattr(event, "inputs", None), at=at,
        )  # fmt: skip
        return key

    def _end(self, event: Any, at: int) -> None:
        failure = _failure(event)
        if event.type == "llm_call_completed":
            model = str(event.model or "")
            self._runs.end(
                event.started_event_id, usage=_usage(event.usage or {}), model=model,
                provider=provider_of(model), content=lambda: event.response, at=at,
            )  # fmt: skip
        else:
            self._runs.end(event.started_event_id, failure, content=lambda: _output(event), at=at)
        self._runs.end(_around(event.started_event_id), failure, at=at)


def _kinds(base: Any) -> Iterator[Any]:
    for kind in base.__subclasses__():
        name = kind.model_fields["type"].default
        if isinstance(name, str) and name.endswith((STARTED, *ENDINGS)):
            yield kind
        yield from _kinds(kind)


def _around(event_id: str) -> tuple[str, str]:
    """Return the key of an execution that began with something smaller than a crew or a flow."""
    return ("execution", event_id)


def _role(agent: Any) -> str:
    """Return an agent's role as it was written, without the inputs of this kickoff."""
    return label(getattr(agent, "_original_role", None) or getattr(agent, "role", None), "")


def _info_role(event: Any) -> str:
    return label((getattr(event, "agent_info", None) or {}).get("role"), "")


def _failure(event: Any) -> Failure | None:
    error = getattr(event, "error", None)
    if error is None:
        error = getattr(event, "failure", None)
    if error is None:
        return None
    if isinstance(error, BaseException):
        return _failures.of_exception(error)
    kind = getattr(event, "error_type", None)
    # The text first: what an agent's error was is often in it, wrapped in another exception.
    return _failures.of_text(str(error), kind.__name__ if isinstance(kind, type) else event.type)


def _usage(usage: Mapping[str, Any]) -> TokenUsage:
    """Return the tokens from a provider's own report, which every provider words in its own way."""
    read = next(
        (usage[name] for name in ("prompt_tokens", "input_tokens", "prompt_token_count") if usage.get(name)),
        0,
    )
    names = ("completion_tokens", "output_tokens", "candidates_token_count")
    return TokenUsage(int(read), int(next((usage[name] for name in names if usage.get(name)), 0)))


def _output(event: Any) -> object:
    output = getattr(event, "output", None)
    return getattr(output, "raw", output) if output is not None else getattr(event, "result", None)
