"""OTLP metrics to samples, exemplars and metadata, as Prometheus' OTLP endpoint stores them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1 import metrics_pb2 as pb

from awf.embedded.intake import Intake
from awf.embedded.model import STALE, MetricMetadata
from awf.embedded.otlp import lazy
from awf.embedded.otlp.histograms import add_histogram, add_summary
from awf.embedded.otlp.names import metric_name, unit_name
from awf.embedded.otlp.numbers import add_numbers
from awf.embedded.otlp.series import Family, SeriesCache

_Request = lazy.with_bytes(ExportMetricsServiceRequest, {lazy.RESOURCE, lazy.NUMBER, lazy.ATTRIBUTE})


class MetricsDecoder:
    """Decodes requests one after another, from one thread; remembers the series it has seen."""

    def __init__(self, cache: SeriesCache | None = None) -> None:
        self._cache = cache or SeriesCache()

    def decode(self, body: bytes, intake: Intake) -> Intake:
        """Add the request's rows. Delta temporality and exponential histograms are refused by name.
        Raises DecodeError."""
        self._cache.bound()
        intake.table = self._cache.table
        for resource in _Request.FromString(body).resource_metrics:
            target = self._cache.target(resource.resource)
            first = len(intake.series)
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    _metric(intake, metric, target.family)
            if target.info is not None and len(intake.series) > first:
                intake.add(target.info, max(intake.timestamps_ms[first:]), 1.0)
        return intake


def _metric(intake: Intake, metric: pb.Metric, family_of: Any) -> None:
    shape = metric.WhichOneof("data")
    if shape is None:
        return
    data = getattr(metric, shape)
    points = data.data_points
    kind = ("counter" if data.is_monotonic else "sum") if shape == "sum" else shape
    name = metric_name(metric.name, metric.unit, kind)
    if shape == "exponential_histogram":
        intake.refuse(f"metric {metric.name!r}: exponential histograms are not supported", len(points))
    elif not name:
        intake.refuse(f"metric {metric.name!r} has no character that a name may have", len(points))
    elif shape in {"sum", "histogram"} and not _is_cumulative(data):
        intake.refuse(f"metric {metric.name!r}: delta temporality is not supported", len(points))
    else:
        described = "gauge" if kind == "sum" else kind
        intake.metadata[name] = MetricMetadata(described, metric.description, unit_name(metric.unit))
        _points(intake, shape, points, family_of(name))


def _is_cumulative(data: pb.Sum | pb.Histogram) -> bool:
    return bool(data.aggregation_temporality == pb.AGGREGATION_TEMPORALITY_CUMULATIVE)


def _points(intake: Intake, shape: str, points: Iterable[Any], family: Family) -> None:
    if shape in {"gauge", "sum"}:
        add_numbers(intake, family, list(points))
        return
    add = add_histogram if shape == "histogram" else add_summary
    for point in points:
        if not intake.takes_time(point.time_unix_nano, f"a point of metric {family.name!r}"):
            continue
        first = len(intake.series)
        add(intake, family, point, point.time_unix_nano // 1_000_000)
        if point.flags & pb.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK:
            count = len(intake.series) - first
            intake.values[first:] = array("d", [STALE] * count)
