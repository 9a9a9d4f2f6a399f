"""What is read at the moment of export: how busy an engine is, what parts count, how much waits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from awf.core import semconv
from awf.core.counters import Counters
from awf.orchestration.engine import EngineSnapshot
from awf.orchestration.spool import Depth
from awf.orchestration.telemetry.aggregate import Histogram
from awf.orchestration.telemetry.metric_wire import Reading


def read_engine(now: EngineSnapshot) -> Iterable[Reading]:
    """Return an engine's gauges."""

    def by(label: str, values: Mapping[Any, float]) -> list[tuple[dict[str, str], float]]:
        return [({label: name}, float(value)) for name, value in values.items()]

    workflow = semconv.WORKFLOW_ID
    return (
        _gauge(semconv.EXECUTIONS_ACTIVE, "Executions that run now.", by(workflow, now.active)),
        _gauge(semconv.EXECUTIONS_PENDING, "Executions that wait for a worker.", by(workflow, now.pending)),
        _gauge(
            semconv.EXECUTION_OLDEST_AGE,
            "How long the execution that began first runs, in seconds; 0 where none runs.",
            by(workflow, now.oldest_age_s),
        ),
        _gauge(semconv.WORKERS, "Executions that may run at once.", [({}, float(now.workers))]),
        _gauge(
            semconv.AGENT_TRUST_SCORE,
            "Trust score from the agent's manifest, 0 to 1.",
            by(semconv.AGENT_ID, now.trust_scores),
        ),
    )


def read_counters(counters: Counters) -> Iterable[Reading]:
    """Return everything that a set of counters holds."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for name, labels, value in counters.snapshot():
        found.setdefault(name, []).append((labels, value))
    histograms: dict[str, list[tuple[dict[str, str], Histogram]]] = {}
    buckets = {}
    for name, labels, each in counters.distributions():
        histograms.setdefault(name, []).append((labels, Histogram(list(each.counts), each.sum)))
        buckets[name] = each.buckets
    return [
        *(Reading(name, "", name.endswith("_total"), points) for name, points in found.items()),
        *(
            Reading(name, "", is_counter=False, buckets=buckets[name], distributions=series)
            for name, series in histograms.items()
        ),
    ]


def read_backlog(depth: Depth, max_bytes: int, oldest_age_s: float) -> Iterable[Reading]:
    """Return how much waits for the collector."""
    return (
        _gauge(semconv.SPOOL_EVENTS, "Events that wait for the collector.", [({}, float(depth.events))]),
        _gauge(semconv.SPOOL_BYTES, "Bytes that wait for the collector.", [({}, float(depth.bytes))]),
        _gauge(semconv.SPOOL_LIMIT_BYTES, "Most bytes that may wait.", [({}, float(max_bytes))]),
        _gauge(
            semconv.SPOOL_OLDEST_AGE, "How long the oldest event waits, in seconds.", [({}, oldest_age_s)]
        ),
    )


def _gauge(name: str, description: str, points: list[tuple[dict[str, str], float]]) -> Reading:
    return Reading(name, description, is_counter=False, points=points)
