"""LangChain and LangGraph: a callback handler. `graph.invoke(..., config={"callbacks": [handler]})`.

A graph or chain is a workflow; a node of a graph, or a link of a chain, is a step; a model's call is an
attempt of the step around it. What a node runs inside, a graph of its own included, belongs to that node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from awf.core.types import TokenUsage
from awf.errors import MissingDependency
from awf.orchestration.bridges import _failures
from awf.orchestration.bridges._failures import Failure, never_raises
from awf.orchestration.bridges._names import label
from awf.orchestration.bridges._runs import OpenRuns, Record

NO_STEPS = frozenset({"prompt", "parser"})  # links of a chain that only change the form of what they get


def langchain_handler(record: Record, *, workflow_id: str = "", include_content: bool = False) -> Any:
    """Return a `BaseCallbackHandler` that records events; one serves any number of runs at once.

    `workflow_id` names the workflow where the run's own name would not: a graph that was compiled without
    a name is called LangGraph. Raises MissingDependency where langchain-core is not installed.
    """
    try:
        from langchain_core.callbacks import BaseCallbackHandler
    except ImportError as error:
        raise MissingDependency(
            f"the LangChain bridge needs {error.name}, which is not installed",
            hint="pip install langchain-core",
        ) from error
    handler = type("AwfCallbackHandler", (Callbacks, BaseCallbackHandler), {})
    return handler(OpenRuns(record, "langchain", include_content=include_content), workflow_id)


class Callbacks:
    """The callbacks themselves. They run where the framework runs: a thread pool would mix up their order."""

    run_inline = True
    raise_error = False

    def __init__(self, runs: OpenRuns, workflow_id: str) -> None:
        self._runs = runs
        self._workflow_id = workflow_id

    # -- chains: graphs, nodes, links

    @never_raises
    def on_chain_start(
        self,
        serialized: Mapping[str, Any] | None,
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        name = _name(serialized, kwargs, "chain")
        if not self._runs.is_open(parent_run_id):
            self._begin(run_id, run_id, name, inputs)
            return
        known = metadata or {}
        node, agent_id = known.get("langgraph_node"), label(known.get("lc_agent_name"), "")
        if node is None:
            is_step = self._runs.is_root(parent_run_id) and kwargs.get("run_type") not in NO_STEPS
        else:
            # What runs inside a node inherits its metadata, but has another name. `__start__` is LangGraph's.
            is_step = node == name and not name.startswith("__")
        if is_step:
            self._runs.visit(
                run_id, parent_run_id, label(name, "node"), agent_id=agent_id, is_nested=_is_task(known)
            )
        else:
            self._runs.part(run_id, parent_run_id, agent_id=agent_id)

    @never_raises
    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self._runs.end(run_id, content=lambda: outputs)

    @never_raises
    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._runs.end(run_id, _failure(error))

    # -- models

    @never_raises
    def on_chat_model_start(
        self,
        serialized: Mapping[str, Any] | None,
        messages: Sequence[Sequence[Any]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self._call(run_id, parent_run_id, _name(serialized, kwargs, "model"), metadata, messages)

    @never_raises
    def on_llm_start(
        self,
        serialized: Mapping[str, Any] | None,
        prompts: Sequence[str],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self._call(run_id, parent_run_id, _name(serialized, kwargs, "model"), metadata, prompts)

    @never_raises
    def on_llm_end(self, response: Any, *, run_id: UUID, **kwargs: Any) -> None:
        messages = _messages(response)
        details = [getattr(message, "response_metadata", None) or {} for message in messages]
        model = next((str(each["model_name"]) for each in details if each.get("model_name")), "")
        self._runs.end(
            run_id, usage=_usage(response, messages), model=model, content=lambda: _texts(response)
        )
        self._runs.end(_around(run_id))

    @never_raises
    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._runs.end(run_id, _failure(error))
        self._runs.end(_around(run_id), _failure(error))

    # -- tools and retrievers

    @never_raises
    def on_tool_start(
        self,
        serialized: Mapping[str, Any] | None,
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        name = _name(serialized, kwargs, "tool")
        if self._runs.is_open(parent_run_id):
            self._runs.tool(run_id, parent_run_id, name)
        else:
            self._begin(run_id, run_id, name, input_str)

    @never_raises
    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self._runs.end(run_id, content=lambda: output)

    @never_raises
    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._runs.end(run_id, _failure(error))

    on_retriever_start = on_tool_start
    on_retriever_end = on_tool_end
    on_retriever_error = on_tool_error

    def _begin(self, key: object, run_id: UUID, name: str, content: object) -> None:
        workflow_id = self._workflow_id or label(name, "chain")
        self._runs.begin(key, workflow_id, execution_id=str(run_id), content=lambda: content)

    def _call(
        self,
        run_id: UUID,
        parent_run_id: UUID | None,
        name: str,
        metadata: Mapping[str, Any] | None,
        content: object,
    ) -> None:
        known, parent = metadata or {}, parent_run_id
        step_id = label(name, "model")
        if not self._runs.is_open(parent_run_id):
            # A model that is called by itself: an execution of one step.
            parent = _around(run_id)
            self._begin(parent, run_id, name, None)
        self._runs.call(
            run_id,
            parent,
            step_id=step_id,
            agent_id=label(known.get("lc_agent_name"), ""),
            model=str(known.get("ls_model_name") or ""),
            provider=str(known.get("ls_provider") or ""),
            content=lambda: content,
        )


def _around(run_id: UUID) -> Any:
    """Return the key of the execution around a model that was called by itself."""
    return ("execution", run_id)


def _is_task(metadata: Mapping[str, Any]) -> bool:
    """Say whether this is a `@task` that the `@entrypoint` itself called. LangGraph runs it inside the node
    that the entrypoint is; the path of a call ends with True, and the namespace has one name for each level."""
    path = metadata.get("langgraph_path") or (False,)
    return path[-1] is True and str(metadata.get("langgraph_checkpoint_ns")).count("|") == 1


def _name(serialized: Mapping[str, Any] | None, kwargs: Mapping[str, Any], otherwise: str) -> str:
    return str(kwargs.get("name") or (serialized or {}).get("name") or otherwise)


def _failure(error: BaseException) -> Failure | None:
    """An interrupt, which is how a LangGraph node asks a person, is raised but nothing has failed."""
    if any(kind.__name__ == "GraphBubbleUp" for kind in type(error).__mro__):
        return None
    return _failures.of_exception(error)


def _messages(response: Any) -> list[Any]:
    found = [getattr(each, "message", None) for row in response.generations for each in row]
    return [message for message in found if message is not None]


def _usage(response: Any, messages: Sequence[Any]) -> TokenUsage | None:
    """Return the sum over the answers' messages; older integrations say it once, for all of them."""
    reports = [report for message in messages if (report := getattr(message, "usage_metadata", None))]
    if reports:
        return TokenUsage(
            sum(int(report.get("input_tokens") or 0) for report in reports),
            sum(int(report.get("output_tokens") or 0) for report in reports),
        )
    output = getattr(response, "llm_output", None) or {}
    report = output.get("token_usage") or output.get("usage") or {}
    prompt = report.get("prompt_tokens") or report.get("input_tokens") or 0
    return TokenUsage(int(prompt), int(report.get("completion_tokens") or report.get("output_tokens") or 0))


def _texts(response: Any) -> list[str]:
    return [str(each.text) for row in response.generations for each in row]
