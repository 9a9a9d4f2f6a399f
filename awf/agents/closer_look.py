"""A second look at the likeliest cause: a trace that failed or was slow, and log patterns that were not there before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from awf.agents.probe import Probe
from awf.agents.sightings import ANY_STREAM, Window
from awf.analysis import log_patterns, traces
from awf.analysis.findings import ALERT_LAG_S, Picture
from awf.core import semconv as sc
from awf.core.escape import plain_text, promql_any_of, traceql_string
from awf.core.incidents import CauseClass, Evidence, Hypothesis
from awf.core.ports import Telemetry
from awf.core.types import Json

TRACE_ID = "trace_id"
_SLOW = frozenset({CauseClass.AGENT_LATENCY, CauseClass.WORKER_SATURATION})


async def look_closer(
    telemetry: Telemetry, probe: Probe, window: Window, picture: Picture, best: Hypothesis
) -> Hypothesis:
    """Return the hypothesis with evidence from traces and from changed logs added, where there is any."""
    agents = sorted({place.agent_id for place in (best.target, *best.affected) if place.agent_id})
    if not agents:
        return best
    agent_id = best.target.agent_id or agents[0]
    looks = [
        _failed_trace(telemetry, probe, window, picture, agent_id),
        _new_lines(telemetry, probe, window, agents),
    ]
    if best.cause in _SLOW:
        looks.append(_slow_trace(telemetry, probe, window, agent_id))
    found = await asyncio.gather(*looks)
    return replace(best, evidence=(*best.evidence, *(item for items in found for item in items)))


async def _failed_trace(
    telemetry: Telemetry, probe: Probe, window: Window, picture: Picture, agent_id: str
) -> list[Evidence]:
    query = _spans_of(agent_id, "status = error")
    search = partial(telemetry.traces, query, start=_split(window), end=window.end)
    ids = [str(each["traceID"]) for each in await probe.ask("failed traces", search) if each.get("traceID")]
    # A failure's log line knows its trace as an exemplar knows that of its sample.
    ids += [
        line.labels[TRACE_ID]
        for line in picture.failures
        if line.labels.get(TRACE_ID) and line.labels.get(sc.AGENT_ID) == agent_id
    ]
    if not ids:
        return []
    body = await _fetch(telemetry, probe, "a failed trace", ids[0])
    found = traces.spans(body)
    own_ms = traces.self_times_ms(found)
    return [
        Evidence(
            "traces", _describe_failure(ids[0], span, own_ms[span.span_id]), query, window.start, window.end,
            link=str(body.get("grafanaUrl", "")),
        )
        for span in traces.failing(found)[:2]
    ]  # fmt: skip


async def _slow_trace(telemetry: Telemetry, probe: Probe, window: Window, agent_id: str) -> list[Evidence]:
    """Return where the time went in the longest of the traces that the agent took part in."""
    query = _spans_of(agent_id, "duration > 1s")
    search = partial(telemetry.traces, query, start=_split(window), end=window.end)
    found = [each for each in await probe.ask("slow traces", search) if each.get("traceID")]
    if not found:
        return []
    longest = max(found, key=_duration_ms)
    body = await _fetch(telemetry, probe, "a slow trace", str(longest["traceID"]))
    spans = traces.spans(body)
    path = traces.slowest_path(spans)
    if not path:
        return []
    own_ms = traces.self_times_ms(spans)
    steps = " > ".join(f"{_named(span)} {own_ms[span.span_id]:.0f} ms itself" for span in path[:6])
    said = plain_text(
        f"trace {str(longest['traceID'])[:32]} took {path[0].duration_ms:.0f} ms, of which its critical path was: {steps}"
    )
    link = str(body.get("grafanaUrl", ""))
    return [Evidence("traces", said, query, window.start, window.end, value=path[0].duration_ms, link=link)]


async def _fetch(telemetry: Telemetry, probe: Probe, what: str, trace_id: str) -> Json:
    async def fetch() -> list[Json]:
        return [await telemetry.trace(trace_id)]

    bodies = await probe.ask(what, fetch)
    return bodies[0] if bodies else {}


def _spans_of(agent_id: str, condition: str) -> str:
    return f'{{ name = "{sc.SPAN_AGENT_INVOKE}" && span.{sc.AGENT_ID} = {traceql_string(agent_id)} && {condition} }}'


def _duration_ms(summary: Json) -> float:
    found = summary.get("durationMs", 0)
    return float(found) if isinstance(found, (int, float)) else 0.0


def _named(span: traces.TraceSpan) -> str:
    who = span.attributes.get(sc.AGENT_ID) or span.attributes.get(sc.STEP_ID)
    return f"{span.name} ({who})" if who else span.name


def _describe_failure(trace_id: str, span: traces.TraceSpan, own_ms: float) -> str:
    agent = span.attributes.get(sc.AGENT_ID, "unknown")
    said = plain_text(span.message or "no message", 200)
    return plain_text(
        f"trace {trace_id[:32]}: {span.name} of agent {agent} failed after {own_ms:.0f} ms: {said}"
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
