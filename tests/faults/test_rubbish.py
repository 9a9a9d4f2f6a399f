"""Events that are none: recording them raises nothing, is counted, and stops nothing that follows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from awf.core import semconv
from awf.core.types import TaskMetrics, TokenUsage
from awf.orchestration import EventType, WorkflowEvent
from awf.orchestration.otel_exporter import OTelExporter
from tests.collector import Collector
from tests.unit.orchestration.telemetry._events import METRICS, completed, event

from ._harness import by_form

E = EventType
NAN, INF = float("nan"), float("inf")
MB = 1 << 20


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


def deep(levels: int) -> Any:
    found: Any = "end"
    for _ in range(levels):
        found = {"reason": [found]}
    return found


def metrics(took_ms: Any, tokens: Any, cost: Any, retries: Any = 0) -> TaskMetrics:
    return TaskMetrics(took_ms, TokenUsage(tokens, tokens), cost, retries)


def of(kind: EventType = E.AGENT_COMPLETED, **more: Any) -> Callable[[], Any]:
    """Return what makes an event with these fields, whatever the types say."""

    def make() -> Any:
        good = event(kind, "rubbish", "s", metrics=METRICS)
        return dataclasses.replace(good, **more)

    return make


RUBBISH: dict[str, Callable[[], Any]] = {
    "nothing": lambda: None,
    "a string": lambda: "workflow.started",
    **{f"no {field.name}": of(**{field.name: None}) for field in dataclasses.fields(WorkflowEvent)},
    "cost NaN": of(metrics=metrics(NAN, 1, NAN)),
    "cost infinite": of(metrics=metrics(INF, 1, -INF)),
    "numbers too large": of(metrics=metrics(10**400, 10**400, 10**400, 10**400)),
    "numbers too large for digits": of(metrics=metrics(1.0, 10**5000, 1.0)),
    "durations before the epoch": of(metrics=metrics(1e300, 1, 1e300)),
    "negative numbers": of(metrics=metrics(-5.0, -5, -1.0, -1)),
    "texts for numbers": of(metrics=metrics("1", "2", "3")),
    "time negative": of(time_ns=-1),
    "time in the far future": of(time_ns=2**80),
    "time as a float": of(time_ns=1.5),
    "attempt negative": of(attempt=-(10**30)),
    "a long error": of(E.AGENT_FAILED, error="x" * (5 * MB), error_type="y" * (5 * MB)),
    "a long name": of(agent_id="a" * (5 * MB), step_id="s" * (5 * MB)),
    "a lone surrogate": of(error="\ud800", agent_id="\udfff", execution_id="\ud800x", framework="\udc80"),
    "a zero byte": of(agent_id="a\0b"),
    "bytes for names": of(agent_id=b"\xff", execution_id=b"\xff"),
    "data a list": of(data=["model"]),
    "data nothing": of(data=None),
    "a long reason": of(E.STEP_FALLBACK, data={"reason": "x" * (5 * MB), "fallback_of": "y" * (5 * MB)}),
    "many missing": of(E.STEP_SKIPPED, data={"missing": ["x" * 100] * 100_000}),
    "missing a number": of(E.STEP_SKIPPED, data={"missing": 5}),
    "links a number": of(E.AGENT_INVOKED, data={"links": 5}),
    "links of rubbish": of(E.AGENT_INVOKED, data={"links": [None, 5, "00-0-0-0", "\ud800"]}),
    "attributes a list": of(data={"attributes": [1, 2]}),
    "attributes a text": of(data={"attributes": "text"}),
    "attributes no JSON": of(
        data={"attributes": {1: {2}, (3, 4): object(), None: b"\xff", "n": NAN, "i": 10**4000}}
    ),
    "attributes without words": of(data={"attributes": {"x": Unspeakable()}}),
    "reason without words": of(E.STEP_FALLBACK, data={"reason": Unspeakable()}),
    "10,000 attributes": of(data={"attributes": {f"a{n}": "v" * 100 for n in range(10_000)}}),
    "attributes of long lists": of(data={"attributes": {f"a{n}": ["v" * 4000] * 100 for n in range(100)}}),
    "attributes deeper than the stack": of(data={"attributes": deep(100_000)}),
    "reason deeper than the stack": of(E.STEP_FALLBACK, data=deep(100_000)),
    "traceparent of rubbish": of(traceparent="00-\ud800-x-01"),
    "an unknown type": of(type="workflow.exploded"),
    "a model that is none": of(data={"model": 5, "provider": ["p"]}),
}


async def check_what_follows(exporter: OTelExporter, collector: Collector, name: str) -> None:
    for it in completed(name, steps=1):
        assert exporter.record(it)
    assert await exporter.flush()
    told = [
        a.value.string_value
        for log in collector.logs
        for a in log.attributes
        if a.key == semconv.EXECUTION_ID
    ]
    assert told.count(name) == 6


@pytest.mark.parametrize("has_spool", [True, False])
async def test_rubbish_is_counted_or_clamped_and_stops_nothing(tmp_path: Path, has_spool: bool) -> None:
    with Collector("http/protobuf") as collector:
        exporter = OTelExporter(
            collector.url,
            protocol="http/protobuf",
            spool=tmp_path if has_spool else None,
            include_content=True,
        )
        refused = 0
        for name, make in RUBBISH.items():
            is_taken = exporter.record(make())
            assert is_taken in {True, False}, name
            refused += not is_taken
            await check_what_follows(exporter, collector, f"after {name}")
        await exporter.shutdown()
        assert 0 < refused == exporter.counters.get(semconv.EVENTS_DROPPED, reason="invalid")
        assert exporter.counters.get(semconv.EVENTS_DROPPED, reason="corrupt") == 0
        assert exporter.counters.get(semconv.EVENTS_DROPPED, reason="rejected") == 0
        assert len(collector.logs) == 7 * len(RUBBISH) - refused


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.sampled_from(list(E)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["attributes", "links", "missing", "reason", "delay_s", "model", "provider", "input", "output"]
)


@given(
    events=st.lists(
        st.tuples(
            st.sampled_from(list(E)),
            st.dictionaries(st.sampled_from([f.name for f in dataclasses.fields(WorkflowEvent)]), anything, max_size=3),
            st.dictionaries(KEYS, anything, max_size=4),
        ),
        min_size=5, max_size=30,
    )
)  # fmt: skip
@settings(
    max_examples=by_form(15, 300), deadline=None, suppress_health_check=list(HealthCheck), derandomize=False,
    database=None,
)  # fmt: skip
async def test_whatever_fields_hold_telemetry_goes_on(events: list[Any]) -> None:
    with Collector("http/protobuf") as collector:
        exporter = OTelExporter(collector.url, protocol="http/protobuf", include_content=True)
        for kind, fields, data in events:
            exporter.record(of(kind, **{"data": data, **fields})())
        await check_what_follows(exporter, collector, "after")
        await exporter.shutdown()
