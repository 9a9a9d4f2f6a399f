"""What one `write` carries, and its form as columns for a bulk insert."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from awf.embedded.blocks import LogBlock, SpanBlock, encode
from awf.embedded.model import (
    NO_SAMPLES,
    STALE_NAN_BITS,
    Exemplar,
    LogRecord,
    MetricMetadata,
    Samples,
    Span,
)

Columns = dict[str, NDArray[Any]]

_SPAN_COLUMNS: Final[Mapping[str, type[Any]]] = {
    "trace_id": object, "span_id": object, "parent_span_id": object, "name": object, "kind": np.uint8,
    "start_ns": np.int64, "end_ns": np.int64, "status": np.uint8, "status_message": object, "attributes": object,
    "resource": object, "scope_name": object, "scope_version": object, "events": object, "links": object,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rows:
    """The arguments of one `Sink.write`."""

    samples: Samples = NO_SAMPLES
    metadata: Mapping[str, MetricMetadata] = field(default_factory=dict)
    exemplars: Sequence[Exemplar] = ()
    logs: Sequence[LogRecord] = ()
    spans: Sequence[Span] = ()

    def __len__(self) -> int:
        return len(self.samples) + len(self.metadata) + len(self.exemplars) + len(self.logs) + len(self.spans)


def texts(values: Iterable[str]) -> NDArray[Any]:
    return np.array(list(values), dtype=object)


def int64(values: Iterable[int]) -> NDArray[np.int64]:
    return np.array(list(values), dtype=np.int64)


def sample_columns(ids: NDArray[np.uint32], samples: Sequence[Samples]) -> Columns:
    values = np.concatenate([part.values for part in samples])
    return {
        "sid": ids,
        "ts": np.concatenate([part.timestamps_ms for part in samples]),
        "value": values,
        "stale": values.view(np.uint64) == STALE_NAN_BITS,
    }


def exemplar_columns(ids: NDArray[np.uint32], exemplars: Sequence[Exemplar]) -> Columns:
    return {
        "sid": ids,
        "ts": int64(exemplar.timestamp_ms for exemplar in exemplars),
        "value": np.array([exemplar.value for exemplar in exemplars], dtype=np.float64),
        "labels": texts(encode(exemplar.labels) for exemplar in exemplars),
    }


def log_columns(ids: NDArray[np.uint32], blocks: Sequence[LogBlock]) -> Columns:
    return {
        "sid": ids,
        "ts": int64(chain.from_iterable(block.timestamps_ns for block in blocks)),
        "line": texts(chain.from_iterable(block.lines for block in blocks)),
        "metadata": texts(chain.from_iterable(block.metadata for block in blocks)),
    }


def label_columns(new: Mapping[frozenset[tuple[str, str]], int]) -> Columns:
    return {
        "id": np.array(list(new.values()), dtype=np.uint32),
        "labels": texts(encode(dict(key)) for key in new),
    }


def span_columns(blocks: Sequence[SpanBlock]) -> Columns:
    rows = list(chain.from_iterable(block.rows for block in blocks))
    columns = zip(*rows, strict=True) if rows else ((),) * len(_SPAN_COLUMNS)
    return {
        name: np.array(column, dtype=dtype)
        for (name, dtype), column in zip(_SPAN_COLUMNS.items(), columns, strict=True)
    }
