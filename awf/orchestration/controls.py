"""Orders to a running engine: checked, fenced, carried out once, remembered over a restart."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

from awf.core.types import (
    AckStatus,
    AgentId,
    ControlAck,
    ControlChange,
    ControlKind,
    EngineId,
    ExecutionId,
    Json,
    StepId,
    WorkflowId,
)
from awf.errors import AwfError, InvalidInput, NotFound
from awf.orchestration import switches as files
from awf.orchestration.identity import parse_traceparent
from awf.orchestration.registry import Registry
from awf.orchestration.switches import ControlState, Switches
from awf.orchestration.workflow import Step

logger = logging.getLogger(__name__)

MAX_TIMEOUT_FACTOR = 100.0
MAX_WORKERS = 1000
MAX_NAME = 128
ACKS_KEPT = 1000

T = TypeVar("T")


class EngineOrders(Protocol):
    """What controls ask of their engine."""

    @property
    def id(self) -> EngineId: ...

    def resize(self) -> None:
        """Look at the worker limit again."""
        ...

    async def submit(
        self,
        workflow_id: str,
        input: Json,  # noqa: A002 - the word users know
        execution_id: ExecutionId | None = None,
        restarted_from: ExecutionId | None = None,
        traceparent: str = "",
    ) -> ExecutionId: ...

    async def restart(
        self, execution_id: str, new_execution_id: ExecutionId | None = None
    ) -> ExecutionId: ...

    async def retry_step(self, execution_id: str, step_id: str) -> None: ...

    async def cancel(self, execution_id: str) -> None: ...


class Controls:
    """The switches of one engine and the only way to turn them.

    With a `path` they survive a restart. Raises ConfigError when that file cannot be read.
    """

    def __init__(self, registry: Registry, path: Path | None = None) -> None:
        self._registry = registry
        self._path = path
        self._state = files.read(path) if path else ControlState()
        self._lock = asyncio.Lock()
        self._engine: EngineOrders | None = None

    # -- what a running step asks

    @property
    def switches(self) -> Switches:
        return self._state.switches

    @property
    def last_token(self) -> int:
        """The fencing token of the last change that was applied."""
        return self._state.last_token

    @property
    def workers(self) -> int | None:
        return self.switches.workers

    def is_enabled(self, agent_id: AgentId) -> bool:
        return agent_id not in self.switches.disabled_agents

    def is_fallback_forced(self, workflow_id: WorkflowId, step_id: StepId) -> bool:
        return (workflow_id, step_id) in self.switches.forced_fallbacks

    def timeout_factor(self, workflow_id: WorkflowId, step_id: StepId) -> float:
        return self.switches.timeout_factors.get((workflow_id, step_id), 1.0)

    # -- what turns them

    def bind(self, engine: EngineOrders) -> None:
        """Name the engine these controls belong to; an engine does this itself when it is built."""
        self._engine = engine

    async def apply(self, change: ControlChange) -> ControlAck:
        """Carry out a change and say what came of it. A repeat of an id returns the first answer."""
        if self._engine is None:
            raise RuntimeError("these controls have no engine yet: build Engine(registry, emitter, controls)")
        async with self._lock:
            known = self._state.acks.get(change.id)
            if known is not None:
                return known
            ack = await self._answer(change, self._engine)
        log = logger.info if ack.status is AckStatus.APPLIED else logger.warning
        log(
            "control change",
            extra={"change_id": change.id, "kind": change.kind.value, "status": ack.status.value,
                   "requested_by": change.requested_by, "detail": ack.detail},
        )  # fmt: skip
        return ack

    async def _answer(self, change: ControlChange, engine: EngineOrders) -> ControlAck:
        if change.token <= self._state.last_token:
            detail = f"token {change.token} is not above {self._state.last_token}, the last one applied"
            return ControlAck(change.id, engine.id, AckStatus.REFUSED, detail=detail)
        try:
            arguments = _Arguments(change, engine.id)
            if change.kind in _SWITCHES:
                switches, before = self._turned(change.kind, arguments)
                if "engine_id" in change.arguments:
                    before["engine_id"] = engine.id
                ack = ControlAck(change.id, engine.id, AckStatus.APPLIED, before)
                await self._store(self._after(change, ack, switches))
                engine.resize()
                return ack
            await _order(change.kind, arguments, engine)
        except AwfError as error:
            status = AckStatus.FAILED if error.retryable else AckStatus.REFUSED
            return await self._remember(
                change, ControlAck(change.id, engine.id, status, detail=error.message)
            )
        except OSError as error:
            detail = f"the control file {self._path} cannot be written: {error.strerror}"
            return ControlAck(change.id, engine.id, AckStatus.FAILED, detail=detail)
        return await self._remember(change, ControlAck(change.id, engine.id, AckStatus.APPLIED))

    def _turned(self, kind: ControlKind, arguments: _Arguments) -> tuple[Switches, Json]:
        """Return the switches after the change, and the arguments that restore the old value."""
        now = self.switches
        if kind is ControlKind.SET_AGENT_ENABLED:
            agent_id = AgentId(arguments.text("agent_id"))
            enabled = arguments.typed("enabled", bool)
            self._registry.agent(agent_id)
            before: Json = {"agent_id": agent_id, "enabled": self.is_enabled(agent_id)}
            return now.with_agent(agent_id, enabled=enabled), before
        if kind is ControlKind.SET_WORKER_LIMIT:
            # None is the engine's own number: an undo must not pin what its configuration may change.
            workers = None if arguments.is_null("workers") else arguments.typed("workers", int)
            if workers is not None and not 1 <= workers <= MAX_WORKERS:
                raise InvalidInput(f"workers is {workers}, expected 1 to {MAX_WORKERS}")
            return replace(now, workers=workers), {"workers": now.workers}
        workflow_id = WorkflowId(arguments.text("workflow_id"))
        step = self._step(workflow_id, arguments.text("step_id"))
        place = {"workflow_id": workflow_id, "step_id": step.id}
        if kind is ControlKind.SET_FALLBACK_FORCED:
            forced = arguments.typed("forced", bool)
            if forced and step.fallback_agent_id is None:
                raise InvalidInput(f"step {step.id!r} of workflow {workflow_id!r} has no fallback agent")
            before = {**place, "forced": self.is_fallback_forced(workflow_id, step.id)}
            return now.with_fallback(workflow_id, step.id, forced=forced), before
        factor = arguments.number("factor")
        if not 0 < factor <= MAX_TIMEOUT_FACTOR:
            raise InvalidInput(
                f"factor is {factor:g}, expected more than 0 and at most {MAX_TIMEOUT_FACTOR:g}"
            )
        before = {**place, "factor": self.timeout_factor(workflow_id, step.id)}
        return now.with_timeout_factor(workflow_id, step.id, factor), before

    def _step(self, workflow_id: WorkflowId, step_id: str) -> Step:
        step = self._registry.workflow(workflow_id).step(step_id)
        if step is None:
            raise NotFound(f"workflow {workflow_id!r} has no step {step_id!r}")
        return step

    def _after(self, change: ControlChange, ack: ControlAck, switches: Switches) -> ControlState:
        token = change.token if ack.status is AckStatus.APPLIED else self._state.last_token
        acks = {**self._state.acks, change.id: ack}
        return ControlState(switches, token, dict(islice(acks.items(), max(0, len(acks) - ACKS_KEPT), None)))

    async def _remember(self, change: ControlChange, ack: ControlAck) -> ControlAck:
        """Keep an answer; one that cannot be written is still true, so it is kept in memory."""
        state = self._after(change, ack, self.switches)
        try:
            await self._store(state)
        except OSError:
            logger.exception("control file cannot be written", extra={"path": str(self._path)})
            self._state = state
        return ack

    async def _store(self, state: ControlState) -> None:
        if self._path is not None:
            await asyncio.to_thread(files.write, self._path, state)
        self._state = state


_ARGUMENTS: Mapping[ControlKind, tuple[str, ...]] = {
    ControlKind.SET_AGENT_ENABLED: ("agent_id", "enabled"),
    ControlKind.SET_FALLBACK_FORCED: ("workflow_id", "step_id", "forced"),
    ControlKind.SET_TIMEOUT_FACTOR: ("workflow_id", "step_id", "factor"),
    ControlKind.SET_WORKER_LIMIT: ("workers",),
    ControlKind.START_EXECUTION: ("workflow_id", "execution_id", "input"),
    ControlKind.RESTART_EXECUTION: ("execution_id", "new_execution_id"),
    ControlKind.RETRY_STEP: ("execution_id", "step_id"),
    ControlKind.CANCEL_EXECUTION: ("execution_id",),
}
_OPTIONAL = frozenset({"engine_id", "traceparent"})
_SWITCHES = frozenset(kind for kind in ControlKind if kind.value.startswith("set_"))


class _Arguments:
    """A change's arguments: exactly those its kind has, perhaps the engine it is for, perhaps the trace it
    belongs to. Raises InvalidInput naming the odd one."""

    def __init__(self, change: ControlChange, engine_id: EngineId) -> None:
        wanted, given = set(_ARGUMENTS[change.kind]), set(change.arguments) - _OPTIONAL
        if change.arguments.get("engine_id", engine_id) != engine_id:
            raise InvalidInput(
                f"the change is for engine {change.arguments['engine_id']!r:.80}, this is {engine_id!r}"
            )
        if wanted != given:
            odd = min(wanted ^ given)
            verb = "needs" if odd in wanted else "does not know"
            raise InvalidInput(f"{change.kind.value} {verb} the argument {odd!r}")
        self._kind = change.kind
        self._values = change.arguments

    def is_null(self, name: str) -> bool:
        return self._values[name] is None

    def typed(self, name: str, kind: type[T]) -> T:
        value = self._values[name]
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            raise InvalidInput(
                f"{self._kind.value}: {name} is {value!r:.80}, expected a value of type {kind.__name__}"
            )
        return value

    def text(self, name: str) -> str:
        value = self.typed(name, str)
        if not 0 < len(value) <= MAX_NAME:
            raise InvalidInput(
                f"{self._kind.value}: {name} has {len(value)} characters, expected 1 to {MAX_NAME}"
            )
        return value

    @property
    def traceparent(self) -> str:
        """The caller's W3C trace context; one that is invalid is none, as the standard says."""
        text = str(self._values.get("traceparent", ""))
        return text if parse_traceparent(text) else ""

    def number(self, name: str) -> float:
        value: Any = self._values[name]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise InvalidInput(f"{self._kind.value}: {name} is {value!r:.80}, expected a number")
        return float(value)


async def _order(kind: ControlKind, arguments: _Arguments, engine: EngineOrders) -> None:
    if kind is ControlKind.START_EXECUTION:
        execution_id = ExecutionId(arguments.text("execution_id"))
        await engine.submit(
            arguments.text("workflow_id"), arguments.typed("input", dict), execution_id,
            traceparent=arguments.traceparent,
        )  # fmt: skip
    elif kind is ControlKind.RESTART_EXECUTION:
        new_id = ExecutionId(arguments.text("new_execution_id"))
        await engine.restart(arguments.text("execution_id"), new_id)
    elif kind is ControlKind.RETRY_STEP:
        await engine.retry_step(arguments.text("execution_id"), arguments.text("step_id"))
    else:
        await engine.cancel(arguments.text("execution_id"))
