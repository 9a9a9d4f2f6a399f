"""What each event adds to which metric, and the instruments that are added to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from awf.core import semconv
from awf.orchestration.telemetry.record import Record

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Instrument:
    """A counter, or a histogram where there are buckets. `labels` are their names, in the order of a
    measurement's values; one whose value is empty is left out of the series if it is `optional`."""

    name: str
    labels: Labels
    description: str
    unit: str = ""
    buckets: tuple[float, ...] = ()
    optional: frozenset[str] = frozenset()


class Measurement(NamedTuple):
    """Something to add to one series. Zero makes the series exist."""

    instrument: Instrument
    labels: Labels
    value: float


def _ours(name: str, description: str, buckets: tuple[float, ...] = ()) -> Instrument:
    return Instrument(name, semconv.METRIC_LABELS[name], description, buckets=buckets)


STEP_DURATION = _ours(
    semconv.STEP_DURATION,
    "Time a step took, all attempts and waits included, in milliseconds.",
    semconv.STEP_DURATION_BUCKETS_MS,
)
TOKENS = _ours(semconv.TOKENS, "Tokens read and written.")
COST = _ours(semconv.COST, "Money spent, in US dollars.")
WORKFLOWS = _ours(semconv.WORKFLOWS, "Executions that ended.")
RETRIES = _ours(semconv.RETRIES, "Attempts repeated.")
FALLBACKS = _ours(semconv.FALLBACKS, "Fallback agents called in.")
INVOCATIONS = _ours(semconv.AGENT_INVOCATIONS, "Agent invocations that ended, one per attempt.")
_OPTIONAL = frozenset({semconv.GENAI_REQUEST_MODEL, semconv.OTEL_ERROR_TYPE})
GENAI_TOKENS = Instrument(
    semconv.GENAI_TOKEN_USAGE,
    (semconv.GENAI_OPERATION_NAME, semconv.GENAI_PROVIDER_NAME, semconv.GENAI_REQUEST_MODEL,
     semconv.GENAI_TOKEN_TYPE),
    "Number of input and output tokens used.", "{token}", semconv.GENAI_TOKEN_BUCKETS, _OPTIONAL,
)  # fmt: skip
GENAI_DURATION = Instrument(
    semconv.GENAI_OPERATION_DURATION,
    (semconv.GENAI_OPERATION_NAME, semconv.GENAI_PROVIDER_NAME, semconv.GENAI_REQUEST_MODEL,
     semconv.OTEL_ERROR_TYPE),
    "GenAI operation duration.", "s", semconv.GENAI_DURATION_BUCKETS_S, _OPTIONAL,
)  # fmt: skip
EXPORT_DURATION = _ours(
    semconv.EXPORT_DURATION,
    "Time the collector took to take a request, in milliseconds.",
    semconv.STEP_DURATION_BUCKETS_MS,
)

INSTRUMENTS = (
    STEP_DURATION, TOKENS, COST, WORKFLOWS, RETRIES, FALLBACKS, INVOCATIONS, GENAI_TOKENS, GENAI_DURATION,
    EXPORT_DURATION,
)  # fmt: skip
# No event is behind these, so they cannot be counted up again after a restart.
BY_PROCESS = frozenset({EXPORT_DURATION.name})


def measure(record: Record) -> Iterator[Measurement]:
    """Yield what an event adds."""
    kind = record.type
    if kind in {"agent.completed", "agent.failed"}:
        yield from _invocation(record)
    elif kind in {"workflow.step.completed", "workflow.step.failed"}:
        if record.took_ms is not None:
            labels = (
                record.workflow_id,
                record.step_id,
                record.agent_id,
                record.framework,
                status_of(record),
            )
            yield Measurement(STEP_DURATION, labels, record.took_ms)
    elif kind == "workflow.started":
        # A counter that appears with its first failure hides that failure from rate().
        yield Measurement(WORKFLOWS, (record.workflow_id, semconv.COMPLETED), 0)
        yield Measurement(WORKFLOWS, (record.workflow_id, semconv.FAILED), 0)
    elif kind == "workflow.step.retrying":
        yield Measurement(RETRIES, (record.step_id, record.agent_id), 1)
    elif kind == "workflow.step.fallback":
        yield Measurement(FALLBACKS, (record.step_id,), 1)
    elif kind in {"workflow.completed", "workflow.failed", "workflow.cancelled"}:
        yield Measurement(WORKFLOWS, (record.workflow_id, status_of(record)), 1)
    elif kind == "agent.invoked":
        yield Measurement(INVOCATIONS, (record.agent_id, record.framework, semconv.COMPLETED), 0)
        yield Measurement(INVOCATIONS, (record.agent_id, record.framework, semconv.FAILED), 0)


def _invocation(record: Record) -> Iterator[Measurement]:
    agent_id, model, provider = record.agent_id, record.model, record.provider
    yield Measurement(INVOCATIONS, (agent_id, record.framework, status_of(record)), 1)
    if record.took_ms is None:
        return
    if record.input_tokens > 0:
        yield Measurement(TOKENS, (agent_id, "input", model), record.input_tokens)
    if record.output_tokens > 0:
        yield Measurement(TOKENS, (agent_id, "output", model), record.output_tokens)
    if record.cost_usd > 0:
        yield Measurement(COST, (agent_id, provider), record.cost_usd)
    if not provider:  # the conventions require one, and an agent that calls no model has none
        return
    for direction, count in (("input", record.input_tokens), ("output", record.output_tokens)):
        if count > 0:
            yield Measurement(GENAI_TOKENS, ("invoke_agent", provider, model, direction), count)
    labels = ("invoke_agent", provider, model, record.error_type)
    yield Measurement(GENAI_DURATION, labels, record.took_ms / 1000)


def status_of(record: Record) -> str:
    """Return completed, failed or cancelled."""
    if record.type == "workflow.cancelled" or record.error_type == semconv.CANCELLED:
        return semconv.CANCELLED
    return semconv.COMPLETED if record.type.endswith(".completed") else semconv.FAILED
