"""A trace as TraceQL sees it: spans with their parents and children, the root, the whole duration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Final

from awf.embedded.model import Span
from awf.embedded.traceql.values import Duration

NO_ROOT: Final = "<root span not yet received>"
"""What search results say for a root service that is not known."""
SERVICE_NAME: Final = "service.name"


class SpanView:
    """A span within its trace. Compared by identity."""

    __slots__ = ("span", "trace")

    def __init__(self, span: Span, trace: TraceView) -> None:
        self.span = span
        self.trace = trace

    @property
    def bounds(self) -> tuple[int, int, int]:
        """Left and right bound in the nested sets of the trace, and the left bound of the parent.

        The parent's is -1 for a root; all are 0 for what no root reaches.
        """
        return self.trace.nested_sets.get(self.span.span_id, (0, 0, 0))

    @property
    def child_count(self) -> int:
        """How many spans name this one as their parent; 0 in a trace without a root."""
        return len(self.trace.children.get(self.span.span_id, ())) if self.trace.root else 0

    @property
    def is_root(self) -> bool:
        return not self.span.parent_span_id.strip("0")


class TraceView:
    """All spans of one trace, by start time."""

    def __init__(self, trace_id: str, spans: Iterable[Span]) -> None:
        self.trace_id = trace_id
        self.spans = [SpanView(span, self) for span in sorted(spans, key=lambda span: span.start_ns)]

    @cached_property
    def children(self) -> dict[str, list[SpanView]]:
        """Spans by the id of their parent."""
        found: dict[str, list[SpanView]] = {}
        for view in self.spans:
            found.setdefault(view.span.parent_span_id, []).append(view)
        return found

    @cached_property
    def root(self) -> Span | None:
        return next((view.span for view in self.spans if view.is_root), None)

    @property
    def root_name(self) -> str:
        return self.root.name if self.root else ""

    @property
    def root_service(self) -> str:
        return str(self.root.resource.get(SERVICE_NAME, "")) if self.root else ""

    @property
    def start_ns(self) -> int:
        return self.spans[0].span.start_ns

    @cached_property
    def duration(self) -> Duration:
        return Duration(max(view.span.end_ns for view in self.spans) - self.start_ns)

    @cached_property
    def nested_sets(self) -> dict[str, tuple[int, int, int]]:
        """The bounds of each span that a root reaches; a span visited twice (a loop of parents) ends the walk."""
        left: dict[str, int] = {}
        bounds: dict[str, tuple[int, int, int]] = {}
        count = 0
        pending = [(view, -1, False) for view in reversed(self.spans) if view.is_root]
        while pending:
            view, parent, done = pending.pop()
            span_id = view.span.span_id
            if not done and span_id in left:
                continue
            count += 1
            if done:
                bounds[span_id] = (left[span_id], count, parent)
                continue
            left[span_id] = count
            pending.append((view, parent, True))
            pending += ((child, count, False) for child in reversed(self.children.get(span_id, [])))
        return bounds


def group_traces(spans: Iterable[Span]) -> Iterator[TraceView]:
    """Yield the traces that spans belong to, the newest first."""
    by_trace: dict[str, list[Span]] = {}
    for span in spans:
        by_trace.setdefault(span.trace_id, []).append(span)
    starts = {trace_id: min(span.start_ns for span in found) for trace_id, found in by_trace.items()}
    for trace_id in sorted(by_trace, key=lambda trace_id: (-starts[trace_id], trace_id)):
        yield TraceView(trace_id, by_trace[trace_id])
