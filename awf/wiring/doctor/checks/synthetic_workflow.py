"""A tiny workflow runs, and the collector acknowledges its spans, log records and metrics."""

from __future__ import annotations

import time

from awf.wiring.doctor import synthetic
from awf.wiring.doctor.case import Case
from awf.wiring.doctor.findings import Check, Finding, fail, ok, skip
from awf.wiring.doctor.network import meaning
from awf.wiring.engine import default_endpoint

WHAT = "synthetic workflow"


async def _run(case: Case) -> list[Finding]:
    if not case.reachable:
        return [skip(WHAT, "needs: an OTLP endpoint that answers")]
    began = time.monotonic()
    trial = await synthetic.send(default_endpoint(case.settings), timeout_s=min(case.timeout_s, 10.0))
    case.trial = trial
    items = [f"execution {trial.execution_id}", f"trace {trial.trace_id}"]
    if trial.lost:
        detail = "; ".join(f"{signal} not delivered: {why}" for signal, why in trial.lost.items())
        hint = meaning(" ".join(trial.lost.values()))[1]
        return [fail(WHAT, detail, hint=hint, items=items)]
    took_s = time.monotonic() - began
    return [
        ok(WHAT, f"ran and was delivered in {took_s:.1f} s (execution {trial.execution_id})", items=items)
    ]


SPEC = Check("synthetic_workflow", "telemetry", WHAT, _run, needs=("otlp_settings",), after=("otlp_answers",))
