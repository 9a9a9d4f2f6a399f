"""What the engine answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from awf.embedded.logql.frame import Values
from awf.embedded.logql.scan import QueryStats


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An entry of a result, its labels by where they came from."""

    timestamp_ns: int
    line: str
    stream: dict[str, str]
    metadata: dict[str, str]
    parsed: dict[str, str]

    @property
    def labels(self) -> dict[str, str]:
        return self.stream | self.metadata | self.parsed


@dataclass(frozen=True, slots=True)
class Streams:
    """Log entries in the asked direction."""

    entries: list[LogEntry]
    stats: QueryStats


@dataclass(frozen=True, slots=True)
class VectorSample:
    labels: dict[str, str]
    timestamp_ns: int
    value: float


@dataclass(frozen=True, slots=True)
class Vector:
    samples: list[VectorSample]
    stats: QueryStats


@dataclass(frozen=True, slots=True)
class MatrixSeries:
    labels: dict[str, str]
    timestamps_ns: NDArray[np.int64]
    values: Values


@dataclass(frozen=True, slots=True)
class Matrix:
    series: list[MatrixSeries]
    stats: QueryStats


@dataclass(frozen=True, slots=True)
class Scalar:
    timestamp_ns: int
    value: float
    stats: QueryStats


Result: TypeAlias = Streams | Vector | Matrix | Scalar
