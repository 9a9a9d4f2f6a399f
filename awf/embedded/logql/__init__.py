"""LogQL over the embedded store: `parse` gives the tree, `Engine` the answers."""

from awf.embedded.logql.engine import Engine
from awf.embedded.logql.parser import parse, parse_selector
from awf.embedded.logql.results import LogEntry, Matrix, MatrixSeries, Scalar, Streams, Vector, VectorSample

__all__ = [
    "Engine", "LogEntry", "Matrix", "MatrixSeries", "Scalar", "Streams", "Vector", "VectorSample",
    "parse", "parse_selector",
]  # fmt: skip
