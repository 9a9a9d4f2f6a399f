"""One execution of a tiny workflow through the real engine, emitter and exporter, to be looked for in the stores.

It costs nothing and calls nobody. Every run is of the same workflow, service and instance, so that no label grows
with the number of runs; the execution id, which is in traces and logs only, tells runs apart.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from awf.core.counters import Counters
from awf.core.semconv import EXPORT_FAILURES, REASON
from awf.core.types import (
    AgentId,
    AgentManifest,
    Capability,
    CapabilityType,
    ExecutionId,
    ExecutionStatus,
    StepId,
    WorkflowId,
)
from awf.errors import AwfError
from awf.orchestration import Controls, Engine, EventEmitter, Registry, identity
from awf.orchestration.otel_exporter import OTelExporter
from awf.orchestration.registry import AgentResult, StepContext
from awf.orchestration.telemetry.endpoints import LOGS, METRICS, SIGNALS, TRACES
from awf.orchestration.workflow import Step, Workflow
from awf.wiring.doctor.case import Trial

NAME = "awf-doctor"
"""The workflow's id, its agent's, and the service's name: what to leave out where the doctor is not wanted."""

EVENTS, SPANS = 6, 3
"""What one execution makes: log records, and spans."""

_DELIVERY = "awf.orchestration.telemetry"


async def send(endpoint: str, *, timeout_s: float) -> Trial:
    """Run it, deliver its telemetry within the limit and say what was lost. Raises ConfigError, AwfError."""
    began = datetime.now(UTC)
    # The emitter counts for itself: that the doctor emits events must not pass for an engine that is alive.
    counters = Counters()
    exporter = OTelExporter(endpoint, service_name=NAME, instance_id=NAME, counters=counters)
    with _complaints() as complaints:
        emitter = EventEmitter(Counters(), recorder=exporter.record)
        try:
            execution_id = await _execute(emitter)
            is_flushed = await exporter.flush(timeout_s)
        finally:
            await emitter.aclose(1.0)
            await exporter.shutdown(min(timeout_s, 10.0))  # metrics go out for the last time
    lost = {signal: complaints[signal] for signal in SIGNALS if signal in complaints}
    if not is_flushed:
        lost |= {signal: lost.get(signal, "not taken in time") for signal in (TRACES, LOGS)}
    if counters.get(EXPORT_FAILURES, **{REASON: f"{METRICS}_not_delivered"}):
        lost.setdefault(METRICS, "not taken")
    elif is_flushed:
        lost = {signal: why for signal, why in lost.items() if signal == METRICS}
    trace_id = identity.workflow_span(execution_id).trace_id
    return Trial(execution_id, trace_id, began, time.monotonic(), lost)


async def _execute(emitter: EventEmitter) -> str:
    registry = _registry()
    engine = Engine(registry, emitter, Controls(registry, None), workers=1, engine_id=NAME)
    execution_id = ExecutionId(f"{NAME}-{secrets.token_hex(8)}")
    try:
        await engine.submit(NAME, {}, execution_id)
        record = await engine.wait(execution_id)
    finally:
        await engine.aclose(1.0)
    if record.status is not ExecutionStatus.COMPLETED:
        raise AwfError(f"the doctor's own workflow {record.status.value}: {record.error}")
    return execution_id


def _registry() -> Registry:
    registry = Registry()
    skill = Capability("check", CapabilityType.OBSERVATION, "Does nothing, and says so.")
    manifest = AgentManifest(
        id=AgentId(NAME), name="AWF doctor", version="1", framework="awf", capabilities=(skill,),
        description="Lets `awf doctor` see whether telemetry arrives.",
    )  # fmt: skip

    async def run(_context: StepContext) -> AgentResult:
        return AgentResult(output={"ok": True})

    registry.add_agent(manifest, run)
    step = Step(StepId("check"), AgentId(NAME), timeout_s=10.0)
    registry.add_workflow(Workflow(WorkflowId(NAME), (step,), description="One step of `awf doctor`."))
    return registry


@contextlib.contextmanager
def _complaints() -> Iterator[dict[str, str]]:
    """Collect why deliveries failed, by signal, rather than have it logged between the findings."""
    found: dict[str, str] = {}

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            signal, detail = getattr(record, "signal", ""), getattr(record, "detail", "")
            if signal and detail:
                found[signal] = str(detail)

    log, handler = logging.getLogger(_DELIVERY), Keep()
    before = log.propagate
    log.addHandler(handler)
    log.propagate = False
    try:
        yield found
    finally:
        log.removeHandler(handler)
        log.propagate = before
