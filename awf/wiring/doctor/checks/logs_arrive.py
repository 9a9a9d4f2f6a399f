"""The log lines of the synthetic execution are found in the log store, by execution and by trace."""

from __future__ import annotations

from datetime import timedelta

from awf.core.semconv import EXECUTION_ID, SERVICE_NAME
from awf.wiring.doctor import synthetic
from awf.wiring.doctor.arrival import Ask, arrives
from awf.wiring.doctor.case import LOGS, Case, Trial
from awf.wiring.doctor.findings import Check, Finding

WHAT = "log lines arrive"


async def _run(case: Case) -> list[Finding]:
    return await arrives(case, LOGS, WHAT, [("", _by_execution), ("with their trace id", _by_trace)])


async def _by_execution(ask: Ask, trial: Trial) -> str:
    return await _count(ask, trial, f'| {EXECUTION_ID}="{trial.execution_id}"')


async def _by_trace(ask: Ask, trial: Trial) -> str:
    return await _count(ask, trial, f'| trace_id="{trial.trace_id}"')


async def _count(ask: Ask, trial: Trial, filters: str) -> str:
    query = f'{{{SERVICE_NAME}="{synthetic.NAME}"}} {filters}'
    first = trial.began - timedelta(minutes=1)
    last = trial.began + timedelta(minutes=10)
    body = await ask(
        "loki/api/v1/query_range", query=query, limit=100,
        start=int(first.timestamp() * 1e9), end=int(last.timestamp() * 1e9),
    )  # fmt: skip
    lines = sum(len(stream["values"]) for stream in body["data"]["result"])
    return f"{lines} lines" if lines >= synthetic.EVENTS else ""


SPEC = Check("logs_arrive", "telemetry", WHAT, _run, after=("synthetic_workflow", "datasources"))
