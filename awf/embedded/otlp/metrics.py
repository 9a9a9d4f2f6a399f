"""OTLP metrics to samples, exemplars and metadata, as Prometheus' OTLP endpoint stores them."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1 import metrics_pb2 as pb

from awf.embedded.model import STALE_NAN_BITS, MetricMetadata, key_of
from awf.embedded.otlp import histograms
from awf.embedded.otlp.names import metric_name, unit_name
from awf.embedded.otlp.rows import Rows
from awf.embedded.otlp.values import attributes, labels, text

STALE = struct.unpack("<d", struct.pack("<Q", STALE_NAN_BITS))[0]
IDENTITY = ("service.name", "service.namespace", "service.instance.id")


def decode(request: ExportMetricsServiceRequest, now_ns: int) -> Rows:
    """Return the request's rows. Delta temporality and exponential histograms are refused by name."""
    rows = Rows(now_ns)
    for resource in request.resource_metrics:
        described = attributes(resource.resource.attributes)
        target = _target(described)
        first = len(rows.keys)
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                _metric(rows, metric, target)
        info = labels({key: value for key, value in described.items() if key not in IDENTITY})
        if target and info and len(rows.keys) > first:
            latest = max(rows.timestamps_ms[first:])
            rows.add(key_of({**info, **target, "__name__": "target_info"}), latest, 1.0)
    return rows


def _target(resource: Mapping[str, Any]) -> dict[str, str]:
    """Return `job` and `instance`."""
    name, namespace, instance = (text(resource.get(key)) for key in IDENTITY)
    job = f"{namespace}/{name}" if namespace and name else name
    return {label: value for label, value in (("job", job), ("instance", instance)) if value}


def _metric(rows: Rows, metric: pb.Metric, target: Mapping[str, str]) -> None:
    shape = metric.WhichOneof("data")
    if shape is None:
        return
    data = getattr(metric, shape)
    points = data.data_points
    kind = ("counter" if data.is_monotonic else "sum") if shape == "sum" else shape
    name = metric_name(metric.name, metric.unit, kind)
    if shape == "exponential_histogram":
        rows.refuse(f"metric {metric.name!r}: exponential histograms are not supported", len(points))
    elif not name:
        rows.refuse(f"metric {metric.name!r} has no character that a name may have", len(points))
    elif shape in {"sum", "histogram"} and not _is_cumulative(data):
        rows.refuse(f"metric {metric.name!r}: delta temporality is not supported", len(points))
    else:
        described = "gauge" if kind == "sum" else kind
        rows.metadata[name] = MetricMetadata(described, metric.description, unit_name(metric.unit))
        for point in points:
            if rows.takes_time(point.time_unix_nano, f"a point of metric {metric.name!r}"):
                _point(rows, name, shape, point, target)


def _is_cumulative(data: pb.Sum | pb.Histogram) -> bool:
    return data.aggregation_temporality == pb.AGGREGATION_TEMPORALITY_CUMULATIVE


def _point(rows: Rows, name: str, shape: str, point: Any, target: Mapping[str, str]) -> None:
    own = {**labels(attributes(point.attributes)), **target}
    timestamp = point.time_unix_nano // 1_000_000
    first = len(rows.keys)
    if shape == "histogram":
        histograms.add_histogram(rows, name, point, own, timestamp)
    elif shape == "summary":
        histograms.add_summary(rows, name, point, own, timestamp)
    else:
        series = {**own, "__name__": name}
        rows.add(key_of(series), timestamp, histograms.number(point))
        rows.exemplars += histograms.exemplars(rows, series, point.exemplars)
    if point.flags & pb.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK:
        rows.values[first:] = [STALE] * (len(rows.values) - first)
