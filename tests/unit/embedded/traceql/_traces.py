"""An in-memory reader of spans, and the two workflow traces that the tests ask about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from awf.embedded.model import Span, SpanCondition, SpanEvent, SpanLink, TraceRef

SECOND = 1_000_000_000
MS = 1_000_000
T0 = 1_700_000_000 * SECOND
GOOD = "0" * 24 + "600d0000"
BAD = "0" * 24 + "00000bad"


class Spans:
    """`SpanReader` over a list."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = list(spans)

    def trace(self, trace_id: str) -> list[Span]:
        return sorted((s for s in self._spans if s.trace_id == trace_id), key=lambda s: s.start_ns)

    def spans(self, start_ns: int, end_ns: int) -> list[Span]:
        traces = {s.trace_id for s in self._spans if start_ns <= s.start_ns <= end_ns}
        return [s for s in self._spans if s.trace_id in traces]

    def traces(self, start_ns: int, end_ns: int, where: Sequence[SpanCondition] = ()) -> list[TraceRef]:
        """All traces of the range, whatever `where` says: what is found must not depend on it."""
        by_trace: dict[str, list[int]] = {}
        running = {
            s.trace_id for s in self._spans if s.start_ns <= end_ns and max(s.start_ns, s.end_ns) >= start_ns
        }
        for s in self._spans:
            if s.trace_id in running:
                by_trace.setdefault(s.trace_id, []).append(s.start_ns)
        found = [TraceRef(name, min(at), max(at), len(at)) for name, at in by_trace.items()]
        return sorted(found, key=lambda trace: (-trace.first_ns, trace.trace_id))

    def spans_of(self, traces: Sequence[TraceRef]) -> list[Span]:
        wanted = {trace.trace_id for trace in traces}
        return [s for s in self._spans if s.trace_id in wanted]

    def span_groups(self, *args: Any, **options: Any) -> None:
        """Counts nothing: every span is looked at."""


def span(
    trace_id: str,
    number: int,
    parent: int,
    name: str,
    *,
    at_ms: int,
    ms: int,
    attributes: dict[str, Any] | None = None,
    resource: dict[str, Any] | None = None,
    **more: Any,
) -> Span:
    start = T0 + at_ms * MS
    return Span(
        trace_id=trace_id,
        span_id=f"{number:016x}",
        parent_span_id=f"{parent:016x}" if parent else "",
        name=name,
        kind=more.pop("kind", 1),
        start_ns=start,
        end_ns=start + ms * MS,
        attributes=attributes or {},
        resource={"service.name": "awf-engine"} if resource is None else resource,
        scope_name="awf",
        scope_version="0.1.0",
        **more,
    )


def step(
    trace_id: str, number: int, agent: str, attempt: int, *, at_ms: int, ms: int, **more: Any
) -> list[Span]:
    """A step (id `number`) and the invocation of its agent (id `number` + 1), both below span 1."""
    tokens = {"gen_ai.usage.input_tokens": 100 * attempt, "gen_ai.request.model": "small"}
    invoke = {"agent_id": agent, "cost_usd": 0.25 * attempt} | tokens
    return [
        span(
            trace_id, number, 1, "awf.step", at_ms=at_ms, ms=ms,
            attributes={"step_id": f"step-{number}", "agent_id": agent, "attempt": attempt, "tags": ["a", "b"]},
        ),
        span(
            trace_id, number + 1, number, "awf.agent.invoke", at_ms=at_ms + 1, ms=ms - 2, kind=3,
            attributes=invoke, resource={"service.name": "awf-agents"}, **more,
        ),
    ]  # fmt: skip


def workflow_traces() -> list[Span]:
    """GOOD: research, 1 s, steps 2 and 4. BAD: triage, 2 s, 10 s later; step 2 fails, step 4 retries."""
    failure = SpanEvent(T0 + 10_150 * MS, "exception", {"exception.type": "RateLimited", "code": 429})
    link = SpanLink(GOOD, "0" * 15 + "1", {"kind": "retry"})
    return [
        span(GOOD, 1, 0, "awf.workflow", at_ms=0, ms=1000, attributes={"workflow_id": "research", "execution_id": "e1"}),
        *step(GOOD, 2, "searcher", 1, at_ms=100, ms=300),
        *step(GOOD, 4, "writer", 1, at_ms=500, ms=400),
        span(
            BAD, 1, 0, "awf.workflow", at_ms=10_000, ms=2000, status=2, status_message="gave up",
            attributes={"workflow_id": "triage", "execution_id": "e2", "dry_run": True},
        ),
        *step(BAD, 2, "searcher", 1, at_ms=10_100, ms=100, status=2, events=[failure]),
        *step(BAD, 4, "searcher", 2, at_ms=10_300, ms=1500, status=1, links=[link]),
    ]  # fmt: skip
