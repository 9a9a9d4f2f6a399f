"""What must hold of the events of every bridge, whatever the framework did; and shorthand to compare them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from awf.core.types import TokenUsage
from awf.orchestration import identity
from awf.orchestration.events import EventType, WorkflowEvent

STARTS = {EventType.WORKFLOW_STARTED, EventType.STEP_STARTED, EventType.AGENT_INVOKED}
NOTES = {EventType.STEP_RETRYING}


def checked(events: Sequence[WorkflowEvent]) -> list[WorkflowEvent]:
    """Return the events after looking at what holds for all: spans do not collide, each start has one end
    after it and inside its parent's, one execution has one trace, and no id is in a label."""
    opened: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    traces: dict[str, str] = {}
    for event in events:
        span = identity.of(event)
        assert traces.setdefault(event.execution_id, span.trace_id) == span.trace_id
        for name in (event.workflow_id, event.step_id, event.agent_id):
            assert name is None or event.execution_id not in name
        if event.type in STARTS:
            assert not opened[span.span_id], f"two spans have the id of {event}"
            opened[span.span_id] += 1
            assert event.type is EventType.WORKFLOW_STARTED or opened[span.parent_id] > ended[span.parent_id]
        elif event.type not in NOTES:
            ended[span.span_id] += 1
            assert opened[span.span_id] == 1, f"{event} ends what did not start"
        if event.type in NOTES | STARTS or event.type.value.endswith("completed"):
            assert (event.error_type == "") is (event.type not in NOTES)
        assert event.time_ns > 1_600_000_000 * 10**9
    assert opened == ended
    return list(events)


def told(events: Sequence[WorkflowEvent]) -> list[str]:
    """Return the events in a few words each."""
    return [_words(event) for event in checked(events)]


def _words(event: WorkflowEvent) -> str:
    words = [event.type.value.removeprefix("workflow.") if event.step_id else event.type.value]
    if event.step_id:
        words.append(
            event.step_id if event.step_id == event.agent_id else f"{event.step_id}/{event.agent_id}"
        )
    if event.type.value.startswith("agent."):
        words.append(str(event.attempt))
    return " ".join([*words, *filter(None, [event.error_type])])


def of_type(events: Sequence[WorkflowEvent], kind: EventType) -> list[WorkflowEvent]:
    return [event for event in events if event.type is kind]


def tokens(event: WorkflowEvent) -> TokenUsage:
    assert event.metrics is not None
    return event.metrics.token_usage
