"""One evaluation of one rule or group: query, advance the state, write the series.

When to evaluate is the ruler's business; what alerts mean for people is the notifier's.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from awf.core import semconv
from awf.core.counters import Counters
from awf.embedded.contracts import Sink
from awf.embedded.deadline import Deadline
from awf.embedded.model import STALE, Samples
from awf.embedded.ruler.alerts import Active, AlertInstance, AlertState, Vector, advance, restored
from awf.embedded.ruler.labels import LabelKey, label_key
from awf.embedded.ruler.rules import AlertRule, RecordingRule, Rule, RuleGroup
from awf.errors import AwfError, QueryError, QueryLimit

logger = logging.getLogger(__name__)

TIMEOUT_S: Final = 30.0
"""How long one rule may take; the rules of its group wait for it."""
MAX_SERIES: Final = 10_000
"""Most series that one rule may give; more is a mistake in the rule, not an alert for each."""

Row = tuple[Mapping[str, str], float]


class InstantEngine(Protocol):
    """The part of `promql.Engine` that rules need."""

    def instant(self, query: str, at_ms: int) -> Any: ...


class RuleState:
    """A rule and how its last evaluation went."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.active: Active = {}
        self.health = "unknown"
        self.last_error = ""
        self.last_evaluation_ms: int | None = None
        self.evaluation_s = 0.0
        self._written: dict[LabelKey, Mapping[str, str]] = {}

    def restore(self, instances: Sequence[AlertInstance], downtime_ms: int) -> None:
        """Take over saved alerts, and the series that they had, so that those can end properly."""
        if isinstance(self.rule, AlertRule):
            self.active = restored(self.rule, instances, downtime_ms)
            self._written = {label_key(labels): labels for labels, _ in _alert_rows(self.active)}

    async def evaluate(self, engine: InstantEngine, sink: Sink, at_ms: int) -> None:
        """Evaluate at one moment. Raises what the engine or the sink raises."""
        result = await asyncio.to_thread(_evaluated, engine, self.rule.expr, at_ms)
        vector = _vector(result)
        if isinstance(self.rule, AlertRule):
            self.active = advance(self.rule, self.active, vector, at_ms)
            rows = _alert_rows(self.active)
        else:
            rows = _recorded(self.rule, vector)
        current = {label_key(labels): labels for labels, _ in rows}
        ended = [labels for key, labels in self._written.items() if key not in current]
        samples = [(labels, at_ms, value) for labels, value in rows]
        samples += [(labels, at_ms, STALE) for labels in ended]
        refusal = await sink.write(samples=Samples.of(samples)) if samples else None
        self._written = current
        if refusal is not None:
            raise QueryLimit(f"{refusal.count} samples of the rule were left out: {refusal.reason}")


def _evaluated(engine: InstantEngine, expr: str, at_ms: int) -> Any:
    with Deadline(TIMEOUT_S).current():
        return engine.instant(expr, at_ms)


class GroupState:
    """A group and how its last evaluation went."""

    def __init__(self, group: RuleGroup, counters: Counters) -> None:
        self.group = group
        self.rules = tuple(RuleState(rule) for rule in group.rules)
        self.last_evaluation_ms: int | None = None
        self.evaluation_s = 0.0
        self._counters = counters

    async def evaluate(self, engine: InstantEngine, sink: Sink, at_ms: int) -> None:
        """Evaluate every rule in order, so that a rule sees what an earlier one recorded."""
        began = time.perf_counter()
        for state in self.rules:
            await self._evaluate_rule(state, engine, sink, at_ms)
        self.last_evaluation_ms = at_ms
        self.evaluation_s = time.perf_counter() - began

    async def _evaluate_rule(self, state: RuleState, engine: InstantEngine, sink: Sink, at_ms: int) -> None:
        began = time.perf_counter()
        self._counters.add(semconv.RULER_EVALUATIONS, group=self.group.name)
        try:
            await state.evaluate(engine, sink, at_ms)
        except Exception as error:  # the boundary of one rule: whatever fails in it, the next one runs
            state.health = "err"
            state.last_error = error.message if isinstance(error, AwfError) else repr(error)
            self._counters.add(semconv.RULER_EVALUATION_FAILURES, group=self.group.name)
            logger.warning(
                "rule evaluation failed",
                extra={"group": self.group.name, "rule": state.rule.name, "error": state.last_error},
                exc_info=not isinstance(error, AwfError),
            )
        else:
            state.health, state.last_error = "ok", ""
        state.last_evaluation_ms = at_ms
        state.evaluation_s = time.perf_counter() - began


def _vector(result: Any) -> Vector:
    """Accept a vector, or a scalar as the one series without labels, as Prometheus does."""
    if isinstance(result, list):
        if all(hasattr(sample, "value") for sample in result):
            if len(result) > MAX_SERIES:
                raise QueryLimit(f"the rule gives {len(result)} series, more than {MAX_SERIES}")
            return [(sample.labels, float(sample.value)) for sample in result]
    elif isinstance(result.value, float):
        return [({}, result.value)]
    raise QueryError("the rule's expression gives neither a vector nor a scalar")


def _recorded(rule: RecordingRule, vector: Vector) -> list[Row]:
    rows: dict[LabelKey, Row] = {}
    for series, value in vector:
        labels = {**series, **rule.labels, "__name__": rule.name}
        labels = {name: text for name, text in labels.items() if text}
        if rows.setdefault(label_key(labels), (labels, value))[0] is not labels:
            raise QueryError(f"two series of rule {rule.name!r} have the same labels: {labels}")
    return list(rows.values())


def _alert_rows(active: Active) -> list[Row]:
    """Return the series that say what is pending and firing, and since when (unix seconds)."""
    rows: list[Row] = []
    for instance in active.values():
        if instance.state is not AlertState.INACTIVE:
            state = {"__name__": semconv.ALERTS, "alertstate": instance.state.value}
            rows.append(({**instance.labels, **state}, 1.0))
            since = {**instance.labels, "__name__": semconv.ALERTS_FOR_STATE}
            rows.append((since, math.floor(instance.active_at_ms / 1000)))
    return rows
