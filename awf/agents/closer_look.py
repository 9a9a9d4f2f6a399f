"""A second look at the likeliest cause: one failed trace, and log patterns that were not there before."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from awf.agents.probe import Probe
from awf.agents.sightings import ANY_STREAM, Window
from awf.analysis import log_patterns, traces
from awf.analysis.findings import ALERT_LAG_S, Picture
from awf.core import semconv as sc
from awf.core.escape import plain_text, promql_any_of, traceql_string
from awf.core.incidents import Evidence, Hypothesis
from awf.core.ports import Telemetry

TRACE_ID = "trace_id"


async def look_closer(
    telemetry: Telemetry, probe: Probe, window: Window, picture: Picture, best: Hypothesis
) -> Hypothesis:
    """Return the hypothesis with evidence from a trace and from changed logs added, where there is any."""
    agents = sorted({place.agent_id for place in (best.target, *best.affected) if place.agent_id})
    if not agents:
        return best
    found = await asyncio.gather(
        _failed_trace(telemetry, probe, window, picture, agents),
        _new_lines(telemetry, probe, window, agents),
    )
    return replace(best, evidence=(*best.evidence, *(item for items in found for item in items)))


async def _failed_trace(
    telemetry: Telemetry, probe: Probe, window: Window, picture: Picture, agents: Sequence[str]
) -> list[Evidence]:
    query = (
        f'{{ name = "{sc.SPAN_AGENT_INVOKE}" && span.{sc.AGENT_ID} = {traceql_string(agents[0])} '
        f"&& status = error }}"
    )
    search = partial(telemetry.traces, query, start=_split(window), end=window.end)
    ids = [str(each["traceID"]) for each in await probe.ask("failed traces", search) if each.get("traceID")]
    ids += [line.labels[TRACE_ID] for line in picture.failures if line.labels.get(TRACE_ID)]
    if not ids:
        return []

    async def fetch() -> list[Mapping[str, Any]]:
        return [await telemetry.trace(ids[0])]

    bodies = await probe.ask("a failed trace", fetch)
    body = bodies[0] if bodies else {}
    spans, link = traces.spans(body), str(body.get("grafanaUrl", ""))
    own_ms = traces.self_times_ms(spans)
    return [
        Evidence("traces", _describe(ids[0], span, own_ms), query, window.start, window.end, link=link)
        for span in traces.failing(spans)[:2]
    ]


def _describe(trace_id: str, span: traces.TraceSpan, own_ms: Mapping[str, float]) -> str:
    agent = span.attributes.get(sc.AGENT_ID, "unknown")
    said = plain_text(span.message or "no message", 200)
    took = own_ms.get(span.span_id, 0.0)
    return plain_text(
        f"trace {trace_id[:32]}: {span.name} of agent {agent} failed after {took:.0f} ms: {said}"
    )


async def _new_lines(
    telemetry: Telemetry, probe: Probe, window: Window, agents: Sequence[str]
) -> list[Evidence]:
    query = f'{ANY_STREAM} | {sc.LEVEL}=~"warn|error" | {sc.AGENT_ID}=~{promql_any_of(agents)}'
    middle = _split(window)
    before, after = await asyncio.gather(
        probe.ask("logs before", partial(telemetry.logs, query, start=window.start, end=middle)),
        probe.ask("logs after", partial(telemetry.logs, query, start=middle, end=window.end)),
    )
    changed = log_patterns.changes([line.line for line in before], [line.line for line in after])
    return [
        Evidence(
            "logs",
            plain_text(f"{change.after} lines ({change.before} before) such as: {change.example}"),
            query, middle, window.end, value=float(change.after), baseline=float(change.before),
        )
        for change in changed[:2]
    ]  # fmt: skip


def _split(window: Window) -> datetime:
    """Return when the trouble may have begun: alerts start some time after their cause."""
    return max(window.start, window.alert_start - timedelta(seconds=ALERT_LAG_S))
