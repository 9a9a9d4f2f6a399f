"""The watcher's own way to the data: mcp-grafana starts or is reached, has the tools, and answers a query."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from awf.wiring.doctor.case import METRICS, Case
from awf.wiring.doctor.findings import Check, Finding, ok, skip
from awf.wiring.watcher import build_telemetry

WHAT = "through mcp-grafana"


async def _run(case: Case) -> list[Finding]:
    if METRICS not in case.answering:
        return [skip(WHAT, "needs: a datasource for metrics")]
    began = time.monotonic()
    telemetry = await build_telemetry(case.settings).open()
    try:
        ready = time.monotonic()
        await telemetry.instant("vector(1)", at=datetime.now(UTC))
        answered = time.monotonic()
    finally:
        await telemetry.aclose()
    return [
        ok(WHAT, f"answers a query in {(answered - ready) * 1000:.0f} ms, ready after {ready - began:.1f} s")
    ]


SPEC = Check(
    "watcher_queries",
    "datasources",
    WHAT,
    _run,
    needs=("grafana_answers", "mcp_grafana"),
    after=("datasources",),
)
