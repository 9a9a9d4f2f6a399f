"""The metrics of the synthetic execution are found in the metrics store."""

from __future__ import annotations

import time

from awf.core.semconv import WORKFLOW_ID, WORKFLOWS
from awf.wiring.doctor import synthetic
from awf.wiring.doctor.arrival import Ask, arrives
from awf.wiring.doctor.case import METRICS, Case, Trial
from awf.wiring.doctor.findings import Check, Finding

WHAT = "metric arrives"


async def _run(case: Case) -> list[Finding]:
    return await arrives(case, METRICS, WHAT, [("", _look)])


async def _look(ask: Ask, trial: Trial) -> str:
    # The counter is 1 after every run: only the time of its last sample tells this run from the one before.
    series = f'{WORKFLOWS}{{{WORKFLOW_ID}="{synthetic.NAME}"}}'
    body = await ask("api/v1/query", query=f"max(timestamp({series}))", time=f"{time.time():.3f}")
    result = body["data"]["result"]
    if not result or float(result[0]["value"][1]) < trial.began.timestamp():
        return ""
    return f'{WORKFLOWS}{{{WORKFLOW_ID}="{synthetic.NAME}"}} has a new sample'


SPEC = Check("metrics_arrive", "telemetry", WHAT, _run, after=("synthetic_workflow", "datasources"))
