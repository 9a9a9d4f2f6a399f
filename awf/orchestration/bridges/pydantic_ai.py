"""pydantic-ai: a capability. `Agent(..., capabilities=[pydantic_ai_capability(record)])`.

The run of an agent is an execution with one step, both named for the agent; a request to the model is an
attempt of it. An agent that runs inside another one's run, as when a tool delegates, is a step of that run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from awf.core.types import TokenUsage
from awf.errors import MissingDependency
from awf.orchestration.bridges import _failures
from awf.orchestration.bridges._failures import Failure, never_raises
from awf.orchestration.bridges._names import label
from awf.orchestration.bridges._runs import OpenRuns, Record


def pydantic_ai_capability(record: Record, *, workflow_id: str = "", include_content: bool = False) -> Any:
    """Return a capability that records events; one serves any number of agents and runs at once.

    `workflow_id` names the workflow, else the outermost agent's name does. Raises MissingDependency where
    pydantic-ai 2 is not installed.
    """
    try:
        from pydantic_ai.capabilities import Hooks
    except ImportError as error:
        raise MissingDependency(
            f"the pydantic-ai bridge needs {error.name}, which is not installed or too old",
            hint="pip install 'pydantic-ai-slim>=2'",
        ) from error
    wraps = Wraps(OpenRuns(record, "pydantic-ai", include_content=include_content), workflow_id)
    return Hooks(run=wraps.run, model_request=wraps.model_request, tool_execute=wraps.tool_execute)


class Wraps:
    """What the capability wraps around runs, requests and tools. The results pass through untouched."""

    def __init__(self, runs: OpenRuns, workflow_id: str) -> None:
        self._runs = runs
        self._workflow_id = workflow_id
        self._around: ContextVar[object] = ContextVar("awf_pydantic_ai_run", default=None)

    async def run(self, ctx: Any, *, handler: Callable[[], Awaitable[Any]]) -> Any:
        outer, key = self._around.get(), ("run", ctx.run_id)
        self._start_run(key, outer, ctx)
        token = self._around.set(key)
        try:
            result = await handler()
        except BaseException as error:
            self._end_run(key, ctx, error=error)
            raise
        else:
            self._end_run(key, ctx, output=result.output)
            return result
        finally:
            # The framework may end a run in another context than the one it began in.
            with contextlib.suppress(ValueError):
                self._around.reset(token)

    async def model_request(
        self, ctx: Any, *, request_context: Any, handler: Callable[[Any], Awaitable[Any]]
    ) -> Any:
        key = object()
        self._start_request(key, ctx, request_context)
        try:
            response = await handler(request_context)
        except BaseException as error:
            self._end_with(key, error)
            raise
        self._end_request(key, response)
        return response

    async def tool_execute(
        self, ctx: Any, *, call: Any, tool_def: Any, args: Any, handler: Callable[[Any], Awaitable[Any]]
    ) -> Any:
        key = object()
        self._start_tool(key, ctx, call.tool_name)
        try:
            result = await handler(args)
        except BaseException as error:
            self._end_with(key, error)
            raise
        self._end_tool(key)
        return result

    @never_raises
    def _start_run(self, key: object, outer: object, ctx: Any) -> None:
        name = label(getattr(ctx.agent, "name", None), "agent")
        if not self._runs.is_open(outer):
            outer = ("execution", ctx.run_id)
            self._runs.begin(
                outer, self._workflow_id or name, execution_id=str(ctx.run_id), content=lambda: ctx.prompt
            )
        self._runs.visit(key, outer, name, agent_id=name, is_nested=True)

    @never_raises
    def _end_run(
        self, key: object, ctx: Any, *, error: BaseException | None = None, output: object = None
    ) -> None:
        failure = _failures.of_exception(error) if error is not None else None
        self._runs.end(key, failure)
        self._runs.end(("execution", ctx.run_id), failure, content=lambda: output)

    @never_raises
    def _start_request(self, key: object, ctx: Any, request: Any) -> None:
        self._runs.call(
            key, ("run", ctx.run_id), step_id="model", model=str(request.model.model_name or ""),
            provider=str(request.model.system or ""), content=lambda: request.messages,
        )  # fmt: skip

    @never_raises
    def _end_request(self, key: object, response: Any) -> None:
        usage = TokenUsage(int(response.usage.input_tokens or 0), int(response.usage.output_tokens or 0))
        self._runs.end(
            key, usage=usage, cost_usd=_cost(response), model=str(response.model_name or ""),
            provider=str(response.provider_name or ""), content=lambda: response.parts,
        )  # fmt: skip

    @never_raises
    def _start_tool(self, key: object, ctx: Any, name: str) -> None:
        self._runs.tool(key, ("run", ctx.run_id), name)

    @never_raises
    def _end_tool(self, key: object) -> None:
        self._runs.end(key)

    @never_raises
    def _end_with(self, key: object, error: BaseException) -> None:
        self._runs.end(key, _failure(error))


def _failure(error: BaseException) -> Failure | None:
    """A tool that waits for a person or for another system says so by raising, but has not failed."""
    if type(error).__name__ in {"ApprovalRequired", "CallDeferred"}:
        return None
    return _failures.of_exception(error)


def _cost(response: Any) -> float:
    """Return the price that pydantic-ai knows, in US dollars; 0 where it knows none."""
    with contextlib.suppress(LookupError, ValueError, AssertionError):
        return float(response.cost().total_price)
    return 0.0
