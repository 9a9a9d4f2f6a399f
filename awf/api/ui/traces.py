"""The page of one trace: where exemplars and log lines of the dashboards lead."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse

from awf.api.access import Asker, allow
from awf.api.dashboards.datasources import Datasources
from awf.api.dashboards.traces import read_trace
from awf.api.routers.dashboards import grafana
from awf.api.runtime import Parts
from awf.api.ui.frame import frame
from awf.api.ui.render import render
from awf.core.semconv import EXECUTION_ID
from awf.errors import NotFound

router = APIRouter(prefix="/ui/traces", include_in_schema=False, dependencies=[allow("read")])


@router.get("/{trace_id}")
async def trace_page(
    request: Request,
    trace_id: Annotated[str, Path(pattern="^[0-9a-fA-F]{1,32}$")],
    parts: Parts,
    asker: Asker,
) -> HTMLResponse:
    """Spans in the order of their tree, each with its place in time. Raises NotFound."""
    source = grafana(parts)
    tempo = Datasources(await source.datasources()).resolve({"type": "tempo"}, {})
    missing = NotFound(
        f"trace {trace_id} is not in the store",
        hint="A trace appears some seconds after its spans ended, and goes with the retention.",
    )
    try:
        trace = read_trace(await source.query(tempo.uid, f"/api/v2/traces/{trace_id}", {}))
    except NotFound as error:
        raise missing from error
    if trace is None:
        raise missing
    executions = dict.fromkeys(filter(None, (span.attribute(EXECUTION_ID) for span in trace.spans)))
    return render(
        request,
        "trace.html",
        trace_id=trace_id,
        trace=trace,
        started=datetime.fromtimestamp(trace.start_ns / 1e9, UTC),
        executions=list(executions)[:5],
        **await frame(parts, asker),
    )
