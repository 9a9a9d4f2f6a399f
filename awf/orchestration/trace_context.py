"""Continues the caller's OpenTelemetry trace, and lets spans made inside an agent become its children.

OpenTelemetry is never imported here: where nobody has loaded it, there is no context to continue.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from awf.orchestration.identity import SpanIdentity


def current() -> str:
    """Return the traceparent of the span that is active here; empty where there is none."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return ""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


@contextlib.contextmanager
def inside(span: SpanIdentity) -> Iterator[None]:
    """Make a span of ours the active one, so that instrumented libraries continue its trace."""
    trace, context = sys.modules.get("opentelemetry.trace"), sys.modules.get("opentelemetry.context")
    if trace is None or context is None:
        yield
        return
    remote = trace.SpanContext(
        int(span.trace_id, 16), int(span.span_id, 16), is_remote=False, trace_flags=trace.TraceFlags(1)
    )
    token = context.attach(trace.set_span_in_context(trace.NonRecordingSpan(remote)))
    try:
        yield
    finally:
        context.detach(token)
