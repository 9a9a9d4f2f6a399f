"""What decoders remember from one request to the next never changes what a request means."""

from __future__ import annotations

from typing import Any

import pytest

from awf.embedded.intake import Intake
from awf.embedded.otlp import lazy
from awf.embedded.otlp.logs import LogsDecoder
from awf.embedded.otlp.memory import Memory
from awf.embedded.otlp.metrics import MetricsDecoder
from awf.embedded.otlp.series import SeriesCache
from awf.embedded.otlp.traces import TracesDecoder

from ._messages import (
    CUMULATIVE,
    NOW_NS,
    RESOURCE,
    any_value,
    attributes,
    decode,
    logs,
    metrics,
    point,
    span,
    traces,
)

BROKEN = b"\x0a\x05\xff"  # a key of five bytes that has one
UTF8 = b"\x0a\x01k\x12\x03\x0a\x01\xff"  # a text that is not UTF-8


def gauge(*points: Any, name: str = "g") -> dict[str, Any]:
    return {"name": name, "gauge": {"dataPoints": list(points)}}


def took(*points: Any) -> dict[str, Any]:
    return {"name": "took", "histogram": {"aggregationTemporality": CUMULATIVE, "dataPoints": list(points)}}


REQUESTS = [
    metrics(gauge(point(1.0, own={"a": "1"}), point(2.0, own={"a": "2"})), gauge(point(3.0), name="h")),
    metrics(gauge(point(4.0, own={"a": "1"})), resource={"service.name": "other"}),
    metrics(gauge(point(5.0, own={"a": 1}), point(6.0, own={"a": "1", "b": "2"}))),
    metrics(gauge(point(7.0, own={"b": "2", "a": "1"}), point(asInt=8, own={"a": "1"}))),
    metrics(took(point(count=3, sum=1.0, bucketCounts=[1, 2], explicitBounds=[5], attributes=[]))),
    metrics(took(point(count=3, sum=1.0, bucketCounts=[1, 2], explicitBounds=[7], attributes=[]))),
    metrics({"name": "took", "summary": {"dataPoints": [point(count=1, sum=2.0)]}}),
]  # fmt: skip


def test_a_decoder_with_memories_reads_as_a_new_one() -> None:
    decoder = MetricsDecoder()
    for request in [*REQUESTS, *reversed(REQUESTS)]:
        found = decoder.decode(request.SerializeToString(), Intake(NOW_NS))
        assert list(found.samples.rows()) == list(decode(request).samples.rows())
        assert found.metadata == decode(request).metadata


def test_the_same_series_has_the_same_number() -> None:
    decoder = MetricsDecoder()
    first, second = (decoder.decode(REQUESTS[0].SerializeToString(), Intake(NOW_NS)) for _ in range(2))
    assert first.table is second.table
    assert first.series == second.series


def test_attributes_that_only_look_the_same_when_joined_are_different_series() -> None:
    request = metrics(gauge(point(1.0), point(2.0)))
    one, two = request.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points
    one.attributes.add(key="a").value.string_value = "x"
    two.attributes.add(key="a")
    two.attributes.add().value.string_value = "x"
    (first, _, _), (second, _, _), _ = decode(request).samples.rows()
    assert (first.get("a"), second.get("a")) == ("x", None)


def test_a_full_memory_is_emptied_and_the_series_are_still_right() -> None:
    cache = SeriesCache(max_bytes=5_000)
    decoder = MetricsDecoder(cache)
    for number in range(100):
        request = metrics(gauge(*(point(1.0, own={"n": f"{number}-{n}"}) for n in range(5))), resource={})
        found = decoder.decode(request.SerializeToString(), Intake(NOW_NS))
        assert [labels["n"] for labels, _, _ in found.samples.rows()] == [f"{number}-{n}" for n in range(5)]
        assert cache.size_bytes <= 5_000 + 6 * 1_100


@pytest.mark.parametrize("broken", [BROKEN, UTF8])
def test_attributes_that_cannot_be_read_cost_their_own_entry_only(broken: bytes) -> None:
    kept = metrics(gauge(point(1.0), point(2.0, own={"a": "1"})), resource={})
    blurred = lazy.with_bytes(type(kept), {lazy.ATTRIBUTE}).FromString(kept.SerializeToString())
    blurred.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0].attributes.append(broken)
    found = MetricsDecoder().decode(blurred.SerializeToString(), Intake(NOW_NS))
    assert list(found.values) == [2.0]
    assert (found.refused, found.message) == (1, "metric 'g': a point has attributes that cannot be read")


def test_a_resource_that_comes_again_is_the_same_for_logs_and_spans() -> None:
    line = logs({"timeUnixNano": NOW_NS, "body": any_value("x"), "attributes": attributes({"a": {"b": 1}})})
    decoder = LogsDecoder()
    for _ in range(2):
        found = decoder.decode(line.SerializeToString(), Intake(NOW_NS))
        assert list(found.logs) == list(decode(line).logs)
    other = logs({"timeUnixNano": NOW_NS, "body": any_value("x")}, resource={"service.name": "b"})
    (entry,) = decoder.decode(other.SerializeToString(), Intake(NOW_NS)).logs
    assert entry.labels["service_name"] == "b"
    spans = TracesDecoder()
    for _ in range(2):
        assert spans.decode(traces(span()).SerializeToString(), Intake(NOW_NS)).spans[0].resource == RESOURCE


def test_names_of_metadata_that_meet_are_joined() -> None:
    own = attributes({"a.b": "1", "a_b": "2", "level": "warn", "c": "3"})
    (entry,) = decode(logs({"timeUnixNano": NOW_NS, "attributes": own})).logs
    assert (entry.metadata["a_b"], entry.metadata["c"], entry.labels["level"]) == ("1;2", "3", "warn")
    assert "level" not in entry.metadata


@pytest.mark.parametrize("broken", [BROKEN, UTF8])
def test_a_record_or_span_whose_attributes_cannot_be_read_is_refused_alone(broken: bytes) -> None:
    line = {"timeUnixNano": NOW_NS, "body": any_value("x"), "attributes": attributes({"a": 1})}
    request = logs(line, line)
    lines = lazy.with_bytes(type(request), {lazy.ATTRIBUTE}).FromString(request.SerializeToString())
    lines.resource_logs[0].scope_logs[0].log_records[0].attributes.append(broken)
    found = LogsDecoder().decode(lines.SerializeToString(), Intake(NOW_NS))
    assert (len(found.logs), found.refused) == (1, 1)
    event = {"timeUnixNano": NOW_NS, "name": "e"}
    request = traces(span(events=[event]), span(links=[{}]), span(), span())
    spans = lazy.with_bytes(type(request), {lazy.ATTRIBUTE}).FromString(request.SerializeToString())
    in_event, in_link, own, _ = spans.resource_spans[0].scope_spans[0].spans
    for part in (in_event.events[0], in_link.links[0], own):
        part.attributes.append(broken)
    found = TracesDecoder().decode(spans.SerializeToString(), Intake(NOW_NS))
    assert (len(found.spans), found.refused) == (1, 3)


def test_a_full_memory_of_attributes_is_emptied_and_reads_on() -> None:
    asked = []

    def read(part: bytes) -> int:
        asked.append(part)
        return len(part)

    memory = Memory(read, count=2, longest=3)
    for part in (b"a", b"bb", b"a", b"ccc", b"a", b"dddd", b"dddd"):
        assert memory[part] == len(part)
        assert len(memory) <= 2
    assert asked == [b"a", b"bb", b"ccc", b"a", b"dddd", b"dddd"]
