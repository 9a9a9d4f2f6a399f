"""What each event adds to which metric, and the instruments that are added to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
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


Amount = Callable[[Record], float | None]


class Measurement(NamedTuple):
    """Something to add to one series: what `amount` says, nothing where that is None. Without an `amount`
    the series is made to exist, at 0."""

    instrument: Instrument
    labels: Labels
    amount: Amount | None


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
    """Yield what events of this kind add; it follows from `record[:KIND]`, only amounts differ."""
    kind = record.type
    if kind in {"agent.completed", "agent.failed"}:
        yield from _invocation(record)
    elif kind in {"workflow.step.completed", "workflow.step.failed"}:
        labels = (record.workflow_id, record.step_id, record.agent_id, record.framework, status_of(record))
        yield Measurement(STEP_DURATION, labels, attrgetter("took_ms"))
    elif kind == "workflow.started":
        # A counter that appears with its first failure hides that failure from rate().
        yield Measurement(WORKFLOWS, (record.workflow_id, semconv.COMPLETED), None)
        yield Measurement(WORKFLOWS, (record.workflow_id, semconv.FAILED), None)
    elif kind == "agent.invoked":
        yield Measurement(INVOCATIONS, (record.agent_id, record.framework, semconv.COMPLETED), None)
        yield Measurement(INVOCATIONS, (record.agent_id, record.framework, semconv.FAILED), None)
    elif kind == "workflow.step.retrying":
        yield Measurement(RETRIES, (record.step_id, record.agent_id), _once)
    elif kind == "workflow.step.fallback":
        yield Measurement(FALLBACKS, (record.step_id,), _once)
    elif kind in {"workflow.completed", "workflow.failed", "workflow.cancelled"}:
        yield Measurement(WORKFLOWS, (record.workflow_id, status_of(record)), _once)


def _invocation(record: Record) -> Iterator[Measurement]:
    agent_id, model, provider = record.agent_id, record.model, record.provider
    yield Measurement(INVOCATIONS, (agent_id, record.framework, status_of(record)), _once)
    yield Measurement(TOKENS, (agent_id, "input", model), _input_tokens)
    yield Measurement(TOKENS, (agent_id, "output", model), _output_tokens)
    yield Measurement(COST, (agent_id, provider), _cost)
    if not provider:  # the conventions require one, and an agent that calls no model has none
        return
    about = ("invoke_agent", provider, model)
    yield Measurement(GENAI_TOKENS, (*about, "input"), _input_tokens)
    yield Measurement(GENAI_TOKENS, (*about, "output"), _output_tokens)
    yield Measurement(GENAI_DURATION, (*about, record.error_type), _seconds)


def _once(record: Record) -> float:
    return 1.0


def _input_tokens(record: Record) -> float | None:
    return record.input_tokens or None


def _output_tokens(record: Record) -> float | None:
    return record.output_tokens or None


def _cost(record: Record) -> float | None:
    return record.cost_usd or None


def _seconds(record: Record) -> float | None:
    return None if record.took_ms is None else record.took_ms / 1000


def status_of(record: Record) -> str:
    """Return completed, failed or cancelled."""
    if record.type == "workflow.cancelled" or record.error_type == semconv.CANCELLED:
        return semconv.CANCELLED
    return semconv.COMPLETED if record.type.endswith(".completed") else semconv.FAILED
