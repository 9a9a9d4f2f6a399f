"""OTLP metrics become the samples that Prometheus would store."""

from __future__ import annotations

import struct
from typing import Any

from awf.embedded.intake import Intake
from awf.embedded.model import STALE_NAN_BITS, MetricMetadata
from awf.embedded.otlp.metrics import MetricsDecoder

from ._messages import CUMULATIVE, DELTA, NOW_MS, NOW_NS, attributes, decode, metrics, point

TARGET = {"job": "shop/cart", "instance": "i-1"}
INFO = {**TARGET, "__name__": "target_info", "region": "eu"}


def counter(name: str, *points: Any, **more: Any) -> dict[str, Any]:
    data = {"isMonotonic": True, "aggregationTemporality": CUMULATIVE, "dataPoints": list(points), **more}
    return {"name": name, "description": "help", "unit": "s", "sum": data}


def histogram(*points: Any, **more: Any) -> dict[str, Any]:
    data = {"aggregationTemporality": CUMULATIVE, "dataPoints": list(points), **more}
    return {"name": "took", "unit": "ms", "histogram": data}


def test_a_counter_gets_its_target_and_its_attributes() -> None:
    rows = decode(metrics(counter("busy", point(2.5, own={"http.route": "/", "count": 3}))))
    series = {**TARGET, "__name__": "busy_seconds_total", "http_route": "/", "count": "3"}
    assert list(rows.samples.rows()) == [(series, NOW_MS, 2.5), (INFO, NOW_MS, 1.0)]
    assert rows.metadata == {"busy_seconds_total": MetricMetadata("counter", "help", "seconds")}
    assert rows.refused == 0


def test_whole_numbers_and_sums_that_may_fall() -> None:
    data = {"aggregationTemporality": CUMULATIVE, "dataPoints": [point(asInt=7)]}
    rows = decode(metrics({"name": "active", "sum": data}, resource={}))
    assert list(rows.samples.rows()) == [({"__name__": "active"}, NOW_MS, 7.0)]
    assert rows.metadata["active"].type == "gauge"


def test_a_resource_without_further_attributes_has_no_target_info() -> None:
    rows = decode(
        metrics({"name": "g", "gauge": {"dataPoints": [point(1.0)]}}, resource={"service.name": "cart"}),
    )
    assert list(rows.samples.rows()) == [({"job": "cart", "__name__": "g"}, NOW_MS, 1.0)]


def test_a_histogram_becomes_cumulated_buckets_sum_and_count() -> None:
    one = point(count=6, sum=310.5, bucketCounts=[1, 2, 3], explicitBounds=[0.5, 100])
    rows = decode(metrics(histogram(one), resource={}))
    name = "took_milliseconds"
    assert list(rows.samples.rows()) == [
        ({"__name__": f"{name}_bucket", "le": "0.5"}, NOW_MS, 1.0),
        ({"__name__": f"{name}_bucket", "le": "100"}, NOW_MS, 3.0),
        ({"__name__": f"{name}_bucket", "le": "+Inf"}, NOW_MS, 6.0),
        ({"__name__": f"{name}_sum"}, NOW_MS, 310.5),
        ({"__name__": f"{name}_count"}, NOW_MS, 6.0),
    ]


def test_a_histogram_without_buckets_has_only_the_last_one_and_a_broken_one_is_refused() -> None:
    broken = point(count=6, bucketCounts=[1, 2], explicitBounds=[0.5, 100])
    rows = decode(metrics(histogram(point(count=6), broken), resource={}))
    assert [labels for labels, _, _ in rows.samples.rows()] == [
        {"__name__": "took_milliseconds_bucket", "le": "+Inf"},
        {"__name__": "took_milliseconds_count"},
    ]
    assert (rows.refused, rows.message) == (1, "metric 'took_milliseconds': 2 buckets for 2 bounds")


def test_an_exemplar_belongs_to_the_bucket_of_its_value() -> None:
    exemplars = [
        {
            "timeUnixNano": NOW_NS, "asDouble": value, "traceId": "EREREREREREREREREREREQ==",
            "spanId": "IiIiIiIiIiI=", "filteredAttributes": attributes({"user": "u"}),
        }
        for value in (0.5, 7.0, 500.0)
    ]  # fmt: skip
    one = point(count=3, sum=1.0, bucketCounts=[1, 1, 1], explicitBounds=[0.5, 100], exemplars=exemplars)
    rows = decode(metrics(histogram(one), resource={}))
    assert [item.series_labels["le"] for item in rows.exemplars] == ["0.5", "100", "+Inf"]
    assert rows.exemplars[0].labels == {"user": "u", "trace_id": "11" * 16, "span_id": "22" * 8}
    assert rows.exemplars[0].timestamp_ms == NOW_MS


def test_a_summary_becomes_quantiles() -> None:
    one = point(count=2, sum=3.0, quantileValues=[{"quantile": 0.99, "value": 2.0}])
    rows = decode(metrics({"name": "s", "summary": {"dataPoints": [one]}}, resource={}))
    assert list(rows.samples.rows()) == [
        ({"__name__": "s", "quantile": "0.99"}, NOW_MS, 2.0),
        ({"__name__": "s_sum"}, NOW_MS, 3.0),
        ({"__name__": "s_count"}, NOW_MS, 2.0),
    ]


def test_delta_and_exponential_histograms_are_refused_by_name_and_the_rest_is_kept() -> None:
    exponential = {"name": "expo", "exponentialHistogram": {"dataPoints": [point(), point()]}}
    delta = counter("steps", point(1.0), aggregationTemporality=DELTA)
    rows = decode(metrics(exponential, delta, counter("kept", point(1.0)), resource={}))
    assert [labels["__name__"] for labels, _, _ in rows.samples.rows()] == ["kept_seconds_total"]
    assert rows.refused == 3
    assert rows.message == (
        "metric 'expo': exponential histograms are not supported; "
        "metric 'steps': delta temporality is not supported"
    )


def test_points_without_a_time_or_from_the_future_are_refused_alone() -> None:
    ahead = NOW_NS + 601 * 10**9
    points = [point(1.0, at_ns=0), point(2.0, at_ns=ahead), point(3.0, at_ns=2**63 + 5), point(4.0)]
    rows = decode(metrics({"name": "g", "gauge": {"dataPoints": points}}, resource={}))
    assert [value for _, _, value in rows.samples.rows()] == [4.0]
    assert rows.refused == 3
    assert "has no time" in rows.message
    assert "more than 10 minutes ahead" in rows.message


def test_a_point_without_recorded_value_ends_its_series() -> None:
    rows = decode(metrics({"name": "g", "gauge": {"dataPoints": [point(flags=1)]}}, resource={}))
    ((_, _, value),) = rows.samples.rows()
    assert struct.pack("<d", value) == struct.pack("<Q", STALE_NAN_BITS)


def test_what_is_too_large_for_a_series_is_refused_with_the_reason() -> None:
    many = point(1.0, own={f"l{n}": "x" for n in range(129)})
    long = point(2.0, own={"text": "x" * 20_000})
    wide = point(count=1, bucketCounts=[0] * 1_001, explicitBounds=list(range(1_000)))
    rows = decode(
        metrics(
            {"name": "g", "gauge": {"dataPoints": [many, long, point(3.0)]}}, histogram(wide), resource={}
        )
    )
    assert list(rows.values) == [3.0]
    assert rows.refused == 3
    assert rows.message == (
        "a point of metric 'g' has 129 labels, over the limit of 128; "
        "the labels of a point of metric 'g' have 20004 bytes, over the limit of 16384; "
        "metric 'took_milliseconds': a point of 1001 parts, over the limit of 1000"
    )


def test_points_older_than_what_is_kept_are_refused_alone() -> None:
    points = [point(1.0, at_ns=NOW_NS - 11), point(2.0, at_ns=NOW_NS - 10)]
    request = metrics({"name": "g", "gauge": {"dataPoints": points}}, resource={})
    rows = MetricsDecoder().decode(request.SerializeToString(), Intake(NOW_NS, oldest_ns=NOW_NS - 10))
    assert (list(rows.values), rows.refused) == ([2.0], 1)
    assert rows.message == "a point of metric 'g' is older than what is kept"
