"""What telemetry says after an action: that it helped, that it did not, or nothing."""

from __future__ import annotations

from datetime import timedelta

from awf.core import semconv as sc
from awf.core.actions import Effect
from awf.testing import counter, gauge
from tests.contract._plant import Plant


def step_durations(found: Plant, effect: Effect) -> None:
    after_ms = 200.0 if effect is Effect.EFFECTIVE else 400.0
    if effect is not Effect.INCONCLUSIVE:
        _add_steps(found, (-600, 1.0, 400.0), (0, 1.0, after_ms))


def invocations(found: Plant, effect: Effect) -> None:
    failing = 0.0 if effect is Effect.EFFECTIVE else 0.5
    if effect is not Effect.INCONCLUSIVE:
        for status, before, after in ((sc.FAILED, 0.5, failing), (sc.COMPLETED, 0.5, 1.0 - failing)):
            phases = [(found.start - timedelta(minutes=10), before), (found.start, after)]
            found.telemetry.add(sc.AGENT_INVOCATIONS, counter(*phases), agent_id="writer", status=status)


def queue_length(found: Plant, effect: Effect) -> None:
    later = {Effect.EFFECTIVE: 0.0, Effect.INEFFECTIVE: 30.0}.get(effect)
    if later is not None:
        phases = [(found.start - timedelta(minutes=10), 30.0), (found.start + timedelta(seconds=5), later)]
        found.telemetry.add(sc.EXECUTIONS_PENDING, gauge(*phases))
        found.telemetry.add(sc.WORKFLOWS, counter((found.start - timedelta(minutes=10), 1.0)))


def log_of_the_end(found: Plant, effect: Effect) -> None:
    event = {Effect.EFFECTIVE: "workflow.completed", Effect.INEFFECTIVE: "workflow.failed"}.get(effect)
    if event is not None:
        for name in ("exec_again", *(record.id for record in found.engine.executions())):
            labels = {"service_name": "awf", sc.EVENT_TYPE: event, sc.EXECUTION_ID: name}
            found.telemetry.add_log("ended", found.start + timedelta(seconds=5), **labels)


def nothing(found: Plant, effect: Effect) -> None:
    """Telling people leaves no trace in telemetry."""


def _add_steps(found: Plant, *phases: tuple[int, float, float]) -> None:
    times = [(found.start + timedelta(seconds=at), rate, ms) for at, rate, ms in phases]
    labels = {"workflow_id": "report", "step_id": "draft", "agent_id": "x", "status": "completed"}
    counts, sums = [(at, rate) for at, rate, _ in times], [(at, rate * ms) for at, rate, ms in times]
    found.telemetry.add(f"{sc.STEP_DURATION}_count", counter(*counts), **labels)
    found.telemetry.add(f"{sc.STEP_DURATION}_sum", counter(*sums), **labels)
