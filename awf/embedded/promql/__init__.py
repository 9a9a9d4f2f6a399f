"""PromQL: our own parser, evaluated with numpy over a sample reader."""

from awf.embedded.promql.engine import Engine
from awf.embedded.promql.notes import Notes
from awf.embedded.promql.parser import label_names, metric_names, parse
from awf.embedded.promql.range_cache import RangeCache
from awf.embedded.promql.values import Scalar, String, VectorSample

__all__ = [
    "Engine", "Notes", "RangeCache", "Scalar", "String", "VectorSample", "label_names", "metric_names", "parse",
]  # fmt: skip
