"""The trace of the synthetic execution is found in the trace store, by its id and by search."""

from __future__ import annotations

from datetime import timedelta

from awf.core.semconv import EXECUTION_ID
from awf.errors import NotFound
from awf.wiring.doctor import synthetic
from awf.wiring.doctor.arrival import Ask, arrives
from awf.wiring.doctor.case import TRACES, Case, Trial
from awf.wiring.doctor.findings import Check, Finding

WHAT = "trace arrives"


async def _run(case: Case) -> list[Finding]:
    return await arrives(case, TRACES, WHAT, [("(by id)", _by_id), ("(by search)", _by_search)])


async def _by_id(ask: Ask, trial: Trial) -> str:
    try:
        body = await ask(f"api/v2/traces/{trial.trace_id}")
    except NotFound:
        return ""
    batches = (body.get("trace") or {}).get("resourceSpans") or []
    spans = sum(len(scope.get("spans", [])) for batch in batches for scope in batch.get("scopeSpans", []))
    return f"{spans} spans" if spans >= synthetic.SPANS else ""


async def _by_search(ask: Ask, trial: Trial) -> str:
    query = f'{{ span.{EXECUTION_ID} = "{trial.execution_id}" }}'
    first, last = trial.began - timedelta(minutes=1), trial.began + timedelta(minutes=10)
    body = await ask("api/search", q=query, start=int(first.timestamp()), end=int(last.timestamp()), limit=5)
    found = [each["traceID"].rjust(32, "0") for each in body.get("traces") or []]
    return f"found by {query}" if trial.trace_id in found else ""


SPEC = Check("traces_arrive", "telemetry", WHAT, _run, after=("synthetic_workflow", "datasources"))
