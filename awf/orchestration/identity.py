"""Trace and span ids that follow from what an event is about, so that a replay makes the same span again
and every process can name the span of an execution, a step or an attempt without having seen it begin.

Ids are lower-case hex: 32 digits for a trace, 16 for a span (W3C Trace Context, level 1).
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import NamedTuple

from awf.orchestration.events import EventType, WorkflowEvent

# Spans that are asked for again and again: those of the executions under way.
REMEMBERED = 4096

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?"
)


class SpanIdentity(NamedTuple):
    """Where a span stands; `parent_id` is empty for a root."""

    trace_id: str
    span_id: str
    parent_id: str = ""

    @property
    def traceparent(self) -> str:
        """The W3C header that makes another span its child."""
        return f"00-{self.trace_id}-{self.span_id}-01"


def parse_traceparent(text: str) -> SpanIdentity | None:
    """Return the span that a W3C traceparent names; None for an empty or invalid one, which the standard
    says to ignore."""
    found = _TRACEPARENT.fullmatch(text)
    return SpanIdentity(found[1], found[2]) if found else None


@lru_cache(REMEMBERED)
def workflow_span(execution_id: str, run: int = 1, traceparent: str = "") -> SpanIdentity:
    """Return the span of one run of an execution, a child of the caller's span where there is one."""
    caller = parse_traceparent(traceparent) if traceparent else None
    span_id = _digest(8, execution_id, run)
    if caller is None:
        return SpanIdentity(_digest(16, execution_id), span_id)
    return SpanIdentity(caller.trace_id, span_id, caller.span_id)


@lru_cache(REMEMBERED)
def step_span(execution_id: str, run: int, traceparent: str, step_id: str) -> SpanIdentity:
    """Return the span of a step in one run."""
    workflow = workflow_span(execution_id, run, traceparent)
    return SpanIdentity(workflow.trace_id, _digest(8, execution_id, run, step_id), workflow.span_id)


@lru_cache(REMEMBERED)
def agent_span(execution_id: str, run: int, traceparent: str, step_id: str, attempt: int) -> SpanIdentity:
    """Return the span of one invocation of an agent."""
    step = step_span(execution_id, run, traceparent, step_id)
    return SpanIdentity(step.trace_id, _digest(8, execution_id, run, step_id, attempt), step.span_id)


def of(event: WorkflowEvent) -> SpanIdentity:
    """Return the span that an event belongs to: of its invocation, else its step, else its workflow."""
    kind, step_id = event.type, event.step_id
    if not step_id or kind is EventType.STEP_SKIPPED:
        return workflow_span(event.execution_id, event.run, event.traceparent)
    if kind in _OF_AGENTS:
        return agent_span(event.execution_id, event.run, event.traceparent, step_id, event.attempt)
    return step_span(event.execution_id, event.run, event.traceparent, step_id)


# A tuple: it is searched by identity first, which is quicker here than hashing an enum.
_OF_AGENTS = (EventType.AGENT_INVOKED, EventType.AGENT_COMPLETED, EventType.AGENT_FAILED)


def _digest(size: int, *parts: str | int) -> str:
    # The separator keeps ("a", "bc") and ("ab", "c") apart. An all-zero id would mean "none".
    text = "\x1f".join(map(str, parts))
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).hexdigest()
    return digest if digest.strip("0") else digest[:-1] + "1"
